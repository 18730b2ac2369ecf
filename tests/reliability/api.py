"""The API over raw sockets, for tests that damage its answers byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import Factory, define, field

from harbour_async import HarbourSession, RateLimit, Retry, Timeout
from tests.servers import KEY, ReceivedRequest, read_request

PERSON = "Jane-Canary-Doe"
"""A name in every damaged answer. It must not leave the attributes of an APIStatusError."""

RECORDS = 130
PAGE_SIZE = 50
BASE = 1_685_000_000_000
"""Epoch milliseconds of the first record."""

IDS = [f"VERIFICATION-{n:04}" for n in reversed(range(RECORDS))]
"""In the order of a walk: the newest first."""

NORMAL = {
    "timeout": Timeout(60, 30, 10),
    "retry": Retry(3, base_delay=0.5, max_delay=8.0),
    "user_agent": "tests",  # finding out the package's version takes longer than a case
}


def http(status: int, body: bytes, **headers: str) -> bytes:
    """An answer with its length; header names are given with underscores."""
    lines = [f"HTTP/1.1 {status} Reason", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@define
class Exchange:
    """One request, the right answer to it, and the socket to answer on."""

    request: ReceivedRequest
    status: int
    body: Any
    writer: asyncio.StreamWriter

    @property
    def json(self) -> bytes:
        return json.dumps(self.body).encode()

    @property
    def is_page(self) -> bool:
        return "page=" in self.request.target

    def marked(self, **fields: Any) -> bytes:
        """The right body with some fields changed, and with a person's name and the key."""
        return json.dumps({**self.body, "note": f"{PERSON} {KEY}", **fields}).encode()

    async def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.writer.write(chunk)
        await self.writer.drain()

    def hang_up(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with RST instead of FIN, as a crashed process or a firewall does."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Effect = Callable[[Exchange], Awaitable[None]]
"""What a fault does instead of sending the right answer."""


@define(eq=False)
class Api:
    """Verifications to list, get and delete, and webhooks to create and update, in memory.

    ``effect`` takes the place of the answer to ``times`` requests of ``method`` ("*": any) from
    number ``first`` on. A write is carried out before that, unless ``unprocessed``.
    """

    url: str = ""
    port: int = 0
    received: list[ReceivedRequest] = field(factory=list)
    alive: dict[str, int] = Factory(lambda: {id_: BASE - n * 1000 for n, id_ in enumerate(IDS)})
    created: list[str] = field(factory=list)
    updated: list[str] = field(factory=list)
    effect: Effect | None = None
    unprocessed: bool = False
    method: str = "GET"
    first: int = 0
    times: int = 1_000_000
    faults: int = 0
    """How many requests met the fault."""

    _matched: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(factory=set)
    _tasks: set[asyncio.Task[Any]] = field(factory=set)

    def inject(
        self, effect: Effect, method: str, first: int, times: int, *, unprocessed: bool
    ) -> None:
        """Answer some requests with a fault from now on."""
        self.effect, self.method, self.first, self.times = effect, method, first, times
        self.unprocessed, self.faults, self._matched = unprocessed, 0, 0

    def recover(self) -> None:
        """Answer all requests rightly from now on."""
        self.effect = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v2"

    async def refuse(self) -> None:
        """From now on connections are refused, and those that are open are gone."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        await self.refuse()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        return self._tasks

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            while not writer.is_closing():
                await self._exchange(await read_request(reader), writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        self.received.append(request)
        effect = self._effect_for(request)
        unprocessed = effect is not None and self.unprocessed
        status, body = (503, {}) if unprocessed else self._answer(request)
        if effect is None:
            writer.write(http(status, json.dumps(body).encode()))
            await writer.drain()
        else:
            self.faults += 1
            await effect(Exchange(request, status, body, writer))

    def _effect_for(self, request: ReceivedRequest) -> Effect | None:
        if self.effect is None or self.method not in ("*", request.method):
            return None
        number, self._matched = self._matched, self._matched + 1
        return self.effect if self.first <= number < self.first + self.times else None

    def _answer(self, request: ReceivedRequest) -> tuple[int, dict[str, Any]]:
        target = urlsplit(request.target)
        _, kind, *rest = target.path.strip("/").split("/")
        if kind == "webhooks":
            return self._webhook(request, rest)
        if kind != "verifications":
            return 404, {"error": 404, "message": "no such route"}
        if not rest:
            return 200, self._page({key: v[0] for key, v in parse_qs(target.query).items()})
        if rest[0] not in self.alive:
            return 404, {"error": 404, "message": "no such verification"}
        if request.method == "DELETE":
            del self.alive[rest[0]]
            return 200, {"verification_id": rest[0], "event_datetime": BASE}
        return 200, self._record(rest[0])

    def _page(self, asked: dict[str, str]) -> dict[str, Any]:
        number, size = int(asked["page"]), int(asked["size"])
        ids = sorted(self.alive, reverse="DESC" in asked.get("order_by", "DESC"))
        return {
            "items": [self._record(id_) for id_ in ids[(number - 1) * size : number * size]],
            "total": len(ids),
            "page": number,
            "size": size,
            "pages": -(-len(ids) // size),
        }

    def _record(self, id_: str) -> dict[str, Any]:
        moment = self.alive[id_]
        return {"verification_id": id_, "created_at": moment, "updated_at": moment}

    def _webhook(self, request: ReceivedRequest, rest: list[str]) -> tuple[int, dict[str, Any]]:
        if request.method == "POST":
            self.created.append(json.loads(request.body)["destination_url"])
            return 200, {"webhook_id": f"wb_{len(self.created)}", "event_datetime": BASE}
        if request.method == "PUT":
            self.updated.append(json.loads(request.body)["destination_url"])
        return 200, {"webhook_id": rest[0], "event_datetime": BASE}


@asynccontextmanager
async def talking(**settings: Any) -> AsyncIterator[tuple[HarbourSession, Api]]:
    """A session with an API of its own."""
    api = Api()
    await api.listen()
    options: dict[str, Any] = {**NORMAL, "api_key": KEY} | settings
    if "budget" not in options:
        options.setdefault("rate_limit", RateLimit.unlimited())
    try:
        async with HarbourSession(base_url=api.url, **options) as harbour:
            yield harbour, api
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await api.aclose()


@asynccontextmanager
async def refusing(
    attempts: int,
) -> AsyncIterator[tuple[HarbourSession, Api, Callable[[], Awaitable[None]]]]:
    """A session, its API, and a function that makes the API refuse so many connections.

    The key is asked for before each attempt, so the key's source counts the attempts.
    """
    left = 0

    async def key() -> str:
        nonlocal left
        if left:
            left -= 1
            if not left:
                await api.listen()
        return KEY

    async def refuse() -> None:
        nonlocal left
        left = attempts + 1
        await api.refuse()

    async with talking(api_key=key) as (harbour, api):
        yield harbour, api, refuse
