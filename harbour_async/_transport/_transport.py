"""A request goes out over aiohttp; its answer or a typed error comes back.

Foreign exceptions end here.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol

import aiohttp

from harbour_async._transport._connections import (
    AttemptState,
    Pool,
    Route,
    attempt_state,
    http_session,
)
from harbour_async._transport._failures import translate
from harbour_async._wire import IDEMPOTENT
from harbour_async.errors import APIConnectionError, ConfigurationError, ResponseTooLargeError

if TYPE_CHECKING:
    from yarl import URL

    from harbour_async._keys import Secret
    from harbour_async._wire import Request
    from harbour_async.settings import Network, Timeout


_LARGE_BODY = 1 << 16
"""Bytes; a body above that is sent in parts."""


class Slot(Protocol):
    """What the budget wants to hear of the send it granted; the first word counts."""

    def unsent(self) -> None: ...
    def answered(self) -> None: ...
    def abandoned(self) -> None: ...


class Answer(NamedTuple):
    """A status, whichever it is, with headers and the decompressed body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:  # it is a local of frames that tracebacks show
        return f"Answer({self.status}, {len(self.body)} bytes)"


class Transport:
    """A connection pool; bound to the event loop in which its first request is made.

    Raises ConfigurationError at once for a network or trace configs that cannot work.
    """

    def __init__(
        self,
        *,
        base_url: URL,
        headers: Mapping[str, str],
        network: Network,
        max_connections: int,
        max_response_bytes: int,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        self.base_url = base_url
        self._route = Route.to(base_url, network)
        self._headers = headers
        self._max_connections = max_connections
        self._max_bytes = max_response_bytes
        self._trace_configs = _checked(trace_configs)
        self._options = self._route.options()
        self._proxy_headers = self._route.headers()
        self._sessions: dict[bool, tuple[aiohttp.ClientSession, Pool]] = {}

    @property
    def opened(self) -> bool:
        return bool(self._sessions)

    async def send(
        self, request: Request, secret: Secret, slot: Slot, timeout: Timeout, state: AttemptState
    ) -> Answer:
        """Send once.

        Raises APIConnectionError or APITimeoutError if no answer comes within ``timeout.attempt``
        seconds, ResponseTooLargeError if it does not end. ``state.sent`` is true once bytes may
        have left.
        """
        attempt_state.set(state)
        failure: APIConnectionError
        try:
            return await self._exchange(request, secret, slot, timeout)
        # A TimeoutError is an OSError, a UnicodeError of a name's look-up a ValueError.
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = translate(error, route=self._route, timeout=timeout, sent=state.sent)
        except BaseException as error:
            # The frames and contexts of aiohttp hold the headers, and those the key.
            error.__context__ = None
            raise error.with_traceback(None)  # noqa: B904 - it is the same one
        finally:
            # After `answered` these go unheard.
            if state.sent:
                slot.abandoned()
            else:
                slot.unsent()
        # Raised out here, so that its context is only what `translate` let through.
        raise failure

    async def _exchange(
        self, request: Request, secret: Secret, slot: Slot, timeout: Timeout
    ) -> Answer:
        # Apart from `send`, whose frame is in tracebacks: here are the headers of both sides.
        response = await self._session(request.method).request(
            request.method,
            request.url(self.base_url),
            data=_data(request.body),
            # Not among the session's headers: aiohttp would show those to a proxy.
            headers={"x-api-key": secret.reveal(), **self._proxy_headers},
            # A redirect would carry the key to wherever it points.
            allow_redirects=False,
            timeout=_aiohttp_timeout(timeout.attempt, timeout.connect),
            **self._options,
        )
        if self._route.refused_by_proxy(response.status):
            response.close()
            attempt_state.get().sent = False
            raise aiohttp.ClientHttpProxyError(response.request_info, (), status=response.status)
        slot.answered()
        try:
            return Answer(response.status, response.headers, await self._read(response))
        finally:
            # The connection is back in the pool if the body was read to its end. `release` would
            # wait for a server that has answered without reading the request.
            response.close()

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, decompressed; counted as it comes, because `read()` would not stop."""
        chunks, size = [], 0
        while chunk := await response.content.readany():
            size += len(chunk)
            if size > self._max_bytes:
                raise ResponseTooLargeError(
                    f"the answer ({response.status}) is larger than {self._max_bytes} bytes "
                    "(max_response_bytes)",
                    limit=self._max_bytes,
                    status=response.status,
                )
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _session(self, method: str) -> aiohttp.ClientSession:
        """The pool; or, for what must not be lost with a dying connection, fresh ones."""
        fresh = method not in IDEMPOTENT
        if fresh not in self._sessions:
            _keep_buffers()
            self._sessions[fresh] = http_session(
                self._route,
                headers=self._headers,
                limit=self._max_connections,
                fresh=fresh,
                trace_configs=self._trace_configs,
            )
        return self._sessions[fresh][0]

    async def aclose(self) -> None:
        for session, _ in self._sessions.values():
            await session.close()

    def abandon(self) -> None:
        """Let go of everything without the event loop, which is gone or is not here."""
        for session, pool in self._sessions.values():
            session.detach()
            pool.abandon()
        self._sessions.clear()

    def disown(self) -> None:
        """Let go of everything in a forked child: the connections are its parent's."""
        for session, pool in self._sessions.values():
            session.detach()
            pool.disown()
        self._sessions.clear()


def _data(body: bytes | None) -> bytes | io.BytesIO | None:
    # aiohttp writes bytes in one piece, and warns about more than a megabyte. It reads a file in
    # small parts, and lets others have their turn in between.
    return io.BytesIO(body) if body is not None and len(body) > _LARGE_BODY else body


@lru_cache
def _aiohttp_timeout(attempt: float | None, connect: float | None) -> aiohttp.ClientTimeout:
    # aiohttp would round more than five seconds up.
    return aiohttp.ClientTimeout(total=attempt, sock_connect=connect, ceil_threshold=inf)


def _keep_buffers() -> None:
    """Let glibc keep the memory of one answer for the next.

    asyncio reads into blocks of 256 KiB. glibc returns blocks of that size to the kernel and gets
    them back page by faulted page, a fifth of the CPU of a stream, until it has once seen a larger
    one freed. Other allocators do not care.
    """
    bytes(1 << 20)


def _checked(trace_configs: object) -> Sequence[aiohttp.TraceConfig]:
    if isinstance(trace_configs, Sequence):
        found = [config for config in trace_configs if isinstance(config, aiohttp.TraceConfig)]
        if len(found) == len(trace_configs):
            return found
    raise ConfigurationError(
        f"trace_configs must be a list of aiohttp.TraceConfig objects, not {trace_configs!r}"
    )
