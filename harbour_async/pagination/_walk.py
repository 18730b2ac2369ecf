"""One walk: sends what its plan proposes, and hands out batches of new records."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Generic, NamedTuple, TypeVar

from harbour_async._report import PagingReport
from harbour_async._rows import Rows, picked
from harbour_async.errors import DecodeError, HarbourError, IncompleteListingError, RequestInfo
from harbour_async.models import InvalidRecord
from harbour_async.pagination import _token
from harbour_async.pagination._batch import Batch, OnInvalid
from harbour_async.pagination._overlap import Overlap
from harbour_async.pagination._plan import Decision, Plan
from harbour_async.pagination._prefetch import Fetch, Fetched, Prefetcher
from harbour_async.pagination._scan import Scan
from harbour_async.pagination._snapshot import Snapshot
from harbour_async.pagination._window import Window, aligned

T = TypeVar("T")

AT_MAX_ITEMS = "stopped at max_items"


class Source(NamedTuple):
    """Where a listing comes from: its records' class, whose requests count, and which they are."""

    record: type[Any]
    budget: Any
    request: RequestInfo


class WalkOptions(NamedTuple):
    """What a pager was asked for."""

    listing: str
    order: str | None
    page_size: int
    max_items: int | None
    concurrency: int
    on_invalid: OnInvalid
    proof: bool
    source: Source | None = None

    @property
    def descending(self) -> bool:
        return self.order is not None and self.order.endswith("DESC")


