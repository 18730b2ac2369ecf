"""Answers as bytes: JSON, pages, and the guide's error envelope ("Errors", "Rate limits")."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from aiohttp import web

from harbour_async.sandbox._options import Envelope, Errors, RetryAfter
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
    422: (3001, "Validation error.", "Correct the values and send the request again."),
    429: (
        2003,
        "Rate limit exceeded.",
        "Your requests are over the maximum volume per minute. "
        "Please check our recommendations and try again later.",
    ),
}
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return plain(_dump(value).encode(errors="replace"), status, headers)


def page(
    items: list[bytes], total: int, number: int, size: int, envelope: Envelope
) -> web.Response:
    """The envelope of fastapi-pagination around rendered items."""
    numbers: Record = {"page": number, "size": size, "pages": math.ceil(total / size)}
    if envelope == "strings":
        numbers = {name: str(value) for name, value in numbers.items()}
    tail = _dump({"total": total, **numbers})[1:].encode()
    return plain(b'{"items":[' + b",".join(items) + b"]," + tail)


def error(
    status: int,
    style: Errors,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Iterable[Record] = (),
) -> web.Response:
    """The guide's envelope, or that of Harbour's newer endpoints, which can list ``errors``."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    code, message, standard = _ERRORS.get(status, (2000, f"{phrase}.", f"{phrase}."))
    docs = f"{_MORE_INFO}{code}"
    body: Record = {"detail": detail or standard, "message": message}
    if style == "guide":
        body |= {"error": code, "more_info": docs}
    else:
        body |= {"code": code, "docs": docs, "errors": list(errors)}
    return answer(body, status, headers)


def invalid(objections: list[Record], style: Errors) -> web.Response:
    """422: FastAPI's list of errors, or the same in the envelope of the newer endpoints."""
    if style == "guide":
        return answer({"detail": objections}, 422)
    code, _, resolution = _ERRORS[422]
    errors = [
        {
            "path": ".".join(map(str, objection["loc"])),
            "code": code,
            "message": objection["msg"],
            "resolution": resolution,
            "docs": f"{_MORE_INFO}{code}",
        }
        for objection in objections
    ]
    return error(422, style, errors=errors)


def too_many(wait: float, retry_after: RetryAfter | None, style: Errors) -> web.Response:
    """429, with ``Retry-After`` in whole seconds, rounded up, or as a date."""
    headers = {}
    if retry_after == "seconds":
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    elif retry_after == "date":
        headers["Retry-After"] = formatdate(math.ceil(time.time() + wait), usegmt=True)
    return error(429, style, headers=headers)


def plain(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer of these bytes as JSON."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(body=body, status=status, headers=headers)
