"""The promise, step by step: hypothesis decides when each answer is made and delivered."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from attrs import define
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from harbour_async._rows import Rows
from harbour_async.errors import IncompleteListingError
from harbour_async.pagination import Pager
from tests.pagination.world import Record, World


@define(eq=False)
class Pending:
    page: int
    size: int
    answer: asyncio.Future[Rows[Record]]
    rows: Rows[Record] | None = None


class Listing(RuleBasedStateMachine):
    """A reader that reads as fast as it is answered; hypothesis draws the rules for all else."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.pending: list[Pending] = []
        self.given: list[str] = []
        self.token: str | None = None
        self.gave_up = False

    @initialize(
        ascending=st.booleans(),
        count=st.integers(0, 25),
        size=st.integers(1, 5),
        concurrency=st.integers(1, 4),
        ties=st.sampled_from([0.0, 0.5, 1.0]),
        seed=st.integers(0, 1000),
    )
    def begin(
        self, ascending: bool, count: int, size: int, concurrency: int, ties: float, seed: int
    ) -> None:
        self.world = World(Random(seed), ascending=ascending, ties=ties)
        self.world.create(count)
        self.size, self.concurrency = size, concurrency
        self.start()

    def start(self) -> None:
        self.pager = Pager(
            self.fetch,
            listing="records",
            order="created_at ASC" if self.world.ascending else "created_at DESC",
            page_size=self.size,
            concurrency=self.concurrency,
            resume=self.token,
        )
        self.reader = self.loop.create_task(self.read())
        self.turn()

    async def fetch(self, page: int, size: int) -> Rows[Record]:
        pending = Pending(page, size, self.loop.create_future())
        self.pending.append(pending)
        try:
            return await pending.answer
        finally:
            self.pending.remove(pending)

    async def read(self) -> None:
        try:
            async for record in self.pager:
                self.given.append(record.id)
        except IncompleteListingError:
            self.gave_up = True

    def turn(self) -> None:
        for _ in range(6):
            self.loop.run_until_complete(asyncio.sleep(0))

    @rule(count=st.integers(1, 6))
    def create(self, count: int) -> None:
        self.world.create(count)

    @precondition(lambda self: self.world.records)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.world.delete(data.draw(st.integers(0, len(self.world.records) - 1)))

    @precondition(lambda self: self.world.records)
    @rule(count=st.integers(1, 8))
    def delete_in_front(self, count: int) -> None:
        for _ in range(min(count, len(self.world.records))):
            self.world.delete(0)

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def take_snapshot(self, data: st.DataObject) -> None:
        self.snapshot(data.draw(st.sampled_from(self.pending)))

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        pending = data.draw(st.sampled_from(self.pending))
        self.snapshot(pending)
        assert pending.rows is not None
        if not pending.answer.done():
            pending.answer.set_result(pending.rows)
        self.turn()

    @precondition(lambda self: not self.reader.done())
    @rule()
    def interrupt_and_resume(self) -> None:
        self.reader.cancel()
        self.turn()
        assert self.reader.done()
        assert not self.pending
        self.token = self.pager.resume_token
        self.start()

    def snapshot(self, pending: Pending) -> None:
        if pending.rows is None:
            pending.rows = self.world.snapshot(pending.page, pending.size)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.finish()
        finally:
            self.loop.close()

    def finish(self) -> None:
        while not self.reader.done():
            assert self.pending
            self.snapshot(self.pending[0])
            rows = self.pending[0].rows
            assert rows is not None
            self.pending[0].answer.set_result(rows)
            self.turn()
        self.reader.result()
        assert len(set(self.given)) == len(self.given)
        if not self.gave_up:
            assert self.pager.report.complete
            assert (self.world.watched or set()) <= set(self.given)


TestListing = pytest.mark.exhaustive(Listing.TestCase)
TestListing.settings = settings(max_examples=200, stateful_step_count=40)
