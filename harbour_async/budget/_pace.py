"""Bursts, then an even pace (docs/budget.md, "Bursts, pace and lanes"). Only user of aiolimiter."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from itertools import pairwise
from typing import Any

from aiolimiter import AsyncLimiter

from harbour_async.settings import RateLimit

CATCH_UP = 2
"""Tokens that ``drop_savings`` leaves: enough to make up for jitter, too few for a burst."""


class Pace:
    """A token bucket holding ``burst`` tokens, refilled at ``requests`` per ``per`` seconds.

    Tokens can be held back: one that is taken, while its task still waits for something else and
    may be cancelled, and those of sends that did not happen.
    """

    __slots__ = ("_bucket", "_burst", "_held", "interval")

    def __init__(self, limit: RateLimit) -> None:
        assert limit.requests is not None
        self.interval = limit.per / limit.requests
        self._burst = limit.burst
        self._bucket = self._new_bucket()
        self._held = 0

    def _new_bucket(self) -> AsyncLimiter:
        return AsyncLimiter(self._burst, self._burst * self.interval)

    def ready(self) -> bool:
        return self._held > 0 or self._bucket.has_capacity()

    def take(self) -> None:
        """Spend a token at once. Only if ``ready()``."""
        self._return_old_tokens()
        if self._held:
            self._held -= 1
        else:
            _at_once(self._bucket.acquire())

    async def hold(self) -> None:
        """Wait for a token, and keep it until ``spend()``."""
        self._return_old_tokens()
        if not self._held:
            # aiolimiter takes the token in the step in which this task goes on, so a
            # cancellation comes either before that or after `_held` is counted.
            await self._bucket.acquire()
            self._held += 1

    def _return_old_tokens(self) -> None:
        # Those held since before the bucket filled up are among the `burst` tokens.
        while self._held and self._bucket.has_capacity(self._burst - self._held + 1):
            self._held -= 1

    def spend(self) -> None:
        self._held = max(0, self._held - 1)

    def give_back(self) -> None:
        self._held = min(self._burst, self._held + 1)

    def restart(self, tokens: float) -> None:
        """Go on with this many tokens, held ones included."""
        self._held = min(self._held, int(tokens))
        self._bucket = self._new_bucket()
        _at_once(self._bucket.acquire(self._burst - min(self._burst, tokens - self._held)))

    def replay(self, seconds_ago: Sequence[float]) -> None:
        """Go on as if these sends (the oldest first) had gone through the bucket."""
        tokens = float(self._burst)
        for earlier, later in pairwise([*seconds_ago, 0.0]):
            tokens = max(0.0, tokens - 1)
            tokens = min(self._burst, tokens + (earlier - later) / self.interval)
        self._held = 0
        self.restart(tokens)

    def drop_savings(self) -> None:
        """Drop the tokens that were saved up while calls waited for something else."""
        if self._burst > CATCH_UP and self._bucket.has_capacity(CATCH_UP + 1):
            self.restart(CATCH_UP + self._held)

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


def _at_once(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that does not suspend: the bucket has the tokens."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("the bucket did not have the tokens")  # pragma: no cover
