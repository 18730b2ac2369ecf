"""The middleware that every request passes: log, callbacks, limit, faults, latency and key."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from http import HTTPStatus

from aiohttp import web

from harbour_async.sandbox import _answers
from harbour_async.sandbox._arrivals import Arrival, RollingWindow
from harbour_async.sandbox._bodies import UnreadableError
from harbour_async.sandbox._endpoints import MissingError
from harbour_async.sandbox._faults import Fault
from harbour_async.sandbox._options import Options
from harbour_async.sandbox._query import InvalidError

Callback = Callable[[Arrival], object]
_current: ContextVar[Arrival] = ContextVar("arrival")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """The application's one middleware, and its log."""

    def __init__(self, options: Options) -> None:
        self.arrivals: list[Arrival] = []
        self.rejections = 0
        self.faults: list[Fault] = []
        self.callbacks: list[Callback] = []
        self.between_callbacks: list[Callback] = []
        self.answer_callbacks: list[Callback] = []
        self._options = options
        self._window = RollingWindow()
        self._random = random.Random(options.seed)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        arrival = Arrival(
            time=time.monotonic(),
            method=request.method,
            path=request.rel_url.raw_path.removeprefix("/v2"),
            query=request.query,
            headers=request.headers,
        )
        self.arrivals.append(arrival)
        # The limit comes first: requests that are refused or dropped afterwards count too.
        options = self._options
        wait = self._window.wait(arrival.time, options.rate_limit, options.per)
        _current.set(arrival)
        await _call(self.callbacks, arrival)
        if seconds := self._latency():
            await asyncio.sleep(seconds)
        if wait is not None:
            self.rejections += 1
            response: web.StreamResponse = _answers.too_many(
                wait, options.retry_after, options.errors
            )
        else:
            response = await self._admitted(arrival, request, handler)
        if request.transport is not None and not request.transport.is_closing():
            arrival.status = response.status
        await _call(self.answer_callbacks, arrival)
        return response

    async def between_count_and_rows(self) -> None:
        """Run the callbacks for the list that this task is answering."""
        await _call(self.between_callbacks, _current.get())

    async def _admitted(
        self, arrival: Arrival, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        async def serve() -> web.StreamResponse:
            return await self._serve(request, handler)

        for fault in self.faults:
            if fault.applies_to(arrival):
                return await fault.effect(request, serve)
        return await serve()

    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        options = self._options
        if request.headers.get("x-api-key") != options.api_key:
            return _answers.error(401, options.errors)
        try:
            return await handler(request)
        except InvalidError as error:
            return _answers.invalid(error.detail, options.errors)
        except UnreadableError:
            return _answers.answer({"detail": "There was an error parsing the body"}, 400)
        except MissingError:
            return _answers.error(404, options.errors, "There is no such record.")
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            if options.unknown_route is not None:
                phrase = HTTPStatus(options.unknown_route).phrase
                return _answers.answer({"message": phrase}, options.unknown_route)
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            outside = error.status == 404 and not request.path.startswith("/v2/")
            hint = "There is nothing at this address: paths begin with /v2." if outside else None
            return _answers.error(error.status, options.errors, hint, headers=allow)
        except web.HTTPRequestEntityTooLarge as error:
            return _answers.error(error.status, options.errors)

    def _latency(self) -> float:
        latency = self._options.latency
        return self._random.uniform(*latency) if isinstance(latency, tuple) else latency


async def _call(callbacks: list[Callback], arrival: Arrival) -> None:
    for callback in tuple(callbacks):
        result = callback(arrival)
        if inspect.isawaitable(result):
            await result
