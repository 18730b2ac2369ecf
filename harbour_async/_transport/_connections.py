"""Connections: a pool, and fresh ones; each tells when it is given to a request."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
from attrs import frozen
from yarl import URL

from harbour_async._wire import environment_proxy, is_loopback, proxy_url
from harbour_async.errors import ConfigurationError
from harbour_async.settings import Network

if TYPE_CHECKING:
    from aiohttp.connector import Connection

# A server may send 32 KiB of headers, in one line or in many; aiohttp's own limits are lower.
_LONGEST_LINE = 40 * 1024
_MOST_LINES = 2048


class AttemptState:
    """How far one attempt has come: ``sent`` once bytes may have left."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent: bool = False


attempt_state: ContextVar[AttemptState] = ContextVar("harbour_attempt_state")


class LostError(aiohttp.ClientError):
    """The connection died under the request."""


class Pool(aiohttp.TCPConnector):
    """Notes the moment at which a request gets its connection: from then on bytes may leave.

    A proxy's CONNECT and the TLS handshake are over by then. Tracing callbacks would tell the same,
    but every request would pay for all of them.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        attempt_state.get().sent = True
        return connection

    def abandon(self) -> None:
        """Let go of the sockets without an event loop; aiohttp's finalizer does the same."""
        self._close()

    def disown(self) -> None:
        """Leave the sockets as they are, in a forked child.

        Closing them would take them out of the epoll set, which parent and child share, and the
        parent would get no more answers.
        """
        self._closed = True  # so that aiohttp's finalizer does not close them either


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
        raise LostError from error


@frozen(eq=False, repr=False)
class Route:
    """How the host is reached: TLS settings and proxy, checked and in aiohttp's terms."""

    network: Network
    url: URL
    proxy: URL | None
    _credentials: str | None

    @classmethod
    def to(cls, url: URL, network: Network) -> Route:
        """Raises ConfigurationError for a context that does not verify, or a bad proxy."""
        _check_context(network.ssl, url)
        proxy = proxy_url(network.proxy)
        if proxy is None and network.trust_env:
            proxy = environment_proxy(url)
        credentials = None
        if proxy is not None and (proxy.user is not None or proxy.password is not None):
            pair = f"{proxy.user or ''}:{proxy.password or ''}"
            credentials = f"Basic {base64.b64encode(pair.encode()).decode()}"
            proxy = proxy.with_user(None)
        return cls(network, url, proxy, credentials)

    def options(self) -> dict[str, Any]:
        """What aiohttp is told with each request: nothing without a proxy."""
        if self.proxy is None:
            return {}
        options: dict[str, Any] = {"proxy": self.proxy}
        if self._credentials is not None and self.url.scheme == "https":
            options["proxy_headers"] = {"Proxy-Authorization": self._credentials}
        return options

    def refused_by_proxy(self, status: int) -> bool:
        """Whether the proxy gave this answer, and not the API (RFC 9110, section 15.5.8)."""
        # Through a tunnel, which is made for https, only the API answers.
        return status == 407 and self.proxy is not None and self.url.scheme == "http"

    def headers(self) -> dict[str, str]:
        """Headers of each request: without TLS there is no CONNECT, and the proxy reads these."""
        if self._credentials is None or self.url.scheme == "https":
            return {}
        return {"Proxy-Authorization": self._credentials}

    def __repr__(self) -> str:
        return f"Route({self.url})"


def _check_context(context: ssl.SSLContext | None, url: URL) -> None:
    if context is None or is_loopback(url):
        return
    if context.verify_mode == ssl.CERT_NONE or not context.check_hostname:
        raise ConfigurationError(
            f"Network.ssl does not verify certificates and host names, which {url.host} needs: "
            "only loopback hosts may do without"
        )


def http_session(
    route: Route,
    *,
    headers: Mapping[str, str],
    limit: int,
    fresh: bool,
    trace_configs: Sequence[aiohttp.TraceConfig],
) -> tuple[aiohttp.ClientSession, Pool]:
    """A session of aiohttp's; with ``fresh``, each of its requests gets a connection of its own.

    aiohttp has no public way to ask a pool for a fresh connection.
    """
    pooling: dict[str, Any] = (
        {"force_close": True} if fresh else {"keepalive_timeout": route.network.keepalive}
    )
    if route.network.ssl is not None:
        pooling["ssl"] = route.network.ssl
    pool = Pool(limit=limit, **pooling)
    session = aiohttp.ClientSession(
        connector=pool,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_field_size=_LONGEST_LINE,
        max_headers=_MOST_LINES,
        middlewares=(_send_once,),
        trace_configs=list(trace_configs),
    )
    return session, pool
