"""A listing that changes while it is read, on a server that promises as little as real ones do.

``World`` keeps records in the order of their keys. Its ``fetch`` is a server's answer: the records
are counted a few turns of the event loop after the request, the rows are read after that, and the
answer arrives a few turns later. So requests on their way overtake each other, and ``total`` may be
of another moment than the rows. All choices come from one ``random.Random``.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from random import Random

from attrs import define, field, frozen

from harbour_async._rows import Rows


@frozen
class Record:
    """``version`` counts the updates of one id."""

    id: str
    key: int
    version: int = 0


@define(eq=False)
class World:
    """``change`` is called before each snapshot; its changes happen between two answers.

    ties: how probable it is that a new record shares the key of the one before.
    between: how probable it is that ``change`` is called once more between count and rows.
    late: how probable it is that a new record has an older key than some that are there already.
    shuffled: whether equal keys come in another order in every answer.
    """

    random: Random
    ascending: bool = False
    delay: int = 0
    ties: float = 0.0
    between: float = 0.0
    late: float = 0.0
    shuffled: bool = False
    change: Callable[[World], None] = field(default=lambda _world: None)
    records: list[Record] = field(factory=list)
    requests: list[tuple[int, int]] = field(factory=list)
    totals: list[int] = field(factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    watched: set[str] | None = None
    """The ids that have been there since the rows of the first answer were read."""
    remembers: bool = False
    _states: list[tuple[Rows[Record], list[Record], list[Record]]] = field(factory=list)
    _created: int = 0
    _clock: int = 0

    def create(self, count: int = 1) -> None:
        """New records; those that share a key are in any order among themselves."""
        for _ in range(count):
            self._created += 1
            self._clock += self.random.random() >= self.ties
            late = self.random.random() < self.late
            key = max(0, self._clock - self.random.randrange(20)) if late else self._clock
            self._insert(Record(f"r{self._created}", key))

    def _insert(self, record: Record) -> None:
        at = bisect_right(self.records, record.key, key=lambda r: r.key)
        while at and self.records[at - 1].key == record.key and self.random.random() < 0.5:
            at -= 1
        self.records.insert(at, record)

    def update(self, index: int) -> None:
        """The record gets a later key than all others, or the latest there is."""
        old = self.records.pop(index)
        self._clock += self.random.random() >= self.ties
        key = max(self._clock, old.key + 1)
        self._clock = max(self._clock, key)
        self._insert(Record(old.id, key, old.version + 1))

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
            rows = self.snapshot(page, size)
            await self._turns()
        finally:
            self.in_flight -= 1
        return rows

    def snapshot(self, page: int, size: int) -> Rows[Record]:
        """One answer: count, then read the rows."""
        self.change(self)
        total = len(self.records)
        if self.random.random() < self.between:
            self.change(self)
        items = self._listed()[(page - 1) * size : page * size]
        if self.watched is None:  # from now on these must not be lost
            self.watched = {record.id for record in self.records}
        self.totals.append(total)
        rows = Rows(items, [r.id for r in items], [r.key for r in items], total)
        if self.remembers:
            self._states.append((rows, items, list(self.records)))
        return rows

    def at_last_answer(self) -> list[Record]:
        """All records as they were at the last answer that the walk used: it empties those."""
        return next(state for rows, items, state in self._states[::-1] if rows.items is not items)

    def _listed(self) -> list[Record]:
        listed = self.records
        if self.shuffled:
            listed = sorted(listed, key=lambda r: (r.key, self.random.random()))
        return listed if self.ascending else listed[::-1]

    async def _turns(self) -> None:
        for _ in range(self.random.randint(0, self.delay) if self.delay else 0):
            await asyncio.sleep(0)
