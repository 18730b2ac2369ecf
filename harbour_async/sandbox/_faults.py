"""The faults that coming requests meet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, Literal, get_args

from aiohttp import web

from harbour_async.sandbox._answers import error
from harbour_async.sandbox._arrivals import Arrival
from harbour_async.sandbox._options import Errors, is_whole

When = Literal["before", "during", "after"]
Serve = Callable[[], Awaitable[web.StreamResponse]]
"""Makes the regular answer."""
Effect = Callable[[web.Request, Serve], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Fault:
    """Applies to the next ``times`` requests (None: all) of that method and path pattern."""

    effect: Effect
    times: int | None
    method: str | None
    path: str | None

    def __post_init__(self) -> None:
        if self.times is not None and not is_whole(self.times, 1):
            raise ValueError(f"times must be at least 1, or None for all, not {self.times!r}")
        if not isinstance(self.method, str | None):
            raise ValueError(f"method must be a name like 'GET' or None, not {self.method!r}")
        self.method = self.method and self.method.upper()
        # A pattern that begins otherwise matches no path.
        if self.path is not None and not str(self.path).startswith(("/", "*", "?", "[")):
            raise ValueError(
                f"path must begin with a slash, as in '/webhooks/*', not {self.path!r}"
            )

    def applies_to(self, arrival: Arrival) -> bool:
        """Whether the fault applies to this request; if so, that counts as one of ``times``."""
        if self.times == 0 or self.method not in (None, arrival.method):
            return False
        if self.path is not None and not fnmatchcase(arrival.path, self.path):
            return False
        if self.times is not None:
            self.times -= 1
        return True


def fail(status: int, headers: Mapping[str, str], body: Any, style: Errors) -> Effect:
    """Answer with this status, without processing the request."""
    if not is_whole(status, 200, 599):
        raise ValueError(f"status must be from 200 to 599, not {status!r}")
    if not isinstance(headers, Mapping) or not all(map(_is_text, chain(*headers.items()))):
        raise ValueError(f"headers must be a mapping of texts on one line, not {headers!r}")
    match body:
        case bytes():
            content, content_type = body, "application/octet-stream"
        case str():
            content, content_type = body.encode(), "text/html; charset=utf-8"
        case _:
            content, content_type = json.dumps(body).encode(), "application/json"

    async def effect(_request: web.Request, _serve: Serve) -> web.StreamResponse:
        if body is None:
            response = error(status, style)
        else:
            typed = {"Content-Type": content_type}
            response = web.Response(status=status, headers=typed, body=content)
        response.headers.update(headers)  # replaces those of the same name in any letter case
        return response

    return effect


def drop(when: When) -> Effect:
    """Close the connection without an answer, or in the middle of it."""
    if when not in get_args(When):
        raise ValueError(f"when must be one of {get_args(When)}, not {when!r}")

    async def effect(request: web.Request, serve: Serve) -> web.StreamResponse:
        response: web.StreamResponse = web.Response()
        if when != "before":
            response = await serve()
        if when == "during":
            await _send_half(request, response)
        if request.transport is not None:
            request.transport.close()
        return response

    return effect


def delay(seconds: float) -> Effect:
    """Serve as usual, but later."""
    if isinstance(seconds, bool) or not (isinstance(seconds, int | float) and seconds >= 0):
        raise ValueError(f"seconds must be 0 or more, not {seconds!r}")

    async def effect(_request: web.Request, serve: Serve) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await serve()

    return effect


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


async def _send_half(request: web.Request, whole: web.StreamResponse) -> None:
    body = whole.body if isinstance(whole, web.Response) else None
    body = body if isinstance(body, bytes) else b""  # a 204 has none
    half = web.StreamResponse(status=whole.status, headers=whole.headers)
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
