"""The session: takes the settings, wires the layers, and closes what it opened."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from types import TracebackType
from typing import Any, Self

from harbour_async import _logging, _wire
from harbour_async._caller import Caller, time_limit
from harbour_async._emitter import Emitter, listeners
from harbour_async._keys import Keys, KeySource
from harbour_async._lifetime import Call, Lifetime
from harbour_async._response import Response
from harbour_async._retry import AlreadyDeletedError
from harbour_async._transport import TraceConfig, Transport
from harbour_async.budget import Budget
from harbour_async.errors import APIStatusError, ConfigurationError
from harbour_async.events import Listener
from harbour_async.resources import Verifications, Webhooks
from harbour_async.settings import (
    INHERIT,
    Inherit,
    Network,
    Priority,
    RateLimit,
    Retry,
    Seconds,
    Timeout,
    as_rate_limit,
    as_retry,
    as_timeout,
)

MAX_RESPONSE_BYTES = 64 * 1024 * 1024


class HarbourSession:
    """A connection pool and a rate budget for one API key; share it between any number of tasks.

    ::

        async with HarbourSession() as harbour:
            async for v in harbour.verifications.list(metadata={"internal_id": "123"}):
                print(v.verification_id, v.status, v.created_at)

    api_key: falls back to HARBOUR_API_KEY. A callable, sync or async, is asked before each attempt,
    so that a rotated key is picked up; what it raises passes through and is not retried.
    base_url: falls back to HARBOUR_BASE_URL and then to Harbour's own.
    rate_limit: ``100`` is ``RateLimit(100)``, requests a minute.
    retry: ``3`` is ``Retry(attempts=3)``.
    timeout: ``5`` is ``Timeout(total=5)``, in seconds, or a timedelta; None for no bound.
    network: proxy, TLS, hosts without TLS.
    budget: one that is shared with other sessions of the same key; it stays open when this session
    closes. Without one the session makes its own from ``rate_limit``.
    max_connections: size of the pool. POSTs go over fresh connections, beside it.
    max_response_bytes: an answer that is larger, decompressed, is a ResponseTooLargeError.
    read_only: refuse everything that is not a GET, before it is sent.
    on_event: a function, or several, called with each event of each call (harbour_async.events), in
    the event loop, so they must not block. One that raises is logged once, and breaks no call.
    trace_configs: aiohttp.TraceConfig objects; they see queries, which hold personal data.
    user_agent: replaces "harbour-async/" and the version.

    Raises ConfigurationError for settings that cannot work. Nothing is opened before the first
    request; from then on the session belongs to that request's event loop, until that is closed.

    Guide: "Get your keys", "Know the basics", "Rate limits".
    """

    verifications: Verifications
    webhooks: Webhooks
    budget: Budget

    def __init__(
        self,
        api_key: str | KeySource | None = None,
        *,
        base_url: str | None = None,
        rate_limit: RateLimit | int = RateLimit(),
        retry: Retry | int = Retry(),
        timeout: Timeout | Seconds | None = Timeout(),
        network: Network = Network(),
        budget: Budget | None = None,
        max_connections: int = 100,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        read_only: bool = False,
        on_event: Listener | Iterable[Listener] | None = None,
        trace_configs: Sequence[TraceConfig] | None = None,
        user_agent: str | None = None,
    ) -> None:
        keys = Keys(api_key)
        del api_key  # errors raised below have this frame in their tracebacks
        keys.check()
        limit, policy, bounds = as_rate_limit(rate_limit), as_retry(retry), as_timeout(timeout)
        _check("network", network, Network)
        _check("read_only", read_only, bool)
        _logging.use_environment()
        url = _wire.base_url(base_url, network.insecure_hosts)
        emitter = Emitter(listeners(on_event), url.host or "", url.port or 0)
        transport = Transport(
            base_url=url,
            headers=_wire.headers(user_agent or _wire.default_user_agent()),
            network=network,
            max_connections=_wire.whole("max_connections", max_connections, low=1),
            max_response_bytes=_wire.whole("max_response_bytes", max_response_bytes, low=1),
            trace_configs=() if trace_configs is None else trace_configs,
        )
        if budget is not None:
            _check("budget", budget, Budget)
            if limit != RateLimit():
                raise ConfigurationError("give rate_limit or budget: a budget has its own limit")
        self._view_of: HarbourSession | None = None
        self._owns_budget = budget is None
        # After a 429 the budget pauses no longer than a call would wait.
        self.budget = budget or Budget(
            limit, connections=max_connections, max_pause=policy.max_retry_after
        )
        self._life = Lifetime(transport)
        self._wire_up(
            Caller(
                life=self._life,
                budget=self.budget,
                keys=keys,
                emitter=emitter,
                timeout=bounds,
                retry=policy,
                read_only=read_only,
            ),
            {},
        )
        self._warned = False  # set last, as a session that could not be made must not warn

    def _wire_up(self, caller: Caller, spellings: dict[tuple[str, str], str]) -> None:
        self._caller = caller
        self._spellings = spellings
        self.verifications = Verifications(caller, spellings)
        self.webhooks = Webhooks(caller, spellings)

    def with_options(
        self,
        *,
        timeout: Timeout | Seconds | Inherit | None = INHERIT,
        retry: Retry | int | Inherit = INHERIT,
        priority: Priority | Inherit = INHERIT,
    ) -> Self:
        """A view of this session, with its connections and budget, and other defaults.

        ::

            patient = harbour.with_options(timeout=300, priority=Priority.BULK)

        timeout: as for the session; ``5`` is ``Timeout(total=5)``, in seconds.
        retry: as for the session; ``3`` is ``Retry(attempts=3)``.
        priority: replaces the default of single calls and of pagers.

        A view cannot be closed or entered: that is a ConfigurationError. It ends with its session.
        """
        caller = self._caller
        if not isinstance(priority, Priority | Inherit):
            raise ConfigurationError(f"priority must be a Priority, not {priority!r}")
        view = copy(self)  # with what a subclass has added
        view._view_of = self  # a session in use is not abandoned
        view._warned, view._owns_budget = True, False
        view._wire_up(
            caller.evolve(
                timeout=caller.timeout if isinstance(timeout, Inherit) else as_timeout(timeout),
                retry=caller.retry if isinstance(retry, Inherit) else as_retry(retry),
                priority=caller.priority if isinstance(priority, Inherit) else priority,
            ),
            self._spellings,
        )
        view.verifications._waiting = self.verifications._waiting
        view.webhooks._ensuring = self.webhooks._ensuring
        return view

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        priority: Priority | Inherit = INHERIT,
        timeout: Seconds | Inherit | None = INHERIT,
    ) -> Response:
        """Send a request that this library has no method for, under the same budget and retries.

        ::

            answer = await harbour.request("GET", "organizations/me", params={"expand": "plan"})
            print(answer.json()["name"])

        method: GET, HEAD, OPTIONS, PUT, DELETE, POST or PATCH; the last two are sent again only if
        they certainly were not processed.
        path: below the base URL; characters that need escaping are escaped.
        params: query parameters; lists are repeated, None is left out.
        json: the body; None for none.
        priority: the lane, INTERACTIVE by default.
        timeout: seconds or a timedelta for the whole call, None for none.

        Raises ConfigurationError for a path that is not below the base URL, APIStatusError for an
        answer other than 2xx, and what every call raises. A DELETE whose answer was lost, and whose
        repetition finds nothing any more, counts as deleted: its Response has status 404.
        """
        request = _wire.Request(
            _wire.method(method),
            _wire.path(path),
            _wire.query(_wire.extra("params", params)),
            None if json is None else _wire.body(json),
        )
        began = asyncio.get_running_loop().time()
        lane = self._caller.lane(priority, Priority.INTERACTIVE)
        deadline = self._caller.deadline(timeout)
        try:
            return await self._caller.call(
                request, self._response, priority=lane, deadline=deadline
            )
        except AlreadyDeletedError as error:
            return _gone(error, asyncio.get_running_loop().time() - began)

    def _response(self, call: Call) -> Response:
        redact, headers = self._caller.keys.redact, call.answer.headers
        return Response(
            status=call.answer.status,
            headers={name: redact(value) for name, value in headers.items()},
            body=call.answer.body,
            request_id=redact(headers.get("X-Request-ID", "")) or None,
            attempts=call.attempts,
            elapsed=call.elapsed,
        )

    async def aclose(self, *, grace: Seconds | None = None) -> None:
        """Close the connections; closing twice is fine, using the session afterwards is not.

        Calls that wait for a budget, a pause, a connection or an answer raise SessionClosedError
        now. With ``grace``, in seconds, requests of which bytes may have left may finish first, for
        that long; calls that have sent nothing are refused at once. A shared budget stays open.

        Raises ConfigurationError on a view, and in an event loop other than the session's.
        """
        self._check_no_view("closed")
        limit = time_limit(grace, "grace") if grace else None
        try:
            await self._life.aclose(limit)
        finally:
            if self._owns_budget:
                await self.budget.aclose()

    def _check_no_view(self, what: str) -> None:
        if self._view_of is not None:
            raise ConfigurationError(
                f"a view made by with_options() cannot be {what}: only its session can"
            )

    async def __aenter__(self) -> Self:
        self._check_no_view("entered")
        self._life.check_open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        if not hasattr(self, "_life"):  # a setting was refused, and a traceback shows this object
            return "<HarbourSession, not made>"
        state = "a view" if self._view_of else "closed" if self._life.closed else "open"
        return f"<HarbourSession of {self._life.transport.base_url}, {state}, {self.budget!r}>"

    def __del__(self) -> None:
        if getattr(self, "_warned", True) or not self._life.abandoned:
            return
        self._warned = True
        if self._life.inherited:
            self._life.transport.disown()
            return
        warnings.warn(
            f"unclosed {self!r}: use `async with`, or await aclose()",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        self._life.transport.abandon()  # otherwise aiohttp warns of each part of it, too


def _gone(error: AlreadyDeletedError, elapsed: float) -> Response:
    cause = error.__cause__
    assert isinstance(cause, APIStatusError)
    return Response(
        status=cause.status,
        headers=cause.headers,
        body=cause.body.encode(),
        request_id=cause.request_id,
        attempts=error.attempts,
        elapsed=elapsed,
    )


def _check(name: str, value: object, cls: type) -> None:
    if not isinstance(value, cls):
        raise ConfigurationError(f"{name} must be a {cls.__name__}, not {value!r}")
