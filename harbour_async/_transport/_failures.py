"""Foreign exceptions of an attempt to ours: the one place where they are translated.

An error of ours names the host and says why in words of our own. What aiohttp says of an answer
quotes its bytes, and its errors hold the request's headers, so none of them goes further. The
error of a socket does, without its traceback, whose frames hold the headers as well.
"""

from __future__ import annotations

import os
import ssl

import aiohttp

from harbour_async._transport._connections import LostError, Route
from harbour_async.errors import APIConnectionError, APITimeoutError
from harbour_async.settings import Timeout

# Alerts with which a server refuses the client's certificate, or misses one.
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA")


def translate(
    error: Exception, *, route: Route, timeout: Timeout, sent: bool
) -> APIConnectionError:
    """The error of an attempt without an answer; ``sent`` tells whether bytes may have left."""
    if isinstance(error, LostError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    socket_error = _socket_error(error)
    failure: APIConnectionError
    if isinstance(error, TimeoutError) and socket_error is None:
        failure = APITimeoutError(_timeout_text(error, route, timeout), sent=sent)
    elif _is_about_certificates(socket_error):
        failure = APIConnectionError(
            f"the certificate was refused on the way to {_host(route)}: {_why(socket_error)}",
            sent=sent,
            final=True,
        )
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        failure = APIConnectionError(
            f"the proxy {_proxy(route)} refused to connect to {_host(route)} ({error.status})",
            sent=False,
            # Asking again with the same credentials changes nothing; 408 and 429 pass.
            final=400 <= error.status < 500 and error.status not in (408, 429),
        )
    else:
        failure = APIConnectionError(_text(error, socket_error, route, sent), sent=sent)
    failure.__cause__ = _bare(socket_error)
    return failure


def _text(error: Exception, socket_error: OSError | None, route: Route, sent: bool) -> str:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"no connection to the proxy {_proxy(route)}: {_why(socket_error)}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"the answer of {_host(route)} broke off or is damaged"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{_host(route)} sent something that is not valid HTTP"
    if not sent:
        why = _why(socket_error) if socket_error else "it could not be made"
        return f"no connection to {_host(route)}: {why}"
    why = _why(socket_error) if socket_error else "the server closed it"
    return f"the connection to {_host(route)} was lost: {why}"


def _timeout_text(error: Exception, route: Route, timeout: Timeout) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection to {_host(route)} within {timeout.connect:g} s"
    return f"no answer from {_host(route)} within {timeout.attempt or 0:g} s"


def _socket_error(error: BaseException) -> OSError | None:
    """The error of a socket, of TLS or of a look-up of names behind one of aiohttp's, if any."""
    inner: BaseException | None = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
    elif isinstance(error, aiohttp.ClientError):
        inner = error.__cause__
        if isinstance(error, OSError) and not isinstance(inner, OSError):
            # Made anew, as one of the built-in kinds.
            inner = OSError(error.errno, os.strerror(error.errno)) if error.errno else None
    if isinstance(inner, aiohttp.ClientError) and inner is not error:
        return _socket_error(inner)
    if isinstance(inner, TimeoutError) and not inner.errno:
        return None  # of a timer of ours, or of aiohttp's
    return inner if isinstance(inner, OSError) else None


def _is_about_certificates(error: OSError | None) -> bool:
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    return isinstance(reason, str) and any(alert in reason for alert in _CERTIFICATE_ALERTS)


def _why(error: OSError | None) -> str:
    """In the system's words, or OpenSSL's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "TLS failed").lower().replace("_", " ")
    if error is None:
        return "unknown"
    return str(error.strerror or type(error).__name__)


def _bare(error: OSError | None) -> OSError | None:
    if error is not None:
        error.__cause__ = error.__context__ = None
        error.__traceback__ = None
    return error


def _host(route: Route) -> str:
    return f"{route.url.host}:{route.url.port}"


def _proxy(route: Route) -> str:
    return "" if route.proxy is None else f"{route.proxy.host}:{route.proxy.port}"
