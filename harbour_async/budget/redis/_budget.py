"""One budget for many processes and machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, get_args

from harbour_async._keys import Secret
from harbour_async.budget._budget import MAX_PAUSE, Budget, positive
from harbour_async.errors import ConfigurationError
from harbour_async.settings import RateLimit, Seconds, Timeout

OnUnavailable = Literal["closed", "share"]


class RedisBudget(Budget):
    """A ``Budget`` whose slots are kept in Redis or Valkey, for all who use the same ``key``.

    ::

        budget = RedisBudget.from_url("redis://localhost:6379/0", RateLimit(100, per=60))
        async with budget, HarbourSession(budget=budget) as harbour: ...

    Each process has lanes, a pace and bursts of its own; the limit and the pauses are shared.
    ``snapshot()`` shows the slots as of the last answer from Redis. See docs/budget.md, "Many
    processes".
    """

    @classmethod
    def from_url(
        cls,
        url: str,
        limit: RateLimit = RateLimit(),
        *,
        key: str = "default",
        attempt: Seconds = 30.0,
        max_pause: Seconds = MAX_PAUSE,
        on_unavailable: OnUnavailable = "closed",
        processes: int | None = None,
    ) -> Self:
        """Use the Redis at ``url``; it is reached at the first ``acquire``.

        url: like "redis://user:password@localhost:6379/0"; ``rediss`` for TLS.
        limit: the same for every user of ``key``.
        key: the name of the budget in Redis; use one for each API key, but not the API key itself,
            because names are shown in messages and in Redis.
        attempt: seconds or a timedelta; the longest that a send may take (``Timeout.attempt`` of
            the sessions). A slot whose holder crashed is free again a little more than
            ``attempt + limit.per`` after it was taken.
        max_pause: seconds or a timedelta; bounds every pause, also one that another process wrote
            to Redis: the smallest ``max_pause`` of all users holds.
        on_unavailable: while Redis is unavailable, "closed" sends nothing, and ``acquire`` raises
            ``APIConnectionError``; "share" goes on with ``limit.requests // processes`` in each
            process, after a little more than ``attempt + limit.per`` without a request; only for
            processes that send all the time (docs/budget.md).
        processes: how many share the limit; only with "share".

        Raises ``ConfigurationError`` for a bad URL, refused credentials (at the first ``acquire``),
        or a missing redis-py.

        ::

            RedisBudget.from_url("redis://localhost", key="production", on_unavailable="share",
                                 processes=4)
        """
        hidden = Secret(url)
        del url  # errors raised below have this frame in their tracebacks
        return cls(
            hidden,
            limit,
            key=key,
            attempt=attempt,
            max_pause=max_pause,
            on_unavailable=on_unavailable,
            processes=processes,
        )

    def __init__(
        self,
        url: Secret,
        limit: RateLimit,
        *,
        key: str,
        attempt: Seconds,
        max_pause: Seconds,
        on_unavailable: OnUnavailable,
        processes: int | None,
    ) -> None:
        # This module is imported with the package, but few use it, so the rest is imported here.
        from harbour_async.budget.redis._fallback import FallbackLedger
        from harbour_async.budget.redis._ledger import RedisLedger
        from harbour_async.budget.redis._store import RedisStore

        # A slot is leased for the longest attempt, and comes back if its process dies.
        bound = _check(limit, key, attempt, on_unavailable, processes)
        cap = positive("max_pause", max_pause)
        store = RedisStore(url, key)
        remote = RedisLedger(store, limit, attempt=bound, max_pause=cap)
        ledger = remote if processes is None else FallbackLedger(remote, limit, processes=processes)
        super().__init__(limit, max_pause=cap, ledger=ledger)
        self._where = f"{key!r} at {store.address}"

    def recent(self) -> list[float]:
        """Always empty: Redis keeps what was sent, also after a crash."""
        return super().recent()

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """Do nothing: Redis keeps what was sent, also after a crash."""
        super().remember(seconds_ago)

    def _described(self) -> str:
        return f"{self._where}, {super()._described()}"


def _check(
    limit: RateLimit, key: str, attempt: Seconds, on_unavailable: str, processes: int | None
) -> float:
    """The bound of an attempt in seconds."""
    if not isinstance(key, str) or not key:
        raise ConfigurationError("key must be a text that is not empty: the name of the budget")
    if not isinstance(limit, RateLimit):
        raise ConfigurationError(f"a budget needs a RateLimit, not {limit!r}")
    if limit.requests is None:
        raise ConfigurationError("a RedisBudget needs a limit; without one, use Budget")
    bound = Timeout(attempt=attempt).attempt
    if bound is None:
        raise ConfigurationError(
            "attempt must be a number of seconds: the lease of a slot has to end"
        )
    _check_fallback(limit.requests, on_unavailable, processes)
    return bound


def _check_fallback(requests: int, on_unavailable: str, processes: int | None) -> None:
    if on_unavailable not in get_args(OnUnavailable):
        raise ConfigurationError(f'on_unavailable is "closed" or "share", not {on_unavailable!r}')
    if (on_unavailable == "share") != (processes is not None):
        raise ConfigurationError('on_unavailable="share" and processes=... go together')
    if processes is not None and not (isinstance(processes, int) and 1 <= processes <= requests):
        raise ConfigurationError(
            f"processes must be a whole number from 1 to the limit's {requests}, not {processes!r}"
        )
