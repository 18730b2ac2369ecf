"""What a request showed, and whether it can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from attrs import define

from harbour_async.pagination._flight import Request

T = TypeVar("T")


def picked(column: Sequence[T], positions: Sequence[int]) -> Sequence[T]:
    """What is at these positions: mostly they are one stretch, and a slice is the quicker way."""
    if isinstance(positions, range):
        return column[positions.start : positions.stop]
    return [column[i] for i in positions]


@define
class Answer:
    """A window at one moment. ``keys`` ascend in walk order, whatever order was asked for."""

    request: Request
    ids: list[str | None]
    keys: list[int | None]
    total: int
    sent: int
    """How many requests have been sent by now: the answer is older than all later ones."""

    @property
    def start(self) -> int:
        return self.request.window.start

    @property
    def contradiction(self) -> str | None:
        """What is wrong with an answer whose records and total cannot both be true."""
        window = self.request.window
        owed = min(window.size, max(0, self.total - window.start))
        if len(self.ids) == owed:
            return None
        return (
            f"{self._page} held {len(self.ids)} records where its total of {self.total} "
            f"makes it {owed}"
        )

    def ordered(self) -> Shown | str:
        """The answer if its records are in order, each with an id and a key; else why not."""
        if None in self.keys:
            return f"{self._page} has a record without created_at"
        if None in self.ids or len(set(self.ids)) < len(self.ids):
            return f"{self._page} has records without an id of their own"
        keys = cast(list[int], self.keys)
        if keys != sorted(keys):
            return f"{self._page} is not in the order asked for"
        return Shown(self.request, cast(list[str], self.ids), keys, self.total, self.sent)

    @property
    def _page(self) -> str:
        return f"page {self.request.window.page} of size {self.request.window.size}"


@define
class Shown:
    """An answer in order."""

    request: Request
    ids: list[str]
    keys: list[int]
    total: int
    sent: int

    @property
    def start(self) -> int:
        return self.request.window.start

    @property
    def stop(self) -> int:
        """The index after the last record shown."""
        return self.start + len(self.ids)

    @property
    def at_end(self) -> bool:
        """Whether the listing ended here."""
        return self.request.window.end >= self.total
