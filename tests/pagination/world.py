"""A listing that changes while it is read, and the promise it is read by.

``World`` keeps records in the order they were created. Its ``fetch`` is a server's answer: the
snapshot is taken a few turns of the event loop after the request, and the answer arrives a few
turns after that, so requests on their way overtake each other. All choices come from one
``random.Random``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from attrs import define, field, frozen

from harbour_async._rows import Rows


@frozen
class Record:
    id: str
    key: int


@define(eq=False)
class World:
    """``change`` is called before each snapshot; what it does is what happens meanwhile."""

    random: Random
    ascending: bool = False
    delay: int = 0
    ties: float = 0.0
    change: Callable[[World], None] = field(default=lambda _world: None)
    records: list[Record] = field(factory=list)
    requests: list[tuple[int, int]] = field(factory=list)
    totals: list[int] = field(factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    watched: set[str] | None = None
    _created: int = 0
    _clock: int = 0

    def create(self, count: int = 1) -> None:
        """New records are never older than any before; those of one moment are in any order."""
        for _ in range(count):
            self._created += 1
            self._clock += self.random.random() >= self.ties
            record = Record(f"r{self._created}", self._clock)
            at = len(self.records)
            while at and self.records[at - 1].key == record.key and self.random.random() < 0.5:
                at -= 1
            self.records.insert(at, record)

    def delete(self, index: int) -> None:
        """Delete the record at an index of the listing as it is walked."""
        record = self.records.pop(index if self.ascending else len(self.records) - 1 - index)
        if self.watched is not None:
            self.watched.discard(record.id)

    def delete_id(self, record_id: str) -> None:
        for i, record in enumerate(self.records):
            if record.id == record_id:
                del self.records[i]
                break
        if self.watched is not None:
            self.watched.discard(record_id)

    def churn(self, deletions: int, creations: int) -> None:
        for _ in range(min(deletions, len(self.records))):
            self.delete(self.random.randrange(len(self.records)))
        self.create(creations)

    async def fetch(self, page: int, size: int) -> Rows[Record]:
        assert 1 <= size <= 100
        assert page >= 1
        self.requests.append((page, size))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._turns()
            self.change(self)
            rows = self.snapshot(page, size)
            await self._turns()
        finally:
            self.in_flight -= 1
        return rows

    def snapshot(self, page: int, size: int) -> Rows[Record]:
        count = len(self.records)
        start, end = (page - 1) * size, page * size
        if self.ascending:
            items = self.records[start:end]
        else:
            items = self.records[max(0, count - end) : max(0, count - start)][::-1]
        if self.watched is None:  # the walk's first answer: from now on these must not get lost
            self.watched = {record.id for record in self.records}
        self.totals.append(count)
        return Rows(items, [r.id for r in items], [r.key for r in items], count)

    async def _turns(self) -> None:
        for _ in range(self.random.randint(0, self.delay) if self.delay else 0):
            await asyncio.sleep(0)
