"""The budget of one process: lanes of waiters before a pace before a ledger."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self

from harbour_async.budget._alarm import Alarm
from harbour_async.budget._lanes import Lanes
from harbour_async.budget._ledger import Ledger, LocalLedger, Slot, UnlimitedLedger
from harbour_async.budget._pace import Pace
from harbour_async.budget._snapshot import BudgetSnapshot
from harbour_async.errors import ConfigurationError, DeadlineExceededError, SessionClosedError
from harbour_async.settings import Priority, RateLimit

DROUGHT = 5
"""Tokens: free slots are spread if it takes longer than this until the next one comes back."""

_TOO_LATE = "the request's turn does not come before its deadline"
_CLOSED = "the budget was closed"


class Budget:
    """Permission to send: at most ``limit.requests`` arrivals in any ``limit.per`` seconds.

    ::

        slot = await budget.acquire(Priority.BULK, deadline=loop.time() + 30)
        ...                 # one physical send
        slot.answered()     # or unsent(), or abandoned()

    The promise holds whatever the network's jitter, because a slot is free again only ``per``
    seconds after the answer came (guide: "Rate limits"). Share one object between the sessions
    of one key: ``HarbourSession(budget=shared)``. It belongs to the event loop that first uses
    it; use from another is a ``ConfigurationError``. Whoever made it closes it.

    ``connections`` is the size of the pool that the sends go through: while all of it is busy, no
    slot is spent on waiting for it.
    """

    def __init__(self, limit: RateLimit = RateLimit(), *, connections: int | None = None) -> None:
        if not isinstance(limit, RateLimit):
            raise ConfigurationError(f"a budget needs a RateLimit, not {limit!r}")
        self.limit = limit
        self._lanes = Lanes()
        self._pace = None if limit.requests is None else Pace(limit)
        self._ledger: Ledger = (
            UnlimitedLedger()
            if limit.requests is None
            else LocalLedger(limit.requests, limit.per, connections)
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatcher: asyncio.Task[None] | None = None
        self._newcomer = Alarm()
        self._last_grant = 0.0
        self._paused_until = -math.inf
        self._restart_due = False
        self._closed = False

    async def acquire(
        self, priority: Priority = Priority.INTERACTIVE, *, deadline: float | None = None
    ) -> Slot:
        """Wait for the right to send once.

        ``deadline`` is in the loop's time. ``DeadlineExceededError`` is raised at once, without
        taking a slot, if the turn lies beyond it even if all goes well, and when it passes while
        waiting. Cancelling leaves no trace. ``SessionClosedError`` after ``aclose()``.
        """
        loop = self._running_loop()
        now = loop.time()
        if self._closed:
            raise SessionClosedError(_CLOSED)
        if deadline is not None and now >= deadline:
            raise DeadlineExceededError(_TOO_LATE)
        if not self._lanes and now >= self._paused_until:
            slot = await self._take_at_once()
            if slot is not None:
                self._last_grant = now
                return slot
        if deadline is not None:
            self._refuse_if_hopeless(priority, deadline, now)
        return await self._wait(loop, priority, deadline)

    def pause(self, seconds: float) -> None:
        """Send nothing for ``seconds`` (a 429 said so); then go on at the pace, not in a burst.

        A pause is never shortened; nonsense (NaN, infinite, not above zero) is ignored.
        """
        if math.isfinite(seconds) and seconds > 0:
            self._pause_until(self._running_loop().time() + seconds)

    def _pause_until(self, when: float) -> None:
        if when > self._paused_until:
            self._paused_until = when
            self._restart_due = True
            for waiter in self._lanes.hopeless(when):
                self._expire(waiter)

    def snapshot(self) -> BudgetSnapshot:
        """How things stand now; costs no request and changes nothing."""
        if self._loop is None:
            return BudgetSnapshot(
                self.limit, 0, self.limit.requests, self._lanes.waiting(), 0.0, 0.0, 0.0
            )
        now = self._loop.time()
        used, free, next_free_at = self._ledger.outlook()
        next_free_in = None if next_free_at is None else max(0.0, next_free_at - now)
        return BudgetSnapshot(
            limit=self.limit,
            used=used,
            free=free,
            waiting=self._lanes.waiting(),
            next_free_in=next_free_in if free == 0 else 0.0,
            paused_for=max(0.0, self._paused_until - now),
            estimated_wait=self._earliest(Priority.INTERACTIVE, now) - now,
        )

    async def aclose(self) -> None:
        """Refuse everything from now on, to those who wait too. Closing twice is fine."""
        self._closed = True
        self._lanes.fail(SessionClosedError(_CLOSED))
        self._dismiss_dispatcher()
        await self._ledger.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # -- one loop ------------------------------------------------------------------------------

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._bind(loop)
        return loop

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None:
            raise ConfigurationError(
                "this budget belongs to another event loop; make one budget per loop, "
                "or share a RedisBudget's key between loops"
            )
        self._loop = loop
        self._ledger.bind(loop)

    # -- waiting -------------------------------------------------------------------------------

    async def _take_at_once(self) -> Slot | None:
        """A slot, if nothing at all stands in the way; never suspends."""
        await self._restart_after_pause()
        if self._pace is None:
            return self._ledger.take()
        if not self._pace.ready():
            return None
        slot = self._ledger.take()
        if slot is not None:
            await self._pace.hold()
            self._pace.spend()
        return slot

    async def _wait(
        self, loop: asyncio.AbstractEventLoop, priority: Priority, deadline: float | None
    ) -> Slot:
        waiter: asyncio.Future[Slot] = loop.create_future()
        timer = None if deadline is None else loop.call_at(deadline, self._expire, waiter)
        self._lanes.push(priority, waiter, deadline)
        self._call_dispatcher(loop, priority)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._forget(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _refuse_if_hopeless(self, priority: Priority, deadline: float, now: float) -> None:
        turn = self._earliest(priority, now)
        if turn > deadline:
            raise DeadlineExceededError(
                f"the request's turn comes in {turn - now:.1f} s at the earliest, its deadline in "
                f"{deadline - now:.1f} s ({len(self._lanes)} waiting, limit: "
                f"{self.limit.requests} per {self.limit.per:g} s)"
            )

    def _expire(self, waiter: asyncio.Future[Slot]) -> None:
        if not waiter.done():
            self._withdraw(waiter)
            waiter.set_exception(DeadlineExceededError(_TOO_LATE))

    def _forget(self, waiter: asyncio.Future[Slot]) -> None:
        """Undo a cancelled wait, also one that was granted in the very same tick."""
        self._withdraw(waiter)
        if waiter.cancelled() or waiter.exception() is not None:
            return
        waiter.result().unsent()
        if self._pace is not None:
            self._pace.give_back()
        if self._lanes:  # whose dispatcher may already be waiting for the next token
            self._dismiss_dispatcher()
            self._call_dispatcher(self._running_loop(), Priority.BULK)

    def _withdraw(self, waiter: asyncio.Future[Slot]) -> None:
        self._lanes.discard(waiter)
        if not self._lanes:
            self._dismiss_dispatcher()

    def _earliest(self, priority: Priority, now: float) -> float:
        """Loop time of the turn of one that comes now, if nobody before it gives up."""
        turn = self._lanes.ahead_of(priority) + 1
        start = max(now, self._paused_until)
        if self._pace is None:
            return start
        if self._restart_due:
            paced = start + (turn - 1) * self._pace.interval
        else:
            paced = now + self._pace.wait(turn)
        return max(start, paced, self._ledger.earliest(turn))

    # -- granting ------------------------------------------------------------------------------

    def _call_dispatcher(self, loop: asyncio.AbstractEventLoop, priority: Priority) -> None:
        if self._dispatcher is None:
            self._dispatcher = loop.create_task(self._dispatch(), name="harbour-budget")
        elif priority is Priority.INTERACTIVE:
            self._newcomer.ring()

    def _dismiss_dispatcher(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            self._dispatcher = None

    async def _dispatch(self) -> None:
        """Serve the waiters: lives as long as there are any, and wakes once a grant."""
        try:
            while self._lanes:
                await self._sit_out_pause()
                if self._pace is not None:
                    await self._pace.hold()
                    await self._spread(self._pace)
                self._grant(await self._reserve())
        except Exception as error:  # nobody may wait for a dispatcher that is gone
            self._lanes.fail(error)
        self._dispatcher = None

    async def _sit_out_pause(self) -> None:
        while (wait := self._paused_until - self._now()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(wait)  # ends at a time, which may have moved
        await self._restart_after_pause()

    async def _restart_after_pause(self) -> None:
        if self._restart_due:
            self._restart_due = False
            if self._pace is not None:
                earned = (self._now() - self._paused_until) / self._pace.interval
                await self._pace.restart(1 + earned)

    async def _spread(self, pace: Pace) -> None:
        """Let bulk leave something for the interactive calls of the next minute.

        A burst and the pace together use up the slots before the first of them comes back.
        Then everybody would wait for it, so bulk spreads what is left over that time instead.
        """
        spread = False
        while not self._lanes.waiting().interactive:
            _, free, next_free_at = self._ledger.outlook()
            now = self._now()
            if not free or next_free_at is None or next_free_at - now < DROUGHT * pace.interval:
                break
            until = self._last_grant + (next_free_at - self._last_grant) / (free + 1)
            if until <= now:
                break
            await self._newcomer.sleep(until)
            spread = True
        if spread:
            await pace.restart(1)

    async def _reserve(self) -> Slot:
        began = self._now()
        slot = await self._ledger.reserve()
        if self._pace is not None and self._now() - began > self._pace.interval:
            await self._pace.calm()
        return slot

    def _grant(self, slot: Slot) -> None:
        """Choose who gets it as late as possible, so that an interactive newcomer is in time."""
        now = self._now()
        waiter = None if now < self._paused_until else self._lanes.pop()
        if waiter is None:
            slot.unsent()
            return
        if self._pace is not None:
            self._pace.spend()
        self._last_grant = now
        waiter.set_result(slot)

    def _now(self) -> float:
        assert self._loop is not None
        return self._loop.time()
