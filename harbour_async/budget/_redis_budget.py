"""One budget for many processes and machines."""

from __future__ import annotations

import math
from typing import Literal, Self, get_args

from harbour_async.budget._budget import Budget
from harbour_async.errors import ConfigurationError
from harbour_async.settings import RateLimit, Seconds, Timeout

OnUnavailable = Literal["closed", "share"]


class RedisBudget(Budget):
    """A ``Budget`` whose slots are kept in Redis or Valkey, for all who use the same ``key``.

    ::

        budget = RedisBudget.from_url("redis://localhost:6379/0", RateLimit(100, per=60))
        async with budget, HarbourSession(budget=budget) as harbour: ...

    Lanes, pace and bursts are each process's own; the limit and the pauses are everybody's.
    ``snapshot()`` tells the slots as Redis last told them.
    """

    @classmethod
    def from_url(
        cls,
        url: str,
        limit: RateLimit = RateLimit(),
        *,
        key: str = "default",
        attempt: Seconds = 30.0,
        on_unavailable: OnUnavailable = "closed",
        processes: int | None = None,
    ) -> Self:
        """Use the Redis at ``url``; it is reached at the first ``acquire``.

        ``key`` tells budgets apart, one for each API key; every user of one gives the same
        ``limit``. ``attempt``: no send takes longer (``Timeout.attempt`` of the sessions). A
        slot whose holder crashed comes back ``attempt + limit.per`` and a little after it was
        taken. When Redis is away, ``"closed"`` sends nothing: ``acquire`` raises
        ``APIConnectionError``. ``"share"`` goes on with ``limit.requests // processes`` in each
        process, after ``limit.per`` seconds of silence. Raises ``ConfigurationError`` for a bad
        URL, refused credentials (at the first ``acquire``), or a missing redis-py.
        """
        return cls(
            url,
            limit,
            key=key,
            attempt=attempt,
            on_unavailable=on_unavailable,
            processes=processes,
        )

    def __init__(
        self,
        url: str,
        limit: RateLimit,
        *,
        key: str,
        attempt: Seconds,
        on_unavailable: OnUnavailable,
        processes: int | None,
    ) -> None:
        # Imported with the package, but used by few: the rest of it can wait for them.
        from harbour_async.budget._fallback import FallbackLedger
        from harbour_async.budget._redis_ledger import RedisLedger
        from harbour_async.budget._redis_store import RedisStore

        super().__init__(limit)
        if limit.requests is None:
            raise ConfigurationError("a RedisBudget needs a limit; without one, use Budget")
        bound = Timeout(attempt=attempt).attempt
        if bound is None:
            raise ConfigurationError("attempt must be bounded: a lease has to end")
        _check_fallback(limit.requests, on_unavailable, processes)
        self._store = RedisStore(url, key)
        remote = RedisLedger(self._store, limit, attempt=bound, on_pause=self._pause_until)
        self._shared: RedisLedger = remote
        self._ledger = (
            remote if processes is None else FallbackLedger(remote, limit, processes=processes)
        )
        self._key = key

    def pause(self, seconds: float) -> None:
        """Pause everybody who uses the same key (see ``Budget.pause``)."""
        super().pause(seconds)
        if math.isfinite(seconds) and seconds > 0:
            self._shared.pause(seconds)

    def __repr__(self) -> str:
        return f"<RedisBudget {self._key!r} at {self._store.address}>"


def _check_fallback(requests: int, on_unavailable: str, processes: int | None) -> None:
    if on_unavailable not in get_args(OnUnavailable):
        raise ConfigurationError(f'on_unavailable is "closed" or "share", not {on_unavailable!r}')
    if (on_unavailable == "share") != (processes is not None):
        raise ConfigurationError('on_unavailable="share" and processes=... go together')
    if processes is not None and not (isinstance(processes, int) and 1 <= processes <= requests):
        raise ConfigurationError(
            f"processes must be a whole number from 1 to the limit's {requests}, not {processes!r}"
        )
