"""Answers as bytes: JSON, pages, and the guide's error envelope ("Errors", "Rate limits")."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from aiohttp import web

from harbour_async.sandbox._options import Envelope, RetryAfter
from harbour_async.sandbox._records import Record

_MORE_INFO = "https://knowledgebase.harbourshare.com/knowledge/errors/"
# status: error, message, detail. The guide gives 401 and 429; the other numbers are made up.
_ERRORS = {
    401: (
        2002,
        "Unauthorized access.",
        "Please, make sure your request HEADER contains the API key and it is a valid one.",
    ),
    404: (2004, "Not found.", "There is nothing at this address."),
    405: (2005, "Method not allowed.", "This address does not take this method."),
    429: (
        2003,
        "Rate limit exceeded.",
        "Your requests are over the maximum volume per minute. "
        "Please check our recommendations and try again later.",
    ),
}


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json(json.dumps(value, ensure_ascii=False).encode(errors="replace"), status, headers)


def page(
    items: list[bytes], total: int, number: int, size: int, envelope: Envelope
) -> web.Response:
    """The envelope of fastapi-pagination around rendered items."""
    numbers: Record = {"page": number, "size": size, "pages": math.ceil(total / size)}
    if envelope == "strings":
        numbers = {name: str(value) for name, value in numbers.items()}
    tail = json.dumps({"total": total, **numbers})[1:].encode()
    return _json(b'{"items": [' + b",".join(items) + b"], " + tail)


def error(
    status: int, detail: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    code, message, standard = _ERRORS.get(status, (2000, f"{phrase}.", f"{phrase}."))
    body = {
        "detail": detail or standard,
        "error": code,
        "message": message,
        "more_info": f"{_MORE_INFO}{code}",
    }
    return answer(body, status, headers)


def too_many(wait: float, style: RetryAfter | None) -> web.Response:
    """429, saying in whole seconds (never too few) or as a date when there will be room."""
    headers = {}
    if style == "seconds":
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    elif style == "date":
        headers["Retry-After"] = formatdate(math.ceil(time.time() + wait), usegmt=True)
    return error(429, headers=headers)


def _json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    headers = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(body=body, status=status, headers=headers)
