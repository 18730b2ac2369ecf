"""What goes over the wire and what it means: URLs, headers, parameters, error answers. No I/O.

The sections named in the docstrings are those of Harbour's API guide v2.2.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from attrs import frozen
from yarl import URL

from harbour_async import errors
from harbour_async._decoding import decode_any, encode_json
from harbour_async.errors import APIStatusError, ConfigurationError, DecodeError

DEFAULT_BASE_URL = "https://api.myharbourshare.com/v2"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ORDER = re.compile(r"([A-Za-z_]+)(?: (ASC|DESC))?", re.IGNORECASE)
_DELTA_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)

_STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.UnprocessableEntityError,
    429: errors.RateLimitError,
}


@frozen
class Request:
    """One API request: ``path`` is relative to the base URL; it and ``query`` are escaped."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = None

    def url(self, base: URL) -> URL:
        query = f"?{self.query}" if self.query else ""
        # Escaped already: yarl would turn %2E into a dot again.
        return URL(f"{base}/{self.path}{query}", encoded=True)


def query(params: Mapping[str, str]) -> str:
    """Parameters as a query, spaces as %20."""
    return urlencode(params, quote_via=quote)


# --- settings -----------------------------------------------------------------------------


def api_key(given: str | None) -> str:
    """The key that was given, or that of HARBOUR_API_KEY ("Get your keys")."""
    key = os.environ.get("HARBOUR_API_KEY") if given is None else given
    if key is None:
        raise ConfigurationError("no API key: pass one, or set HARBOUR_API_KEY")
    if not isinstance(key, str) or not key.strip() or not key.isascii() or has_control(key):
        # The key itself stays out of the message: messages end in logs.
        raise ConfigurationError("the API key must be printable ASCII text, and not blank")
    return key


def base_url(given: str | None) -> URL:
    """The base URL; plain http only for loopback hosts ("Know the basics": HTTPS always)."""
    text = given if given is not None else os.environ.get("HARBOUR_BASE_URL") or DEFAULT_BASE_URL
    if not isinstance(text, str):
        raise ConfigurationError(f"base_url must be text, not {type(text).__name__}")
    try:
        url = URL(text.rstrip("/"))
    except ValueError as error:
        raise ConfigurationError(f"base_url is no URL: {error}") from error
    if url.user is not None or url.password is not None:
        raise ConfigurationError("base_url must not carry a user name or password")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"base_url must be an absolute https URL, not {text!r}")
    if url.raw_query_string or url.fragment or has_control(text):
        raise ConfigurationError(f"base_url must be scheme, host and path only, not {text!r}")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ConfigurationError(f"{text!r} is not encrypted: use https (http is for loopback)")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def headers(key: str, user_agent: str) -> dict[str, str]:
    """The headers of every request ("Request, response format")."""
    if not isinstance(user_agent, str) or not user_agent.isascii() or has_control(user_agent):
        raise ConfigurationError("user_agent must be printable ASCII text")
    return {
        "x-api-key": key,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": user_agent,
    }


# --- arguments ----------------------------------------------------------------------------


def segment(name: str, value: str) -> str:
    """An id as one path segment that no server can take for anything else.

    Escaped slashes are refused too: servers that unescape before they route would read them as
    further segments, and reach another resource.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be text and not empty, not {value!r}")
    if value in (".", "..") or "/" in value or "\\" in value or has_control(value):
        raise ConfigurationError(
            f"{name} must not hold slashes or control characters, nor be dots: {value!r}"
        )
    return quote(value, safe="")


def has_control(text: str) -> bool:
    """Whether there is anything in it that cannot be shown, or cannot be encoded."""
    return _CONTROL.search(text) is not None


def whole(name: str, value: int, *, low: int, high: int | None = None) -> int:
    """A whole number within bounds."""
    span = f"from {low} to {high}" if high is not None else f"of {low} or more"
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"{name} must be a whole number {span}, not {value!r}")
    if value < low or (high is not None and value > high):
        raise ConfigurationError(f"{name} must be a whole number {span}, not {value}")
    return value


def order(given: str | None) -> str:
    """``order_by`` as "field ASC" or "field DESC"; the guide's default is created_at DESC."""
    if given is None:
        return "created_at DESC"
    match = _ORDER.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ConfigurationError(
            f'order_by must be one field and a direction, like "created_at DESC", not {given!r}'
        )
    return f"{match[1]} {(match[2] or 'ASC').upper()}"


def filters(search: str | None, metadata: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The filtering parameters of a listing ("List verifications")."""
    params = {}
    if search is not None:
        if not isinstance(search, str) or has_control(search):
            raise ConfigurationError("search must be text without control characters")
        params["search"] = search
    if metadata is not None:
        params["verification_metadata"] = _metadata(metadata)
    return params


def _metadata(pairs: Mapping[str, Any]) -> str:
    if not isinstance(pairs, Mapping):
        raise ConfigurationError(f"metadata must be a mapping, not {type(pairs).__name__}")
    for name, value in pairs.items():
        if not isinstance(name, str):
            raise ConfigurationError(f"metadata names must be text, not {name!r}")
        if not isinstance(value, str | int | float | bool | None) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise ConfigurationError(
                f"metadata must be flat: {name!r} is neither text, number, bool nor None"
            )
    try:
        return encode_json(dict(pairs)).decode()
    except ValueError as error:
        raise ConfigurationError(f"metadata cannot be sent as JSON: {error}") from error


# --- answers ------------------------------------------------------------------------------


def error_from(
    *, status: int, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> APIStatusError:
    """The typed error of an answer that is no success ("Errors"); any body will do."""
    envelope = _envelope(body)
    cls = _STATUS_ERRORS.get(
        status, errors.InternalServerError if status >= 500 else APIStatusError
    )
    found = envelope.get("errors")
    return cls(
        status=status,
        method=method,
        url=url,
        code=envelope.get("error", envelope.get("code")),
        message=envelope.get("message"),
        detail=envelope.get("detail"),
        more_info=envelope.get("more_info", envelope.get("docs")),
        errors=found if isinstance(found, list) else None,
        retry_after=retry_after(headers),
        body=body.decode(errors="replace"),
    )


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        value = decode_any(body)
    except DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds from now; None if it is absent or makes no sense.

    A date is compared with the server's own ``Date`` where it sent one, so that the two clocks
    need not agree.
    """
    text = headers.get("Retry-After", "").strip()
    if _DELTA_SECONDS.fullmatch(text):
        delay = float(text)
        return delay if math.isfinite(delay) else None
    until = _timestamp(text)
    if until is None:
        return None
    now = _timestamp(headers.get("Date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def _timestamp(http_date: str) -> float | None:
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
