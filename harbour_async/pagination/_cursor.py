"""Where a walk stands in a list that changes: behind which record."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from attrs import Factory, frozen

from harbour_async.pagination._snapshot import Snapshot

ENOUGH_TIES = 10
"""So many known records have to come again, in order, before their order is relied on."""


Identity = Callable[[str, "int | None"], Any]
"""What makes a record the same as one given before, by its id and its key."""


def version(record_id: str, key: int | None) -> tuple[str, int | None]:
    """The identity of a record that may come again when it was updated again."""
    return record_id, key


@frozen
class Cursor:
    """The last record given: its ``key``, and the ids given that share it, in the order given.

    Without a key it stands before the first record.
    """

    key: int | None = None
    ties: dict[str, None] = Factory(dict)

    def passed(self, key: int | None, record_id: str | None) -> bool:
        """Whether a record stands at or before the cursor."""
        if key is None or self.key is None:
            return False
        return key < self.key or (key == self.key and record_id in self.ties)

    def beyond(self, snapshot: Snapshot) -> Sequence[int]:
        """The positions of the snapshot's records that stand beyond the cursor, in order."""
        keys: Any = snapshot.keys
        if self.key is None:
            return range(len(keys))
        equal, greater = bisect_left(keys, self.key), bisect_right(keys, self.key)
        ties = [i for i in range(equal, greater) if snapshot.ids[i] not in self.ties]
        rest = range(greater, len(keys))
        return [*ties, *rest] if ties else rest

    def joins(self, snapshot: Snapshot) -> bool:
        """Whether no record between the cursor and the snapshot's end can be missing from it.

        That is so if it begins strictly before the cursor's key. A record that has exactly this
        key proves nothing, because equal keys may come in another order in every answer
        (docs/completeness.md, "Joining").
        """
        if snapshot.start == 0:
            return True
        first = snapshot.keys[0] if snapshot.keys else None
        return first is not None and self.key is not None and first < self.key

    def known_run(self, snapshot: Snapshot) -> int | None:
        """How many of the cursor's ties come again, side by side and in the order of before.

        None if they come in any other way: the server does not keep their order
        (docs/completeness.md, "More equal keys than fit on a page").
        """
        places = {record_id: place for place, record_id in enumerate(self.ties)}
        found = [
            (i, places[each])
            for i, each in enumerate(snapshot.ids)
            if each in places and snapshot.keys[i] == self.key
        ]
        if not found:
            return 0
        in_order = all(a[1] < b[1] for a, b in pairwise(found))
        side_by_side = found[-1][0] - found[0][0] == len(found) - 1
        return len(found) if in_order and side_by_side else None

    def advanced(self, keys: Sequence[int], ids: Sequence[str]) -> Cursor:
        """The cursor behind records that follow it."""
        if not keys:
            return self
        last = dict.fromkeys(ids[bisect_left(keys, keys[-1]) :])
        return Cursor(keys[-1], self.ties | last if keys[-1] == self.key else last)


START = Cursor()
"""Before the first record."""
