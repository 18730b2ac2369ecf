"""Which version of a record stays when a file is brought up to date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from attrs import define, field

from harbour_async.export._columns import Columns

_NEVER = datetime.min.replace(tzinfo=UTC)


@define
class Versions:
    """The last version of each record in a spool.

    A version is later if its ``updated_at`` is later, or if that is equal and it was read later.
    Memory holds an id and two numbers for each record of the spool, and none for the earlier file.
    """

    _columns: Columns
    _latest: dict[str, tuple[datetime, int]] = field(factory=dict)
    _older: set[str] = field(factory=set)
    _place: int = 0

    @classmethod
    def of(cls, chunks: Iterable[Sequence[bytes]], columns: Columns) -> Versions:
        versions = cls(columns)
        place = 0
        for lines in chunks:
            for line in lines:
                own_id, updated = columns.version(line)
                found = (updated or _NEVER, place)
                versions._latest[own_id] = max(found, versions._latest.get(own_id, found))
                place += 1
        return versions

    def keeps(self, own_id: str, updated: datetime | None) -> bool:
        """Whether a row of the earlier file stays: the spool has no version that is as late."""
        latest = self._latest.get(own_id)
        if latest is not None and (updated is None or updated <= latest[0]):
            return False
        if latest is not None:
            self._older.add(own_id)
        return True

    def latest(self, lines: Sequence[bytes]) -> list[bytes]:
        """Those of the spool's next lines that are the last version of their record."""
        found = []
        for line in lines:
            own_id, _ = self._columns.version(line)
            if self._latest[own_id][1] == self._place and own_id not in self._older:
                found.append(line)
            self._place += 1
        return found
