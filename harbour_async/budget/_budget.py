"""The budget of one process, and what all budgets have in common."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeGuard

from harbour_async import _fork
from harbour_async.budget._binding import LoopBinding
from harbour_async.budget._dispatcher import Dispatcher
from harbour_async.budget._lanes import Lanes
from harbour_async.budget._ledger import Ledger, LocalLedger, UnlimitedLedger
from harbour_async.budget._pace import Pace
from harbour_async.budget._slot import Slot
from harbour_async.budget._snapshot import BudgetSnapshot
from harbour_async.errors import ConfigurationError, DeadlineExceededError, SessionClosedError
from harbour_async.settings import Priority, RateLimit, Seconds, seconds as as_seconds

MAX_PAUSE = 120.0
"""Seconds: no pause is longer, whatever a server's ``Retry-After`` says."""

_TOO_LATE = "the request's turn does not come before its deadline"
_CLOSED = "the budget was closed"


class Budget:
    """Permission to send: at most ``limit.requests`` arrivals in any ``limit.per`` seconds.

    ::

        slot = await budget.acquire(Priority.BULK, deadline=loop.time() + 30)
        ...                 # one physical send
        slot.answered()     # or unsent(), or abandoned()

    The promise holds whatever the network's jitter, because a slot is free again only ``per``
    seconds after the answer came (guide: "Rate limits"; docs/budget.md, "The promise"). Share one
    object between the sessions of one key: ``HarbourSession(budget=shared)``. A session does not
    close a budget that it was given.

    It belongs to one event loop at a time. When that loop is closed, the budget may be used in
    the next one and still counts what was sent before. Use in a second loop while the first is
    open is a ``ConfigurationError``. The first use of any budget in a forked child warns once
    (``RuntimeWarning``): each process has the whole limit then. A ``RedisBudget`` shares it.

    limit: how many requests in how many seconds; a RateLimit.
    connections: size of the connection pool that the sends use. While all connections are busy, no
        slot is taken.
    max_pause: seconds or a timedelta; the longest ``pause`` that is obeyed.
    ledger: keeps the slots; without one they are kept in this process.

    Raises ``ConfigurationError`` for arguments that cannot work.
    """

    def __init__(
        self,
        limit: RateLimit = RateLimit(),
        *,
        connections: int | None = None,
        max_pause: Seconds = MAX_PAUSE,
        ledger: Ledger | None = None,
    ) -> None:
        if not isinstance(limit, RateLimit):
            raise ConfigurationError(f"a budget needs a RateLimit, not {limit!r}")
        if ledger is not None and connections is not None:
            raise ConfigurationError("give connections or ledger: a ledger has its own connections")
        if ledger is not None and not hasattr(ledger, "reserve"):
            raise ConfigurationError(f"ledger must be a Ledger, not {ledger!r}")
        if connections is not None and (type(connections) is not int or connections < 1):
            raise ConfigurationError(
                f"connections must be a whole number above zero, not {connections!r}"
            )
        self.limit = limit
        self._max_pause = positive("max_pause", max_pause)
        self._ledger = _local_ledger(limit, connections) if ledger is None else ledger
        self._lanes = Lanes()
        pace = None if limit.requests is None else Pace(limit)
        self._dispatcher = Dispatcher(self._lanes, self._ledger, pace)
        self._binding = LoopBinding()
        self._closed = False  # set last: see __repr__

    async def acquire(
        self, priority: Priority = Priority.INTERACTIVE, *, deadline: float | None = None
    ) -> Slot:
        """Wait for the right to send once. Returns without suspending if a slot is free now.

        priority: the lane.
        deadline: in seconds of the loop's clock (``loop.time()``); None to wait without end.

        A call that is cancelled takes no slot. Raises ``DeadlineExceededError`` at once, without
        taking a slot, if the turn cannot come before the deadline, and when the deadline passes
        while waiting; ``SessionClosedError`` when the budget is closed, also while waiting;
        ``ConfigurationError`` in a second event loop, and for what is not a ``Priority``.
        """
        if self._closed:
            raise SessionClosedError(_CLOSED)
        if not isinstance(priority, Priority):
            raise ConfigurationError(f"priority must be a Priority, not {priority!r}")
        loop = self._enter()
        now = loop.time()
        if deadline is not None:
            if not _is_number(deadline) or math.isnan(deadline):
                raise ConfigurationError(f"deadline must be a time of the loop, not {deadline!r}")
            if now >= deadline:
                raise DeadlineExceededError(_TOO_LATE)
        slot = self._dispatcher.take_at_once(now)
        if slot is not None:
            return slot
        if deadline is not None:
            self._refuse_if_hopeless(priority, deadline, now)
        return await self._wait(loop, priority, deadline)

    def pause(self, seconds: Seconds) -> None:
        """Send nothing for ``seconds``, as after a 429; then go on at the pace, not in a burst.

        A pause lasts ``max_pause`` at most, and is never shortened. NaN, infinity and numbers that
        are not above zero are ignored. Raises ``ConfigurationError`` for what is not a duration.
        """
        wanted = as_seconds(seconds)
        if not _is_number(wanted):
            raise ConfigurationError(f"a pause is a number of seconds, not {seconds!r}")
        if not self._closed and math.isfinite(wanted) and wanted > 0:
            allowed = min(wanted, self._max_pause)
            self._pause_until(self._enter().time() + allowed)
            self._ledger.pause(allowed)

    def snapshot(self) -> BudgetSnapshot:
        """The state of the budget now. Takes no request and changes nothing."""
        loop = self._binding.loop
        if loop is None:
            return BudgetSnapshot(
                self.limit, 0, self.limit.requests, self._lanes.waiting(), 0.0, 0.0, 0.0
            )
        now = loop.time()
        used, free, next_free_at = self._ledger.outlook()
        next_free_in = None if next_free_at is None else max(0.0, next_free_at - now)
        return BudgetSnapshot(
            limit=self.limit,
            used=used,
            free=free,
            waiting=self._lanes.waiting(),
            next_free_in=next_free_in if free == 0 else 0.0,
            paused_for=self._dispatcher.paused_for(),
            estimated_wait=self._dispatcher.earliest(Priority.INTERACTIVE, now) - now,
        )

    def recent(self) -> list[float]:
        """The ages in seconds of all sends that still count, the oldest first.

        A send is as old as its answer; one in flight is 0.0. Keep the list with a checkpoint, and
        give it to ``remember`` in the process that goes on after a crash. Always empty without a
        limit, and for a ``RedisBudget``: Redis keeps them.
        """
        return [] if self._binding.loop is None else self._ledger.recent()

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """Count sends that an earlier process made, ``seconds_ago`` each.

        Add the time that has passed since ``recent()`` was asked. Each takes a slot until
        ``limit.per`` seconds have passed since the send. Call it once, in the event loop that will
        use the budget. Does nothing without a limit, and for a ``RedisBudget``.

        Raises ``ConfigurationError`` for an entry that is not a number of seconds of at least 0.
        """
        ages = [_age(value) for value in seconds_ago]
        self._enter()
        self._ledger.remember(ages)
        self._dispatcher.replay()
        if self._lanes:
            self._dispatcher.restart()

    async def aclose(self) -> None:
        """Refuse all calls from now on, those that wait too. Closing twice is fine."""
        if not self._closed and self._binding.loop is not None:
            self._enter()  # the waiters of a closed loop cannot be woken
        self._closed = True
        self._lanes.fail(SessionClosedError(_CLOSED))
        await self._dispatcher.aclose()
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

    def __repr__(self) -> str:
        if not hasattr(self, "_closed"):  # an argument was refused, and a traceback shows this
            return f"<{type(self).__name__}, not made>"
        return f"<{type(self).__name__} {self._described()}>"

    def _described(self) -> str:
        rate = self._rate()
        if self._closed:
            return f"{rate}, closed"
        now = self.snapshot()
        pause = f", paused for {now.paused_for:.1f} s" if now.paused_for else ""
        return f"{rate}, {now.used} used, {sum(now.waiting)} waiting{pause}"

    def _rate(self) -> str:
        limit = self.limit
        return "unlimited" if limit.requests is None else f"{limit.requests} per {limit.per:g} s"

    # -- one loop, one process -----------------------------------------------------------------

    def _enter(self) -> asyncio.AbstractEventLoop:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError("a budget is used inside a running event loop") from None
        if not self._binding.holds_for(loop):
            self._move(loop)
        return loop

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        shift = self._binding.bind(loop)
        self._lanes.clear()
        # The dispatcher asks the ledger what was sent, so the ledger moves first.
        self._ledger.bind(loop, shift, self._pause_until)
        self._dispatcher.bind(loop, shift)
        if self._ledger.per_process:
            _fork.warn_in_child()

    # -- waiting -------------------------------------------------------------------------------

    async def _wait(
        self, loop: asyncio.AbstractEventLoop, priority: Priority, deadline: float | None
    ) -> Slot:
        waiter: asyncio.Future[Slot] = loop.create_future()
        # Not `asyncio.timeout`: that cancels the task, perhaps in the very tick of the grant. A
        # timer that finds the waiter granted does nothing.
        timer = None if deadline is None else loop.call_at(deadline, self._expire, waiter)
        # In line first: the dispatcher ends when it finds that nobody waits.
        self._lanes.push(priority, waiter, deadline)
        self._dispatcher.start(priority)
        try:
            return await waiter
        except BaseException:  # also GeneratorExit, of a coroutine that is dropped
            if not loop.is_closed():
                self._forget(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _forget(self, waiter: asyncio.Future[Slot]) -> None:
        """Undo a wait that was cancelled, also one that was granted in the very same tick."""
        self._withdraw(waiter)
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            waiter.result().unsent()

    def _withdraw(self, waiter: asyncio.Future[Slot]) -> None:
        self._lanes.discard(waiter)
        if not self._lanes:
            self._dispatcher.stop()

    def _expire(self, waiter: asyncio.Future[Slot]) -> None:
        if not waiter.done():
            self._withdraw(waiter)
            waiter.set_exception(DeadlineExceededError(_TOO_LATE))

    def _pause_until(self, when: float) -> None:
        if self._dispatcher.pause_until(when):
            for waiter in self._lanes.hopeless(when):
                self._expire(waiter)

    def _refuse_if_hopeless(self, priority: Priority, deadline: float, now: float) -> None:
        turn = self._dispatcher.earliest(priority, now)
        if turn > deadline:
            raise DeadlineExceededError(
                f"the request's turn comes in {turn - now:.1f} s at the earliest, its deadline in "
                f"{deadline - now:.1f} s ({len(self._lanes)} waiting, limit: {self._rate()})"
            )


def _local_ledger(limit: RateLimit, connections: int | None) -> Ledger:
    if limit.requests is None:
        return UnlimitedLedger()
    return LocalLedger(limit.requests, limit.per, connections)


def positive(name: str, value: Seconds) -> float:
    """``value`` in seconds. Raises ConfigurationError unless it is finite and above zero."""
    number = as_seconds(value)
    if not _is_number(number) or not math.isfinite(number) or number <= 0:
        raise ConfigurationError(f"{name} must be a finite number above zero, not {value!r}")
    return number


def _age(value: float) -> float:
    if not _is_number(value) or not value >= 0:
        raise ConfigurationError(f"seconds_ago holds numbers of at least 0, not {value!r}")
    return float(value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
