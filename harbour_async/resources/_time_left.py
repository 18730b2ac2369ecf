"""One time limit over several calls."""

from __future__ import annotations

import asyncio

from harbour_async._caller import Caller, time_limit
from harbour_async.errors import DeadlineExceededError
from harbour_async.settings import Inherit, Seconds


class TimeLeft:
    """The seconds left of ``timeout``, which begins with the first call; None for no bound."""

    def __init__(self, caller: Caller, timeout: Seconds | Inherit | None) -> None:
        self._limit = caller.timeout.total if isinstance(timeout, Inherit) else time_limit(timeout)
        self._deadline: float | None = None
        self._life = caller.life

    def __call__(self) -> float | None:
        """Raises DeadlineExceededError if nothing is left."""
        if self._limit is None:
            return None
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._limit
        if now >= self._deadline:
            raise DeadlineExceededError("was not finished in its time")
        return self._deadline - now

    async def turn(self, lock: asyncio.Lock) -> None:
        """Acquire the lock; DeadlineExceededError if nothing is left before that."""
        try:
            async with asyncio.timeout(self()):
                await lock.acquire()
                return
        except TimeoutError:
            pass
        raise DeadlineExceededError("was not finished in its time")

    async def pause(self, seconds: float) -> None:
        """Sleep; DeadlineExceededError if nothing is left then, SessionClosedError once closed."""
        limit = self()
        await self._life.pause(seconds if limit is None else min(seconds, limit))
        self()
