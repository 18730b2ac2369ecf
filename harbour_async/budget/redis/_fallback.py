"""While Redis is unavailable, each process goes on with an even share of the limit."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from harbour_async import _logging
from harbour_async.budget._ledger import LocalLedger, OnPause, Outlook
from harbour_async.budget._slot import Slot
from harbour_async.budget.redis._ledger import RedisLedger
from harbour_async.errors import APIConnectionError
from harbour_async.settings import RateLimit

PROBE = 5.0
"""Seconds between two attempts to reach Redis again."""


class _Both:
    """Settles a slot in Redis and one of this process together."""

    def __init__(self, *slots: Slot) -> None:
        self._slots = slots

    def unsent(self, slot: Slot) -> None:  # noqa: ARG002 - it stands for these two
        for each in self._slots:
            each.unsent()

    def answered(self, slot: Slot) -> None:  # noqa: ARG002
        for each in self._slots:
            each.answered()

    def abandoned(self, slot: Slot) -> None:  # noqa: ARG002
        for each in self._slots:
            each.abandoned()


class FallbackLedger:
    """Slots in Redis; without Redis, ``requests // processes`` slots of this process.

    The promise holds through both changes if Redis is unavailable to all processes alike, and all
    of them send often enough to notice both:

    - *Redis becomes unavailable:* what the others did just before is unknown, so nothing is sent
      until the lease of a slot taken at that moment would end.
    - *Redis is back:* the others use their shares until they have noticed it, too. Until then, and
      a lease longer, a request needs both a slot in Redis and one of this process.
    """

    per_process = False

    def __init__(self, remote: RedisLedger, limit: RateLimit, *, processes: int) -> None:
        assert limit.requests is not None
        self._remote = remote
        self._own = LocalLedger(limit.requests // processes, limit.per)
        self._quiet = remote.lease
        self._overlap = remote.lease + 4 * PROBE
        self._unavailable = False
        self._quiet_until = -math.inf
        self._next_probe = -math.inf
        self._back_since: float | None = None

    def bind(self, loop: asyncio.AbstractEventLoop, shift: float, on_pause: OnPause) -> None:
        self._time = loop.time
        self._remote.bind(loop, shift, on_pause)
        self._own.bind(loop, shift, on_pause)
        self._quiet_until += shift
        self._next_probe += shift
        if self._back_since is not None:
            self._back_since += shift

    def take(self) -> Slot | None:
        return None

    async def reserve(self) -> Slot:
        if not self._unavailable:
            try:
                return await self._remote.reserve()
            except APIConnectionError:
                self._use_share()
        # The others may have used the whole limit just before Redis became unavailable, so nothing
        # is sent at first. Then each process has its share.
        # The slot of this process comes first: giving it back needs no request to Redis.
        await asyncio.sleep(max(0.0, self._quiet_until - self._time()))
        own = await self._own.reserve()
        try:
            remote = await self._probe()
        except BaseException:
            own.unsent()
            raise
        return own if remote is None else Slot(_Both(own, remote), own.taken_at)

    def _use_share(self) -> None:
        _logging.warn("Redis is not available: going on with an even share of the rate limit")
        now = self._time()
        self._unavailable = True
        self._back_since = None
        self._quiet_until = now + self._quiet
        self._next_probe = now + PROBE

    async def _probe(self) -> Slot | None:
        """A slot in Redis, or None while Redis is still unavailable."""
        if self._time() < self._next_probe:
            return None
        try:
            remote = await self._remote.reserve()
        except APIConnectionError:
            self._back_since = None
            self._next_probe = self._time() + PROBE
            return None
        now = self._time()
        # The others notice a little later that Redis is back, and use their shares until then. So
        # for a while a send needs both: a slot in Redis and one of the share.
        if self._back_since is None:
            self._back_since = now
        elif now - self._back_since > self._overlap:
            self._unavailable = False
        return remote

    def earliest(self, turn: int) -> float:
        if self._unavailable:
            return max(self._quiet_until, self._own.earliest(turn))
        return self._remote.earliest(turn)

    def outlook(self) -> Outlook:
        return self._own.outlook() if self._unavailable else self._remote.outlook()

    def pause(self, seconds: float) -> None:
        self._remote.pause(seconds)

    def recent(self) -> list[float]:
        return []  # Redis keeps them; without it, nothing is sent for a window first

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """Do nothing: Redis keeps them."""

    async def aclose(self) -> None:
        await self._remote.aclose()
