"""Where a walk stands in a changing list: behind which record."""

from __future__ import annotations

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
        old = 0
        ties = []
        if self.key is not None:
            while old < len(answer.keys) and answer.keys[old] < self.key:
                old += 1
            beyond = old
            while beyond < len(answer.keys) and answer.keys[beyond] == self.key:
                if answer.ids[beyond] in self.ties:
                    old = beyond + 1
                else:
                    ties.append(beyond)
                beyond += 1
            positions: Sequence[int] = [*ties, *range(beyond, len(answer.keys))]
        else:
            positions = range(len(answer.keys))
        shown = old > 0 or answer.start == 0
        return positions, answer.start + old if shown else None

    def advance(self, keys: Sequence[int], ids: Sequence[str]) -> None:
        """Move behind records that have been given."""
        if not keys:
            return
        if keys[-1] != self.key:
            self.key = keys[-1]
            self.ties = {}
        first = len(keys)
        while first and keys[first - 1] == self.key:
            first -= 1
        self.ties.update(dict.fromkeys(ids[first:]))
