"""One schedule: a listing, its changes, and how it is read, all drawn from one seed."""

from __future__ import annotations

import asyncio
from random import Random

from attrs import define, field

from harbour_async._rows import Rows
from harbour_async.errors import APIConnectionError, IncompleteListingError
from harbour_async.pagination import Pager, PagingReport
from tests.pagination.world import Record, World

KINDS = ("quiet", "created", "deleted", "both", "bursts", "front", "wild")


@define
class Outcome:
    """What one reader received, over all parts of an interrupted walk."""

    records: list[Record] = field(factory=list)
    reports: list[PagingReport] = field(factory=list)
    incomplete: str | None = None


class Schedule:
    """``seed`` decides everything: sizes, order, changes, cuts, and the order of the answers."""

    def __init__(self, seed: int) -> None:
        r = self.random = Random(seed)
        self.kind = r.choice(KINDS)
        self.rate = r.choice([0.2, 1, 3])
        self.page_size = r.randint(1, 8)
        self.concurrency = r.choice([1, 2, 4, 9])
        self.cuts = r.choice([0, 0, 1, 2, 5])
        self.delete_each = r.choice([0, 0, 0, 1, 3])
        self.world = World(
            r,
            ascending=r.random() < 0.5,
            delay=r.choice([0, 0, 1, 2, 5]),
            ties=r.choice([0, 0, 0.3, 0.8, 1]),
            between=r.choice([0, 0.125, 0.5, 1]),
            late=r.choice([0, 0, 0.3]),
            shuffled=r.random() < 0.3,
            change=self.change,
        )
        self.world.create(r.choice([0, 1, r.randrange(10), r.randrange(40), r.randrange(120)]))

    def change(self, world: World) -> None:
        r = self.random
        count = int(self.rate * r.random() * 2 + r.random())
        if len(world.records) > 1500:
            count = 0  # endless growth tests nothing more, and takes long
        match self.kind:
            case "created":
                world.create(count)
            case "deleted":
                world.churn(count, 0)
            case "both":
                world.churn(count, count)
            case "bursts" if r.random() < 0.1:
                world.churn(r.randrange(1 + len(world.records)), r.randrange(20))
            case "front":
                for _ in range(min(count, len(world.records))):
                    world.delete(0)
                world.create(r.randrange(2))
            case "wild":
                reach = r.choice([1, 3, 1000])
                for _ in range(min(count, len(world.records))):
                    world.delete(r.randrange(min(len(world.records), reach)))
                world.create(r.choice([0, 0, count]))

    async def fetch(self, page: int, size: int) -> Rows[Record]:
        return await self.world.fetch(page, size)

    async def run(self) -> Outcome:
        outcome = Outcome()
        token = None
        while True:
            pager = self._pager(token)
            finished = await self._part(pager, outcome)
            outcome.reports.append(pager.report)
            await self._nothing_left_behind()
            if finished:
                return outcome
            token = pager.resume_token
            self.cuts -= 1
            for _ in range(self.random.choice([0, 0, 1, 5])):
                self.change(self.world)

    def _pager(self, token: str | None) -> Pager[Record]:
        r = self.random
        return Pager(
            self.fetch,
            listing="records",
            order="created_at ASC" if self.world.ascending else "created_at DESC",
            page_size=self.page_size,
            concurrency=self.concurrency,
            max_items=r.randint(1, 30) if self.cuts and r.random() < 0.2 else None,
            resume=token,
        )

    async def _part(self, pager: Pager[Record], outcome: Outcome) -> bool:
        """Read until the end, or until cut off; True if the end was reached."""
        r = self.random
        cut = r.randint(1, 30) if self.cuts else None
        given = 0
        try:
            async for record in pager:
                outcome.records.append(record)
                given += 1
                if self.delete_each and given % self.delete_each == 0:
                    self.world.delete_id(record.id)
                if r.random() < 0.1:
                    self.change(self.world)
                if given == cut:
                    return False
        except IncompleteListingError as error:
            outcome.incomplete = error.report.reason if error.resume_token else None
            return True
        return pager.report.complete or pager.report.reason != "stopped at max_items"

    async def _nothing_left_behind(self) -> None:
        sent = len(self.world.requests)
        for _ in range(3):
            await asyncio.sleep(0)
        assert self.world.in_flight == 0
        assert len(self.world.requests) == sent

    def check(self, outcome: Outcome) -> None:
        """Check that the promise was kept."""
        ids = [record.id for record in outcome.records]
        # A token cannot carry all ids, so a part that goes on without a proof may repeat some.
        resumed_unproved = outcome.incomplete is not None and len(outcome.reports) > 1
        assert resumed_unproved or len(set(ids)) == len(ids), "no id twice"
        assert sum(report.requests for report in outcome.reports) == len(self.world.requests)
        assert sum(report.yielded for report in outcome.reports) == len(ids)
        if outcome.incomplete is not None:
            return
        assert outcome.reports[-1].complete
        lost = (self.world.watched or set()) - set(ids)
        assert not lost, "every record that existed throughout"
        keys = [record.key for record in outcome.records]
        assert keys == sorted(keys, reverse=not self.world.ascending)


