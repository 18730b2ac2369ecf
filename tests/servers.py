"""Servers over real sockets that answer with exactly the bytes that a test gives them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from attrs import define, field

KEY = "test-key-5f2c"


@define
class ReceivedRequest:
    """One request as it came over the socket."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[ReceivedRequest], Awaitable[bytes | None]]


@define
class RawServer:
    """A bare HTTP/1.1 server: the handler gives the bytes of the answer, or None to hang up."""

    url: str
    received: list[ReceivedRequest] = field(factory=list)
    connections: int = 0


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of an HTTP answer; header names are given with underscores."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def raw_server(
    handler: Handler, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """A server on a free loopback port that keeps connections alive until the handler hangs up."""
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        open_writers.add(writer)
        try:
            while True:
                request = await read_request(reader)
                server.received.append(request)
                data = await handler(request)
                if data is None:
                    break
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            open_writers.discard(writer)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    scheme = "http" if tls is None else "https"
    server = RawServer(f"{scheme}://127.0.0.1:{port}/v2")
    try:
        yield server
    finally:
        listening.close()
        for writer in list(open_writers):
            writer.transport.abort()
        await asyncio.sleep(0)


async def read_request(reader: asyncio.StreamReader) -> ReceivedRequest:
    """The next request; raises IncompleteReadError at the end of the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    length = int(headers.get("Content-Length", 0))
    return ReceivedRequest(method, target, headers, await reader.readexactly(length))


@define
class Proxy:
    """An HTTP proxy: CONNECT, and plain requests in absolute form."""

    url: str
    heads: list[bytes] = field(factory=list)
    refuse: bytes | None = None


@asynccontextmanager
async def http_proxy(refuse: bytes | None = None) -> AsyncIterator[Proxy]:
    """A proxy on a free loopback port; ``refuse`` is its answer to everything, if given."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _relay(proxy, reader, writer)
        tasks.discard(task)
        writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    proxy = Proxy(f"http://127.0.0.1:{port}", refuse=refuse)
    try:
        yield proxy
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks))


async def _relay(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    proxy.heads.append(head)
    if proxy.refuse is not None:
        writer.write(proxy.refuse)
        await writer.drain()
        return
    method, target, _ = head.split(b" ", 2)
    address = target if method == b"CONNECT" else target.split(b"/")[2]
    host, port = address.decode().rsplit(":", 1)
    far_reader, far_writer = await asyncio.open_connection(host, int(port))
    if method == b"CONNECT":
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        far_writer.write(head)
    pumps = [
        asyncio.ensure_future(_pump(reader, far_writer)),
        asyncio.ensure_future(_pump(far_reader, writer)),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
