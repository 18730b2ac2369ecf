"""One walk: sends what its plan proposes, and hands out batches of new records."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from attrs import frozen

from harbour_async._report import PagingReport
from harbour_async._rows import Rows
from harbour_async.errors import HarbourError, IncompleteListingError
from harbour_async.pagination import _token
from harbour_async.pagination._answer import Answer, picked
from harbour_async.pagination._flight import Fetch, Flight, Request
from harbour_async.pagination._plan import Plan, Use, Verdict
from harbour_async.pagination._scan import Scan
from harbour_async.pagination._windows import Window, aligned, patience

T = TypeVar("T")


@frozen
class Options(Generic[T]):
    listing: str
    order: str | None
    page_size: int
    max_items: int | None
    concurrency: int
    until: Callable[[T], bool] | None
    owes_proof: bool


class Walk(Generic[T]):
    """Call ``step`` until it answers False, and take what it puts into ``left`` from its end.

    A record is given when it is taken, and nothing here holds on to it then: what a reader has
    done with is freed before the next is made.
    """

    def __init__(self, fetch: Fetch[T], plan: Plan, options: Options[T]) -> None:
        self.left: list[T] = []
        self.window = Window(1, options.page_size)
        self.total = 0
        self._flight = Flight(fetch)
        self._plan = plan
        self._options = options
        self._batch: Sequence[str | None] = []
        self._committed = 0
        self._yielded = 0
        self._pages = 0
        self._dropped = 0
        self._first_total: int | None = None
        self._stopped: str | None = None
        self._broken = False
        self._turn = asyncio.Lock()
        # Should the server break its order, no id may be given again. Eight bytes a record.
        self._fingerprints = array("q")

    @property
    def token(self) -> str:
        self._commit()
        return _token.pack(self._options.listing, self._options.order, self._plan.state())

    @property
    def report(self) -> PagingReport:
        ended = self._plan.done and not self.left and not self._stopped
        complete = ended and self._plan.proved
        reason = self._stopped or self._plan.reason or "not finished"
        return PagingReport(
            requests=self._flight.sent,
            pages=self._pages,
            yielded=self._yielded + self._given,
            duplicates_dropped=self._dropped,
            gaps_repaired=self._plan.repaired,
            total_first=self._first_total,
            total_last=None if self._first_total is None else self.total,
            complete=complete,
            reason=None if complete else reason,
        )

    async def step(self) -> bool:
        """Whether there is a next batch; raises what fetch raised, or IncompleteListingError.

        Tasks may share a walk: they take turns, and whatever one of them could not finish because
        it failed or was cancelled is an IncompleteListingError to the others, not the end.
        """
        async with self._turn:
            return bool(self.left) or await self._step()

    async def _step(self) -> bool:
        try:
            while self._goes_on():
                self._send()
                self._accept(*await self._flight.receive())
                if self.left:
                    self._send()
                    return True
            await self._flight.close()
            self._finish()
        except BaseException as error:
            self._broken |= self._stopped is None  # else it was left, or had enough
            await self.close(f"ended by {type(error).__name__}")
            if isinstance(error, HarbourError):
                error.resume_token = self.token
            raise
        return False

    def stop(self, reason: str = "left early") -> None:
        """Nothing is sent any more after this."""
        if self.left or not self._plan.done:
            self._stopped = self._stopped or reason
        self._flight.drop()

    async def close(self, reason: str = "left early") -> None:
        """Nothing is sent any more, and nothing is left behind."""
        self.stop(reason)
        await self._flight.close()

    @property
    def _given(self) -> int:
        """How many of the batch."""
        return len(self._batch) - len(self.left)

    def _goes_on(self) -> bool:
        self._commit()
        self._yielded += self._given
        self._committed = 0
        self._batch = []
        if self._yielded == self._options.max_items and not self._plan.done:
            self._stopped = self._stopped or "stopped at max_items"
        return not (self._plan.done or self._stopped)

    def _commit(self) -> None:
        """Tell the plan what has been given by now."""
        given = self._given
        self._plan.commit(given - self._committed)
        if self._plan.reason is None:
            news = self._batch[self._committed : given]
            self._fingerprints.extend(array("q", list(map(hash, news))))
        self._committed = given

    def _send(self) -> None:
        while len(self._flight) < self._depth():
            window = self._plan.propose(self._flight.last)
            if window is None:
                return
            self._flight.send(window)

    def _depth(self) -> int:
        """How many requests may be on their way."""
        if self._first_total is None:
            return 1
        depth = self._options.concurrency if self._plan.wide else 1
        if self._options.max_items is not None:
            missing = self._options.max_items - self._yielded - len(self._batch)
            depth = min(depth, math.ceil(missing / self._options.page_size))
        return 0 if self._plan.done or self._stopped else depth

    def _accept(self, request: Request, rows: Rows[T]) -> None:
        answer = self._read(request, rows)
        verdict = self._plan.take(answer)
        if self._plan.reason and not isinstance(self._plan, Scan):
            verdict = self._fall_back(answer)
        if verdict.astray:
            self._flight.drop()
        if verdict.use is Use.LATER:
            self._flight.keep(request, rows)
        if verdict.use is Use.AGAIN:
            self._flight.put_back(request, rows)
        if verdict.first:
            self._flight.send(verdict.first, first=True)
        items = self._limited(picked(rows.items, verdict.fresh))
        self._batch = picked(rows.ids, verdict.fresh[: len(items)])
        self._pages += bool(items)
        self.left.extend(reversed(items))
        self.window = request.window
        if verdict.use is Use.SPENT:
            self._dropped += len(rows.items) - len(verdict.fresh)
            rows.items = []  # the event loop still has the task, and so these rows

    def _read(self, request: Request, rows: Rows[T]) -> Answer:
        self.total = rows.total
        if self._first_total is None:
            self._first_total = rows.total
        keys = rows.keys
        if self._options.order and self._options.order.endswith("DESC"):
            keys = [None if key is None else -key for key in keys]
        return Answer(request, rows.ids, keys, rows.total, self._flight.upcoming)

    def _fall_back(self, answer: Answer) -> Verdict:
        """Nothing can be proved any more: read all pages, and give what was not given yet."""
        reason, seen, start = self._plan.reason or "", self._fingerprints, self._plan.start
        size, total = self._options.page_size, self._first_total or 0
        limit = patience(total, size)
        passed = self._plan.passed
        self._plan = Scan(size, reason, seen=seen, start=start, passed=passed, patience=limit)
        from_start = answer.request.window == aligned(0, self._options.page_size)
        fresh = self._plan.take(answer).fresh if from_start else ()
        return Verdict(fresh, astray=True)

    def _limited(self, items: Sequence[T]) -> Sequence[T]:
        """What of a batch is within ``max_items`` and before ``until``."""
        allowed = len(items)
        if self._options.max_items is not None:
            allowed = min(allowed, self._options.max_items - self._yielded)
        if allowed < len(items):
            self._stopped = "stopped at max_items"
        if self._options.until is not None:
            for i, item in enumerate(items[:allowed]):
                if self._options.until(item):
                    self._stopped = "stopped at the first record that was no longer wanted"
                    return items[:i]
        return items[:allowed]

    def _finish(self) -> None:
        if self._broken and self._stopped:
            message = f"the listing was not read to its end: {self._stopped}"
            raise IncompleteListingError(message, report=self.report)
        if self._options.owes_proof and not self._stopped and not self._plan.proved:
            message = f"the listing was read to its end, but is not proved: {self._plan.reason}"
            raise IncompleteListingError(message, report=self.report)
