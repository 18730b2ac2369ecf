"""The answer to one request, as a walk looks at it."""

from __future__ import annotations

from typing import Any, cast

from attrs import define

from harbour_async.pagination._prefetch import Fetched
from harbour_async.pagination._window import Window


@define(eq=False)
class Snapshot:
    """A window of the list at one moment. ``keys`` ascend in the order of the walk.

    ``number`` counts requests in the order in which they were sent. ``alone`` says that all earlier
    requests had been answered when this one was sent, so that it shows the list's latest state.
    """

    window: Window
    number: int
    alone: bool
    ids: list[str | None]
    keys: list[int | None]
    total: int

    @classmethod
    def of(cls, fetched: Fetched[Any], *, descending: bool) -> Snapshot:
        rows = fetched.rows
        keys = rows.keys
        if descending:
            keys = [None if key is None else -key for key in keys]
        return cls(fetched.window, fetched.number, fetched.alone, rows.ids, keys, rows.total)

    @property
    def start(self) -> int:
        return self.window.start

    @property
    def stop(self) -> int:
        """The index after the last record shown."""
        return self.window.start + len(self.ids)

    @property
    def short(self) -> bool:
        """Whether fewer records came than were asked for: the list ended here."""
        return len(self.ids) < self.window.size

    @property
    def contradiction(self) -> str | None:
        """What is wrong with a short answer whose own total says that more records follow."""
        if not (self.short and self.stop < self.total):
            return None
        return f"{self.window} held too few records ({len(self.ids)}) for its total of {self.total}"

    @property
    def flaw(self) -> str | None:
        """Why nothing can be proved with this answer (docs/completeness.md, "Assumptions")."""
        if len(self.ids) > self.window.size:
            return f"{self.window} held more records than were asked for"
        if None in self.keys:
            return f"{self.window} has a record without a readable key to order by"
        ids = set(self.ids)
        if None in ids or len(ids) < len(self.ids):
            return f"{self.window} has records without an id of their own"
        if cast(list[int], self.keys) != sorted(cast(list[int], self.keys)):
            return f"{self.window} is not in the order asked for"
        return None
