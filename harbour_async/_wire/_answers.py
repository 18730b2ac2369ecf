"""Error answers: the typed error of a status, and how long to wait before the next attempt."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from harbour_async import errors
from harbour_async._decoding import decode_any
from harbour_async._wire._request import Request
from harbour_async.errors import APIStatusError, DecodeError

_DELTA_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.UnprocessableEntityError,
    429: errors.RateLimitError,
}

# Media types that an error may name. Others are not quoted, because the server may send anything.
_KNOWN_TYPES = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "application/pdf",
        "application/problem+json",
        "application/xml",
        "application/zip",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
        "text/xml",
    }
)

Redact = Callable[[str], str]


def json_text(body: bytes) -> bytes:
    """The body without a byte order mark, which a parser may ignore (RFC 8259, section 8.1)."""
    return body.removeprefix(_BYTE_ORDER_MARK)


def content_type(headers: Mapping[str, str]) -> str | None:
    """The body's media type, if it is a well-known one; None if the answer names none."""
    # Of a plain dict, names have the case they came in; many servers send them in lower case.
    values = [value for name, value in headers.items() if name.lower() == "content-type"]
    given = "".join(values[:1]).partition(";")[0].strip().lower()
    if not given:
        return None
    return given if given in _KNOWN_TYPES else "of another type"


def error_from(
    request: Request,
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    redact: Redact = str,
) -> APIStatusError:
    """Build the typed error of an answer other than 2xx ("Errors"). The body may be anything.

    ``redact`` takes secrets out of a text: a server that echoes the key must not get it into an
    error, and so into a log. It is applied to the values as well as to the body, because JSON can
    spell one text in many ways.
    """
    envelope = _redacted(_envelope(body), redact)
    code, message = _code_and_message(envelope)
    found = envelope.get("errors")
    kept = {redact(name): redact(value) for name, value in headers.items()}
    cls = _STATUS_ERRORS.get(
        status, errors.InternalServerError if 500 <= status < 600 else APIStatusError
    )
    error = cls(
        status=status,
        method=request.method,
        url=f"/{request.path}",
        code=code,
        message=message,
        detail=envelope.get("detail"),
        more_info=_text_or_none(envelope.get("more_info", envelope.get("docs"))),
        errors=found if isinstance(found, list) else None,
        retry_after=retry_after(headers),
        headers=kept,
        request_id=redact(headers.get("X-Request-ID", "")) or None,
        body=redact(body.decode(errors="replace")),
    )
    error.request = request.info
    return error


def _code_and_message(envelope: dict[str, Any]) -> tuple[int | str | None, str | None]:
    """Early drafts of the vendor's answers nest both: ``{"error": {"type", "message"}}``."""
    code, message = envelope.get("error", envelope.get("code")), envelope.get("message")
    if isinstance(code, dict):
        message = message or code.get("message")
        code = code.get("code", code.get("type"))
    if isinstance(code, bool) or not isinstance(code, int | str):
        code = None
    return code, _text_or_none(message)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        value = decode_any(json_text(body))
    except DecodeError:
        return {}
    fields = value.items() if isinstance(value, dict) else ()
    return {name: item for name, item in fields if item is not None}


def _redacted(value: Any, redact: Redact) -> Any:
    # The decoder bounds the depth: a value that Python cannot recurse into is a DecodeError.
    try:
        return _redacted_deep(value, redact)
    except RecursionError:
        return {}


def _redacted_deep(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): _redacted_deep(item, redact) for name, item in value.items()}
    if isinstance(value, list):
        return [_redacted_deep(item, redact) for item in value]
    return value


def retry_after(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds from now; None if it is absent or cannot be read.

    A date is compared with the server's own ``Date`` if it sent one, so that a difference between
    the two clocks does not matter.
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
        moment = parsedate_to_datetime(http_date)
        # "-0000" and asctime dates have no zone and mean UTC (RFC 9110, section 5.6.7);
        # `timestamp` would take them for local time.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
