"""An aiohttp.web service in front of Harbour that answers fast while it exports everything.

    $ pip install harbour-async
    $ HARBOUR_API_KEY=... python examples/aiohttp_service.py

One process, one session: all requests and the export share its connections and its rate budget.
The records are personal data and this service has no users: put your own authentication before it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from harbour_async import (
    APITimeoutError,
    DeadlineExceededError,
    HarbourError,
    HarbourSession,
    NotFoundError,
    Priority,
    RateLimitError,
    Verification,
    export,
    to_dict,
)

EXPORT = os.environ.get("EXPORT_PATH", "verifications.jsonl")
SHOWN = (
    "verification_id",
    "status",
    "result",
    "verification_type",
    "created_at",
    "updated_at",
)
HARBOUR = web.AppKey("HARBOUR", HarbourSession)
EXPORTS = web.AppKey("EXPORTS", list[asyncio.Task[export.ExportReport]])

log = logging.getLogger("aiohttp_service")
routes = web.RouteTableDef()


def shown(v: Verification) -> dict[str, Any]:
    """The fields of a record that this service shows."""
    record = to_dict(v, dates="iso")
    return {name: record.get(name) for name in SHOWN}


@routes.get("/verifications/{verification_id}")
async def verification(request: web.Request) -> web.Response:
    # A single call is Priority.INTERACTIVE: it goes before all pages of the export.
    v = await request.app[HARBOUR].verifications.get(request.match_info["verification_id"])
    return web.json_response(shown(v))


@routes.get("/people/{internal_id}/verifications")
async def verifications_of(request: web.Request) -> web.Response:
    # A listing would be BULK, but for this one somebody waits.
    pager = request.app[HARBOUR].verifications.list(
        metadata={"internal_id": request.match_info["internal_id"]},
        priority=Priority.INTERACTIVE,
        timeout=10,
    )
    return web.json_response([shown(v) async for v in pager])


@routes.put("/export")
async def start_export(request: web.Request) -> web.Response:
    exports = request.app[EXPORTS]
    if not exports or exports[-1].done():  # one at a time
        # A listing is Priority.BULK: it takes what the requests leave of the rate limit.
        pager = request.app[HARBOUR].verifications.list()
        exports[:] = [asyncio.create_task(export.export(pager, EXPORT))]
    return web.json_response({"state": state(exports)}, status=202)


@routes.get("/export")
async def export_state(request: web.Request) -> web.Response:
    return web.json_response({"state": state(request.app[EXPORTS])})


def state(exports: list[asyncio.Task[export.ExportReport]]) -> str:
    match exports:
        case []:
            return "none"
        case [task] if not task.done():
            return "running"
        case [task] if task.cancelled() or task.exception():
            return "failed"
    return "done"


@web.middleware
async def harbour_failed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log what Harbour said, and answer with a status only."""
    try:
        return await handler(request)
    except HarbourError as error:
        log.warning("%s: %s", type(error).__name__, error)
        match error:
            case NotFoundError():
                raise web.HTTPNotFound from None
            case RateLimitError():
                raise web.HTTPServiceUnavailable from None
            case DeadlineExceededError() | APITimeoutError():
                raise web.HTTPGatewayTimeout from None
        raise web.HTTPBadGateway from None


async def lifespan(app: web.Application) -> AsyncIterator[None]:
    # A person waits ten seconds at most; a service that only shows cannot delete by mistake.
    async with HarbourSession(timeout=10, read_only=True) as harbour:
        app[HARBOUR], app[EXPORTS] = harbour, []
        yield
        # Before the session closes. What came is kept: the next export to the file goes on there.
        for task in app[EXPORTS]:
            task.cancel()
            await asyncio.wait([task])


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    app = web.Application(middlewares=[harbour_failed])
    app.add_routes(routes)
    app.cleanup_ctx.append(lifespan)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(os.environ.get("PORT", "8000")),
        # A client that hangs up cancels its handler, and so the call to Harbour: nothing further
        # is sent, and the turn that it waited for goes to the next.
        handler_cancellation=True,
        shutdown_timeout=15,  # on SIGTERM requests may finish, for so long
    )


if __name__ == "__main__":
    main()
