"""Bodies and headers of any size and kind are read, or refused in bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harbour_async import (
    APIConnectionError,
    DecodeError,
    HarbourError,
    HarbourSession,
    RateLimit,
    ResponseTooLargeError,
    Retry,
    Timeout,
)
from tests.servers import KEY, Handler, RawServer, ReceivedRequest, answer, raw_server

RECORD = b'{"verification_id": "VERIFICATION-1"}'
MARK = b"\xef\xbb\xbf"
MEBIBYTE = 1 << 20


@asynccontextmanager
async def talking(
    handler: Handler, **settings: Any
) -> AsyncIterator[tuple[HarbourSession, RawServer]]:
    options: dict[str, Any] = {
        "retry": Retry(attempts=2, base_delay=0.001, max_delay=0.002),
        "timeout": Timeout(30, 20, 5),
        "rate_limit": RateLimit.unlimited(),
    } | settings
    async with (
        raw_server(handler) as server,
        HarbourSession(KEY, base_url=server.url, **options) as harbour,
    ):
        yield harbour, server


def answering(data: bytes) -> Handler:
    async def handler(_: ReceivedRequest) -> bytes:
        return data

    return handler


@pytest.mark.parametrize("status", [200, 503])
async def test_a_body_without_end_is_refused_at_the_limit(status: int) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    writing = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        try:
            while True:
                writer.write(chunk)
                await writer.drain()
        except OSError:  # hung up on
            writing.set()
        writer.close()

    listening = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with HarbourSession(
        KEY, base_url=f"http://127.0.0.1:{port}", max_response_bytes=MEBIBYTE
    ) as harbour:
        with pytest.raises(ResponseTooLargeError, match="max_response_bytes") as caught:
            await harbour.verifications.get("VERIFICATION-1")
        async with asyncio.timeout(20):
            await writing.wait()
    listening.close()
    assert (caught.value.limit, caught.value.status) == (MEBIBYTE, status)
    assert caught.value.attempts == 1
    assert str(caught.value.request) == "GET /verifications/VERIFICATION-1"


async def test_a_compressed_bomb_is_refused_in_bounded_memory() -> None:
    bomb = gzip.compress(b" " * (64 * MEBIBYTE), 1)
    data = answer(200, bomb, Content_Encoding="gzip")
    async with talking(answering(data), max_response_bytes=2 * MEBIBYTE) as (harbour, server):
        tracemalloc.start()
        with pytest.raises(ResponseTooLargeError):
            await harbour.verifications.get("VERIFICATION-1")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(server.received) == 1
    assert peak < 24 * MEBIBYTE


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = RECORD.ljust(MEBIBYTE)
    async with talking(answering(answer(200, body)), max_response_bytes=MEBIBYTE) as (harbour, _):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
    async with talking(answering(answer(200, body)), max_response_bytes=MEBIBYTE - 1) as (
        harbour,
        _,
    ):
        with pytest.raises(ResponseTooLargeError):
            await harbour.verifications.get("VERIFICATION-1")


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Big": "x" * 32 * 1024},
        {f"X_{n}": "x" * 32 for n in range(800)},
    ],
)
async def test_headers_of_32_kibibytes_are_read(headers: dict[str, str]) -> None:
    async with talking(answering(answer(200, RECORD, **headers))) as (harbour, server):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
    assert len(server.received) == 1


async def test_headers_without_end_are_an_error() -> None:
    data = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"
    async with talking(answering(data)) as (harbour, _):
        with pytest.raises(APIConnectionError, match="not valid HTTP"):
            await harbour.verifications.get("VERIFICATION-1")


async def test_every_decoder_ignores_a_byte_order_mark() -> None:
    page = b'{"items": [{"verification_id": "V", "created_at": "1"}], "total": 1}'

    async def marked(request: ReceivedRequest) -> bytes:
        return answer(200, MARK + (page if "page=" in request.target else RECORD))

    async with talking(marked) as (harbour, _):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
        assert len(await harbour.verifications.list().to_list()) == 1
        assert (await harbour.verifications.page()).total == 1
        assert (await harbour.verifications.delete("VERIFICATION-1")).verification_id


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Content_Type": "text/html; charset=utf-8"}, "text/html"),
        ({"Content_Type": "jane/doe"}, "of another type"),
        ({}, "of no type"),
    ],
)
async def test_a_decode_error_names_request_status_and_kind_of_body(
    headers: dict[str, str], kind: str
) -> None:
    async with talking(answering(answer(203, b"<html>Jane</html>", **headers))) as (harbour, _):
        with pytest.raises(DecodeError) as caught:
            await harbour.verifications.page(3)
    assert caught.value.status == 203
    message = str(caught.value)
    assert message.startswith("GET /verifications (page 3): ")
    assert message.endswith(f"(status 203, the body is {kind}, 17 bytes)")
    assert "Jane" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("informational", [100, 102, 103])
async def test_informational_answers_are_skipped(informational: int) -> None:
    data = f"HTTP/1.1 {informational} X\r\nLink: <x>\r\n\r\n".encode() * 3 + answer(200, RECORD)
    async with talking(answering(data)) as (harbour, _):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id


@pytest.mark.parametrize(
    "data",
    [
        answer(204),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + RECORD,
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + RECORD,
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n" + RECORD,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00" * 1000,
        answer(200, b'{"verification_id": "\xff"}'),
        answer(200, b'{"verification_id": NaN}'),
        answer(200, b'{"verification_id": ' + b"9" * 5000 + b"}"),
        answer(200, b"[" * 100_000),
        answer(200, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        answer(200, RECORD, Content_Encoding="br"),
        answer(200, RECORD, Content_Encoding="gzip"),
    ],
)
async def test_a_broken_answer_is_one_typed_error(data: bytes) -> None:
    async def handler(_: ReceivedRequest) -> bytes | None:
        return data if len(server.received) < 2 else None

    async with talking(handler, timeout=Timeout(5, 0.5, 1)) as (harbour, server):
        with pytest.raises(HarbourError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
        assert caught.value.request is not None


async def test_a_post_is_never_sent_over_a_connection_that_was_idle() -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        return answer(200, b'{"webhook_id": "wb_1"}')

    async with talking(handler) as (harbour, server):
        await harbour.webhooks.get("wb_1")
        for _ in range(3):
            await harbour.webhooks.create("https://destination.example")
        await harbour.webhooks.get("wb_1")
    assert server.connections == 1 + 3


async def test_a_post_is_not_lost_to_a_server_that_closes_idle_connections() -> None:
    """The server says keep-alive and hangs up as soon as it has answered."""
    created = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")),
            0,
        )
        await reader.readexactly(length)
        if head.startswith(b"POST"):
            created.append(1)
        writer.write(answer(200, b'{"webhook_id": "wb_1"}'))
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with HarbourSession(
        KEY, base_url=f"http://127.0.0.1:{port}", rate_limit=RateLimit.unlimited()
    ) as harbour:
        for _ in range(50):
            await harbour.webhooks.create("https://destination.example")
            await harbour.webhooks.get("wb_1")
    listening.close()
    assert len(created) == 50
