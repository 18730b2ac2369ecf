"""The shape of the flow: a burst after idling, then an even pace. The only user of aiolimiter."""

from __future__ import annotations

from aiolimiter import AsyncLimiter

from harbour_async.settings import RateLimit

CATCH_UP = 2
"""Tokens a busy flow may have saved: enough to make up for jitter, too few for a burst."""


class Pace:
    """A token bucket holding ``burst`` tokens, refilled at ``requests`` per ``per`` seconds.

    One token can be held in hand: whoever holds it may be cancelled, or find that it has to
    wait for something else first, and the token is not lost.
    """

    __slots__ = ("_bucket", "_burst", "_held", "interval")

    def __init__(self, limit: RateLimit) -> None:
        assert limit.requests is not None
        self.interval = limit.per / limit.requests
        self._burst = limit.burst
        self._bucket = self._new_bucket()
        self._held = False

    def _new_bucket(self) -> AsyncLimiter:
        return AsyncLimiter(self._burst, self._burst * self.interval)

    def ready(self) -> bool:
        return self._held or self._bucket.has_capacity()

    async def hold(self) -> None:
        """Have a token in hand. Does not suspend if ``ready()``."""
        if self._held and self._bucket.has_capacity(self._burst):
            self._held = False  # left over from before the bucket filled up: part of its burst
        if not self._held:
            await self._bucket.acquire()
            self._held = True

    def spend(self) -> None:
        self._held = False

    def give_back(self) -> None:
        self._held = True

    async def restart(self, tokens: float) -> None:
        """Go on with this many tokens, one in hand included. Does not suspend."""
        self._bucket = self._new_bucket()
        await self._bucket.acquire(self._burst - min(self._burst, max(0.0, tokens - self._held)))

    async def calm(self) -> None:
        """Forget what was saved up while something else held the flow back. Does not suspend."""
        if self._burst > CATCH_UP and self._bucket.has_capacity(CATCH_UP + 1):
            await self.restart(CATCH_UP + self._held)

    def wait(self, turn: int) -> float:
        """Seconds until the ``turn``-th token from now."""
        return max(0.0, (turn - self._tokens()) * self.interval)

    def _tokens(self) -> float:
        # The bucket does not tell its level, only whether an amount fits.
        low, high = 0.0, float(self._burst)
        while high - low > 0.001 * self._burst:
            middle = (low + high) / 2
            low, high = (middle, high) if self._bucket.has_capacity(middle) else (low, middle)
        return high + self._held
