"""The records of one snapshot that stand beyond the cursor, while they are given one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from harbour_async._rows import picked
from harbour_async.pagination._cursor import Cursor
from harbour_async.pagination._snapshot import Snapshot


class Taken(NamedTuple):
    """``keys`` and ``ids`` of the records beyond ``before``, of which some are given.

    given: their positions in the snapshot.
    ends: how many of ``ids`` are passed with each record given.
    """

    before: Cursor
    keys: Sequence[int] = ()
    ids: Sequence[str] = ()
    given: Sequence[int] = ()
    ends: Sequence[int] = ()

    @classmethod
    def of(cls, cursor: Cursor, snapshot: Snapshot, known: Cursor | None) -> Taken:
        """What the snapshot shows beyond the cursor; all is given that ``known`` had not passed.

        ``known`` is where an earlier walk stood, if this one goes back before it.
        """
        beyond = cursor.beyond(snapshot)
        keys = cast(list[int], picked(snapshot.keys, beyond))
        ids = cast(list[str], picked(snapshot.ids, beyond))
        if known is None:
            return cls(cursor, keys, ids, beyond, range(1, len(beyond) + 1))
        new = [n for n, i in enumerate(ids) if keys[n] != known.key or i not in known.ties]
        return cls(cursor, keys, ids, [beyond[n] for n in new], [n + 1 for n in new])

    def passed(self, given: int) -> int:
        """How many of the records the cursor has passed once so many have been given."""
        if given == len(self.ends):
            return len(self.ids)
        return self.ends[given - 1] if given else 0

    def cursor(self, passed: int) -> Cursor:
        return self.before.advanced(self.keys[:passed], self.ids[:passed])
