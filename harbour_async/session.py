"""The session: takes the settings, wires the layers, and closes what it opened."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harbour_async import _wire
from harbour_async._caller import Caller
from harbour_async._transport import Transport
from harbour_async.budget import Budget
from harbour_async.errors import ConfigurationError
from harbour_async.resources import Verifications, Webhooks
from harbour_async.settings import RateLimit, Retry, Timeout

if TYPE_CHECKING:
    import aiohttp


class HarbourSession:
    """A connection pool and a rate budget for one API key; share it between any number of tasks.

    ::

        async with HarbourSession() as harbour:
            async for v in harbour.verifications.list(metadata={"internal_id": "123"}):
                print(v.verification_id, v.status, v.created_at)

    ``api_key`` falls back to HARBOUR_API_KEY, ``base_url`` to HARBOUR_BASE_URL and then to
    Harbour's own. ``budget`` takes one shared with other sessions of the same key (it stays open
    when this session closes); without it the session makes its own of ``rate_limit``.
    ``max_connections`` bounds the pool. ``trace_configs`` are aiohttp's, for metrics and logs.

    Raises ConfigurationError for settings that cannot work. Nothing is opened before the first
    request; from then on the session belongs to that request's event loop.

    Guide: "Get your keys", "Know the basics", "Rate limits".
    """

    verifications: Verifications
    webhooks: Webhooks
    budget: Budget

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        rate_limit: RateLimit = RateLimit(),
        retry: Retry = Retry(),
        timeout: Timeout = Timeout(),
        budget: Budget | None = None,
        max_connections: int = 100,
        trace_configs: Sequence[aiohttp.TraceConfig] | None = None,
        user_agent: str | None = None,
    ) -> None:
        key = _wire.api_key(api_key)
        url = _wire.base_url(base_url)
        agent = user_agent or f"harbour-async/{version('harbour-async')}"
        headers = _wire.headers(key, agent)
        _check("rate_limit", rate_limit, RateLimit)
        _check("retry", retry, Retry)
        _check("timeout", timeout, Timeout)
        _wire.whole("max_connections", max_connections, low=1)
        if budget is not None:
            _check("budget", budget, Budget)
            if rate_limit != RateLimit():
                raise ConfigurationError("give rate_limit or budget: a budget has its own limit")

        self.budget = budget or Budget(rate_limit, connections=max_connections)
        self._owns_budget = budget is None
        self._caller = Caller(
            budget=self.budget,
            retry=retry,
            api_key=key,
            connect=lambda: Transport(
                base_url=url,
                headers=headers,
                timeout=timeout,
                max_connections=max_connections,
                trace_configs=trace_configs or (),
            ),
        )
        self.verifications = Verifications(self._caller, timeout.total)
        self.webhooks = Webhooks(self._caller, timeout.total)

    async def aclose(self) -> None:
        """Close the connections; closing twice is fine, using the session afterwards is not."""
        await self._caller.aclose()
        if self._owns_budget:
            await self.budget.aclose()

    async def __aenter__(self) -> Self:
        self._caller.check_open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        caller = getattr(self, "_caller", None)
        if caller is not None and caller.opened and not caller.closed:
            warnings.warn(
                f"unclosed {self!r}: use `async with`, or await aclose()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


def _check(name: str, value: object, cls: type) -> None:
    if not isinstance(value, cls):
        raise ConfigurationError(f"{name} must be a {cls.__name__}, not {value!r}")
