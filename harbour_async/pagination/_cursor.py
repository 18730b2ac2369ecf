"""Where a walk stands in a changing list: behind which record."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from attrs import Factory, define

from harbour_async.pagination._answer import Shown


@define
class Cursor:
    """The last record given: its ``key``, and the ids given of all records that share it.

    Without a key it stands before the first record.
    """

    key: int | None = None
    ties: dict[str, None] = Factory(dict)

    def copy(self) -> Cursor:
        return Cursor(self.key, dict(self.ties))

    def passed(self, key: int | None, record_id: str | None) -> bool:
        """Whether a record stands at or before the cursor."""
        if key is None or self.key is None:
            return False
        return key < self.key or (key == self.key and record_id in self.ties)

    def split(self, answer: Shown) -> tuple[Sequence[int], int | None]:
        """The positions of the records beyond the cursor, and the index where the cursor stands.

        That index is None if the answer does not show it: if it begins beyond the cursor, then
        records between the two may be missing. The order is stable, so the first known record
        shown, be it the cursor's own or one long passed, joins all that follows it.
        """
        if self.key is None:
            return range(len(answer.keys)), 0 if answer.start == 0 else None
        older, newer = bisect_left(answer.keys, self.key), bisect_right(answer.keys, self.key)
        known = [i for i in range(older, newer) if answer.ids[i] in self.ties]
        ties = [i for i in range(older, newer) if answer.ids[i] not in self.ties]
        old = known[-1] + 1 if known else older
        shown = old > 0 or answer.start == 0
        beyond = range(newer, len(answer.keys))
        return [*ties, *beyond] if ties else beyond, answer.start + old if shown else None

    def advance(self, keys: Sequence[int], ids: Sequence[str]) -> None:
        """Move behind records that have been given."""
        if keys[-1] != self.key:
            self.key = keys[-1]
            self.ties = {}
        self.ties.update(dict.fromkeys(ids[bisect_left(keys, keys[-1]) :]))