class Walk(Generic[T]):
    """Call ``step`` until it answers False, and take what it puts into ``batch.left`` from its end.

    Tasks may share a walk: they take turns.
    """

    def __init__(self, fetch: Fetch[T], plan: Plan, options: WalkOptions) -> None:
        self.batch: Batch[T] = Batch(())
        self.window: Window = Window(1, options.page_size)
        self.total: int = 0
        self._prefetcher = Prefetcher(fetch)
        self._plan = plan
        self._options = options
        self._yielded = self._invalid = self._pages = self._dropped = 0
        self._first_total: int | None = None
        self._stopped: str | None = None
        self._broken = False  # ended by an error, which the other tasks of the walk do not see
        self._turn = asyncio.Lock()

    @property
    def token(self) -> str:
        state = self._plan.state(self.batch.passed)
        return _token.pack(self._options.listing, self._options.order, state)

    @property
    def sound(self) -> bool:
        """Whether the proof has not been lost so far."""
        return self._plan.reason is None

    @property
    def report(self) -> PagingReport:
        ended = self._plan.done and not self.batch.left and not self._stopped
        complete = ended and self._plan.reason is None
        reason = self._stopped or self._plan.reason or "not finished"
        return PagingReport(
            requests=self._prefetcher.sent,
            pages=self._pages,
            yielded=self._yielded + self.batch.given,
            invalid=self._invalid + self.batch.invalid,
            duplicates_dropped=self._dropped,
            gaps_repaired=self._plan.repaired,
            total_first=self._first_total,
            total_last=None if self._first_total is None else self.total,
            complete=complete,
            reason=None if complete else reason,
            assumed=self._plan.assumed,
        )

    async def step(self) -> bool:
        """Whether there is a next batch; raises what fetch raised, or IncompleteListingError.

        If a step of one task fails or is cancelled, the others get an IncompleteListingError
        and not the end.
        """
        async with self._turn:
            return bool(self.batch.left) or await self._step()

    async def _step(self) -> bool:
        try:
            while self._goes_on():
                self._send()
                fetched = await self._prefetcher.receive()
                if fetched:
                    self._accept(fetched)
                if self.batch.left:
                    self._send()
                    return True
            await self._prefetcher.close()
            self._finish()
        except BaseException as error:
            # Other tasks that share the walk must not take the error for its end. If the walk had
            # been stopped before, that was on purpose.
            self._broken |= self._stopped is None
            await self.close(f"ended by {type(error).__name__}")
            if isinstance(error, HarbourError):
                error.resume_token = self.token
            if isinstance(error, DecodeError):
                error.__traceback__ = None  # its frames hold records
            raise
        return False

    def stop(self, reason: str = "left early") -> None:
        """Nothing is sent any more after this."""
        # It is called when an iterator is deleted, so it must not wait for anything.
        if self.batch.left or not self._plan.done:
            self._stopped = self._stopped or reason
        self._prefetcher.drop()

    async def close(self, reason: str = "left early") -> None:
        """Nothing is sent any more, and nothing is left behind."""
        self.stop(reason)
        await self._prefetcher.close()

    def _goes_on(self) -> bool:
        if self.batch.error:
            raise self.batch.error
        given = self._yielded + self.batch.given
        if given == self._options.max_items and not self._plan.done:
            self._stopped = self._stopped or AT_MAX_ITEMS
        return not (self._plan.done or self._stopped)

    def _send(self) -> None:
        while len(self._prefetcher) < self._depth():
            window = self._plan.propose(self._prefetcher.last)
            if window is None:
                return
            self._prefetcher.send(window)

    def _depth(self) -> int:
        """How many requests may be on their way."""
        if self._plan.done or self._stopped:
            return 0
        if self._first_total is None:
            return 1  # how much there is to prefetch is not known yet
        depth = min(self._options.concurrency, self._plan.depth)
        if self._options.max_items is not None:
            missing = self._options.max_items - self._yielded - self.batch.count
            depth = min(depth, math.ceil(missing / self._options.page_size))
        return depth

    def _accept(self, fetched: Fetched[T]) -> None:
        rows = fetched.rows
        if self._options.on_invalid == "raise":
            _refuse_unplaced(rows)
        self.window, self.total = fetched.window, rows.total
        if self._first_total is None:
            self._first_total = rows.total
        snapshot = Snapshot.of(fetched, descending=self._options.descending)
        # All records of the previous snapshot have been given by now, so the plan's cursor stands
        # where the reader does.
        decision = self._plan.take(snapshot)
        if isinstance(self._plan, Overlap) and self._plan.reason and not self._plan.done:
            decision = self._fall_back(self._plan, snapshot)
        if decision.drop:
            self._prefetcher.drop()
        if decision.again:
            self._prefetcher.put_back(fetched)
        if decision.first:
            self._prefetcher.send(decision.first, first=True)
        self._hand_out(decision, rows)
        if not decision.again:
            self._dropped += len(rows.items) - len(decision.rows)
            rows.items = []  # the event loop still has the task, and so these rows

    def _hand_out(self, decision: Decision, rows: Rows[T]) -> None:
        self._yielded += self.batch.given
        self._invalid += self.batch.invalid
        most = self._options.max_items
        if most is not None:
            most -= self._yielded
        chosen = picked(rows.items, decision.rows)
        self.batch = Batch(chosen, most, self._options.on_invalid, invalid=rows.invalid)
        if self.batch.rows < len(chosen) and not self.batch.error:
            self._stopped = AT_MAX_ITEMS
        self._pages += bool(self.batch.count)

    def _fall_back(self, lost: Overlap, snapshot: Snapshot) -> Decision:
        """Nothing can be proved any more: read all pages, and give what was not given yet."""
        self._plan = Scan(
            self._options.page_size,
            lost.reason or "",
            seen=lost.fingerprints,
            start=lost.start,
            passed=lost.cursor,
            identity=lost.identity,
        )
        # What shows the first page already need not be asked for again.
        first_page = snapshot.window == aligned(0, self._options.page_size)
        rows = self._plan.take(snapshot).rows if first_page else ()
        return Decision(rows, drop=True)

    def _finish(self) -> None:
        if self._broken and self._stopped:
            message = f"the listing was not read to its end: {self._stopped}"
        elif self._plan.gave_up and not self._stopped:
            message = f"the listing was not read to its end: {self._plan.reason}"
        elif self._options.proof and self._plan.reason and not self._stopped:
            message = f"the listing was read to its end, but is not proved: {self._plan.reason}"
        else:
            return
        error = IncompleteListingError(message, report=self.report)
        if self._options.source:
            error.request = self._options.source.request
        raise error


def _refuse_unplaced(rows: Rows[Any]) -> None:
    """Raise for an invalid record whose place cannot be told, so that the proof is not lost first.

    Others are refused when their turn comes, after what stands before them.
    """
    if rows.invalid:
        for item, record_id, key in zip(rows.items, rows.ids, rows.keys, strict=True):
            if isinstance(item, InvalidRecord) and (record_id is None or key is None):
                raise item.error
