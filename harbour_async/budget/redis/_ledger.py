"""The ledger that many processes share: slots are taken and settled in Redis."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Coroutine, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeVar

from harbour_async.budget._alarm import Alarm
from harbour_async.budget._ledger import MIN_TRANSIT, OnPause, Outlook, guarded
from harbour_async.budget._slot import Slot
from harbour_async.budget.redis._store import RedisStore, Reply
from harbour_async.errors import HarbourError
from harbour_async.settings import RateLimit

T = TypeVar("T")

JITTER = 0.01
"""Seconds by which processes waiting for the same slot miss each other, at most."""


class RedisLedger:
    """Slots of ``store``; see ``LocalLedger`` for the promise.

    A slot is leased for ``attempt`` seconds, the longest that a send may take, plus the time for
    which it is kept after an answer. A slot that is never settled in Redis, because Redis is
    unavailable or the holder crashed, ends with its lease: later than necessary, never too early.
    """

    per_process = False

    def __init__(
        self, store: RedisStore, limit: RateLimit, *, attempt: float, max_pause: float
    ) -> None:
        assert limit.requests is not None
        self._store = store
        self._requests = limit.requests
        self._per = guarded(limit.per)
        self.lease: float = attempt + MIN_TRANSIT + self._per
        self._max_pause = max_pause
        self._jitter = min(JITTER, limit.per / limit.requests / 4)
        self._slowest = MIN_TRANSIT
        self._used = 0
        self._next_free_at: float | None = None
        self._returns = 0
        self._returned = Alarm()
        self._settled: list[tuple[str, float]] = []
        self._settling = self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def bind(self, loop: asyncio.AbstractEventLoop, shift: float, on_pause: OnPause) -> None:
        self._loop = loop
        self._time = loop.time
        self._on_pause = on_pause
        if self._next_free_at is not None:
            self._next_free_at += shift
        # Tasks of the last loop never run again. Slots that they did not settle end with their
        # lease; those that were settled after the loop was closed wait in `_settled`.
        self._returned = Alarm()
        self._tasks = set()
        self._settling = False
        # A forked child has its parent's counter. The same name would share the parent's slot.
        process = secrets.token_hex(8)
        self._names = (f"{process}-{number}" for number in count())
        self._store.connect()
        self._start_settling()

    def take(self) -> Slot | None:
        return None  # Redis has to be asked, and that takes a while

    async def reserve(self) -> Slot:
        while True:
            name = next(self._names)
            returns = self._returns
            reply = await self._ask(name)
            now = self._time()
            if reply.granted:
                return Slot(self, now, name)
            if reply.paused:
                self._on_pause(now + reply.paused)
            if returns != self._returns:
                continue  # given back while Redis was being asked
            # With everything in flight, nothing can be free before `per` seconds from now.
            wait = self._per if reply.next_free is None else reply.next_free
            wait = max(reply.paused, wait if reply.used >= self._requests else 0.0)
            await self._returned.sleep(now + wait + random.uniform(0.001, 0.001 + self._jitter))

    async def _ask(self, name: str) -> Reply:
        asking = self._in_background(
            self._store.take(
                name, requests=self._requests, lease=self.lease, max_pause=self._max_pause
            )
        )
        try:
            # A command on its way cannot be recalled. If this call is cancelled meanwhile, the
            # command still runs, and the slot that it took is given back.
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(partial(self._give_back, name))
            raise
        except HarbourError:
            self._settle(name, 0.0)  # perhaps only the answer was lost
            raise
        self._used = reply.used
        self._next_free_at = None if reply.next_free is None else self._time() + reply.next_free
        return reply

    def _give_back(self, name: str, asking: asyncio.Task[Reply]) -> None:
        if not asking.cancelled():
            asking.exception()  # marks it as seen
        self._settle(name, 0.0)

    def earliest(self, turn: int) -> float:
        first = self._time()
        if self._used >= self._requests and self._next_free_at is not None:
            first = max(first, self._next_free_at)
        return first + (turn - 1) // self._requests * self._per

    def outlook(self) -> Outlook:
        """The slots as of the last answer from Redis; other processes may have gone on since."""
        return Outlook(self._used, max(0, self._requests - self._used), self._next_free_at)

    def unsent(self, slot: Slot) -> None:
        self._used = max(0, self._used - 1)  # or `earliest` would count it until Redis is asked
        self._settle(slot.name, 0.0)

    def answered(self, slot: Slot) -> None:
        self._slowest = max(self._slowest, self._time() - slot.taken_at)
        self._settle(slot.name, self._per)

    def abandoned(self, slot: Slot) -> None:
        self._settle(slot.name, self._slowest + self._per)

    def pause(self, seconds: float) -> None:
        """Pause the other processes, too, if Redis can be reached."""
        if not self._closed:
            # Clamped here too: one process must not stop all others for a day.
            self._in_background(_tolerant(self._store.pause(min(seconds, self._max_pause))))

    def recent(self) -> list[float]:
        return []  # Redis keeps them

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """Do nothing: Redis keeps them."""

    def _settle(self, name: str, hold: float) -> None:
        self._settled.append((name, hold))
        self._start_settling()

    def _start_settling(self) -> None:
        # One task at a time: it also sends what is settled while it waits for Redis.
        if self._settled and not (self._settling or self._closed or self._loop.is_closed()):
            self._settling = True
            self._in_background(self._send_settled())

    async def _send_settled(self) -> None:
        try:
            while self._settled:
                holds, self._settled = self._settled, []
                await _tolerant(self._store.settle(holds))
                if any(hold == 0.0 for _, hold in holds):
                    self._returns += 1
                    self._returned.wake()
        finally:
            self._settling = False

    def _in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Send what is still to be settled, and close the client."""
        while not self._closed and self._tasks:
            await asyncio.wait(self._tasks)
        self._closed = True  # slots that are settled from now on end with their leases
        await self._store.aclose()


async def _tolerant(work: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(HarbourError):  # a slot that is not settled ends with its lease
        await work
