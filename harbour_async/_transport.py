"""One physical attempt: a request goes out over aiohttp, its answer or a typed error comes back.

The only module that knows aiohttp's client. Foreign exceptions end here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import aiohttp

from harbour_async.errors import (
    APIConnectionError,
    APITimeoutError,
    DeadlineExceededError,
    HarbourError,
)

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from yarl import URL

    from harbour_async._wire import Request
    from harbour_async.settings import Timeout


class Slot(Protocol):
    """What the budget wants to hear of the send it granted; the first word counts."""

    def unsent(self) -> None: ...
    def answered(self) -> None: ...
    def abandoned(self) -> None: ...


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """A connection pool; bound to the event loop in which it is made."""

    def __init__(
        self,
        *,
        base_url: URL,
        headers: Mapping[str, str],
        timeout: Timeout,
        max_connections: int,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        self._base_url = base_url
        self._attempt = timeout.attempt
        _keep_buffers()
        self._http = aiohttp.ClientSession(
            connector=_Pool(limit=max_connections),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            # The attempt's clock starts when its turn has come, so it is kept in `send`.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeout.connect),
            middlewares=(_send_once,),
            trace_configs=list(trace_configs),
        )

    async def send(self, request: Request, slot: Slot, deadline: float | None) -> Answer:
        """Send once; raises APIConnectionError or APITimeoutError if no answer comes.

        ``deadline`` is in the loop's time; if it is what cuts the attempt short, the error is
        DeadlineExceededError.
        """
        progress = _Progress()
        _progress.set(progress)
        limit, is_deadline = self._limit(deadline)
        try:
            async with (
                asyncio.timeout_at(limit),
                self._http.request(
                    request.method,
                    request.url(self._base_url),
                    data=request.body,
                    # A redirect would carry the key to wherever it points.
                    allow_redirects=False,
                ) as response,
            ):
                slot.answered()
                return Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            failure = _translate(error, request, progress.sent, is_deadline)
        finally:
            # After `answered` these go unheard.
            if progress.sent:
                slot.abandoned()
            else:
                slot.unsent()
        # Raised out here, so that its context is only what `_translate` let through.
        raise failure

    def _limit(self, deadline: float | None) -> tuple[float | None, bool]:
        """When to stop waiting for the answer, and whether that is the whole call's deadline."""
        if self._attempt is None:
            return deadline, True
        limit = asyncio.get_running_loop().time() + self._attempt
        if deadline is None or limit < deadline:
            return limit, False
        return deadline, True

    async def aclose(self) -> None:
        await self._http.close()


def _keep_buffers() -> None:
    """Let glibc keep the memory of one answer for the next.

    asyncio reads into blocks of 256 KiB. glibc returns blocks of that size to the kernel and gets
    them back page by faulted page, a fifth of the CPU of a stream, until it has once seen a larger
    one freed. Other allocators do not care.
    """
    bytes(1 << 20)


class _Progress:
    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


_progress: ContextVar[_Progress] = ContextVar("harbour_progress")


class _Pool(aiohttp.TCPConnector):
    """Notes the moment at which a request gets its connection: from then on bytes may leave.

    Tracing callbacks would tell the same, but every request would pay for all of them.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        _progress.get().sent = True
        return connection


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from resending by itself what a dead kept-alive connection swallowed.

    It resends on exactly these two errors. The budget has to grant every send and `_retry` has to
    know of it, so they leave as an error that aiohttp does not know.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LostError from error


class _LostError(aiohttp.ClientError):
    """The connection died under the request."""


def _translate(
    error: Exception, request: Request, sent: bool, is_deadline: bool
) -> APIConnectionError | DeadlineExceededError:
    what = f"{request.method} /{request.path}"
    cause: BaseException | None = error
    failure: HarbourError
    if isinstance(error, TimeoutError):
        if is_deadline and not isinstance(error, aiohttp.ClientError):
            failure = DeadlineExceededError(f"{what} was not finished in its time")
        else:
            failure = APITimeoutError(f"{what} got no answer in time", sent=sent)
    elif isinstance(error, _LostError):
        cause = error.__cause__
        failure = APIConnectionError(f"{what} lost its connection: {cause}", sent=sent)
    elif isinstance(error, aiohttp.ClientResponseError):
        cause = None  # its request_info holds the headers, and those the key
        failure = APIConnectionError(f"{what} got no valid HTTP answer: {error.message}")
    else:
        failure = APIConnectionError(f"{what} got no answer: {error}", sent=sent)
    failure.__cause__ = cause
    return failure