class Troubled(Schedule):
    """Requests fail, before they are answered or after; and several tasks read one iterator."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.trouble = Random(seed + 1)
        self.failures = self.trouble.choice([0, 1, 8])
        self.readers = self.trouble.choice([1, 3])
        self.cuts = self.delete_each = 0

    async def fetch(self, page: int, size: int) -> Rows[Record]:
        if self._fails():
            self.world.requests.append((page, size))
            raise APIConnectionError("not sent")
        rows = await super().fetch(page, size)
        if self._fails():
            raise APIConnectionError("answer lost")
        return rows

    def _fails(self) -> bool:
        fails = self.failures > 0 and self.trouble.random() < 0.05
        self.failures -= fails
        return fails

    async def _part(self, pager: Pager[Record], outcome: Outcome) -> bool:
        iterator = aiter(pager)

        async def read() -> None:
            async for record in iterator:
                outcome.records.append(record)
                if self.trouble.random() < 0.1:
                    self.change(self.world)
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read()) for _ in range(self.readers)]
        await asyncio.wait(readers)
        errors = [reader.exception() for reader in readers]
        if any(isinstance(error, APIConnectionError) for error in errors):
            return False
        for error in filter(None, errors):
            assert isinstance(error, IncompleteListingError)
            outcome.incomplete = error.report.reason
        return pager.report.reason != "stopped at max_items"

    def check(self, outcome: Outcome) -> None:
        if outcome.incomplete is None:  # otherwise a token cannot hold all ids that were yielded
            super().check(outcome)


class Updates(Schedule):
    """A walk of changes, in a list ordered by the moment of the last update."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.world.ascending = True
        self.world.late = 0
        self.world.remembers = True
        self.updates = self.random.choice([0, 0.5, 2])
        self.since = (
            self.random.randint(0, max(1, self.world.records[-1].key + 1))
            if (self.world.records)
            else 0
        )
        self.delete_each = 0

    def change(self, world: World) -> None:
        super().change(world)
        for _ in range(int(self.updates + self.random.random())):
            if world.records:
                reach = self.random.choice([3, 1000])
                world.update(self.random.randrange(min(reach, len(world.records))))

    def _pager(self, token: str | None) -> Pager[Record]:
        r = self.random
        return Pager(
            self.fetch,
            listing="changes",
            order="updated_at ASC",
            page_size=self.page_size,
            concurrency=self.concurrency,
            max_items=r.randint(1, 30) if self.cuts and r.random() < 0.2 else None,
            since=self.since,
            resume=token,
            lookback=r.choice([0, 0, 3]),
        )

    def check(self, outcome: Outcome) -> None:
        if outcome.incomplete is not None:
            return
        assert outcome.reports[-1].complete
        given = {(record.id, record.version) for record in outcome.records}
        lost = [r for r in self.world.at_last_answer() if r.key >= self.since]
        lost = [r for r in lost if (r.id, r.version) not in given]
        assert not lost, "the last version of every record that was updated"


async def run(seed: int, kind: type[Schedule] = Schedule) -> Outcome:
    schedule = kind(seed)
    try:
        async with asyncio.timeout(120):
            outcome = await schedule.run()
        schedule.check(outcome)
    except BaseException as error:
        error.add_note(f"tests.pagination.schedules.run({seed}, {kind.__name__})")
        raise
    return outcome
