"""One attempt after another over real sockets, against servers that behave badly."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from harbour_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DeadlineExceededError,
    DecodeError,
    HarbourError,
    HarbourSession,
    InternalServerError,
    Network,
    NotFoundError,
    RateLimit,
    RateLimitError,
    Retry,
    Timeout,
)
from tests.exposed import exposed_text
from tests.servers import KEY, Handler, RawServer, ReceivedRequest, answer, raw_server

BRISK = Timeout(total=5, attempt=2, connect=1)
FAST = Retry(attempts=3, base_delay=0.001, max_delay=0.002)
RECORD = b'{"verification_id": "VERIFICATION-1"}'
RECEIPT = b'{"verification_id": "VERIFICATION-1", "event_datetime": 1685452157000}'


@asynccontextmanager
async def talking(
    handler: Handler, *, retry: Retry = FAST, timeout: Timeout = BRISK
) -> AsyncIterator[tuple[HarbourSession, RawServer]]:
    async with (
        raw_server(handler) as server,
        HarbourSession(
            KEY, base_url=server.url, retry=retry, timeout=timeout, rate_limit=RateLimit.unlimited()
        ) as harbour,
    ):
        yield harbour, server


def script(*answers: bytes | None) -> Handler:
    """Answer in turn, and repeat the last one."""
    left = list(answers)

    async def handler(_: ReceivedRequest) -> bytes | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return handler


async def test_every_request_carries_the_key_and_the_content_type() -> None:
    async with talking(script(answer(200, RECORD))) as (harbour, server):
        await harbour.verifications.get("VERIFICATION-1")
    headers = server.received[0].headers
    assert headers["x-api-key"] == KEY
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("harbour-async/")


async def test_a_large_body_is_sent_whole_each_time() -> None:
    fields = {"text": "é" * 2_000_000}
    async with talking(script(answer(503), answer(200, RECORD))) as (harbour, server):
        await harbour.request("PUT", "webhooks/w", json=fields)
    assert [json.loads(request.body) for request in server.received] == [fields, fields]
    assert all(request.headers["Content-Type"] == "application/json" for request in server.received)


TRANSIENT = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527, 529, 530]


@pytest.mark.parametrize("status", TRANSIENT)
async def test_a_temporary_failure_is_retried(status: int) -> None:
    async with talking(script(answer(status), answer(200, RECORD))) as (harbour, server):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "status", [101, 300, 304, 307, 400, 401, 409, 418, 422, 501, 505, 525, 599]
)
async def test_a_final_failure_is_not_retried(status: int) -> None:
    async with talking(script(answer(status))) as (harbour, server):
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert caught.value.status == status
    assert len(server.received) == 1


async def test_attempts_are_counted_and_the_last_error_is_raised() -> None:
    async with talking(script(answer(503))) as (harbour, server):
        with pytest.raises(InternalServerError):
            await harbour.verifications.get("VERIFICATION-1")
    assert len(server.received) == FAST.attempts


async def test_one_attempt_means_no_retry_and_no_hidden_resend() -> None:
    """aiohttp by itself sends a GET again when a kept-alive connection dies under it."""
    async with talking(script(answer(200, RECORD), None), retry=Retry(attempts=1)) as (
        harbour,
        server,
    ):
        await harbour.verifications.get("VERIFICATION-1")
        with pytest.raises(APIConnectionError):
            await harbour.verifications.get("VERIFICATION-1")
    assert len(server.received) == 2


async def test_a_lost_connection_is_opened_again() -> None:
    async with talking(script(None, answer(200, RECORD))) as (harbour, server):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
    assert len(server.received) == 2


@pytest.mark.parametrize("first", [None, answer(500), answer(503), answer(502)])
async def test_a_post_that_may_have_been_processed_is_not_sent_again(first: bytes | None) -> None:
    async with talking(script(first, answer(200, b'{"webhook_id": "wb_1"}'))) as (harbour, server):
        with pytest.raises((APIConnectionError, InternalServerError)):
            await harbour.webhooks.create("https://destination.example")
    assert len(server.received) == 1


async def test_a_post_that_was_answered_with_429_is_sent_again() -> None:
    async with talking(script(answer(429), answer(200, b'{"webhook_id": "wb_1"}'))) as (
        harbour,
        server,
    ):
        assert (await harbour.webhooks.create("https://destination.example")).webhook_id == "wb_1"
    assert [request.method for request in server.received] == ["POST", "POST"]
    assert server.received[0].body == server.received[1].body


async def test_a_delete_whose_answer_was_lost_counts_as_deleted() -> None:
    async with talking(script(answer(200, RECEIPT), None, answer(404), answer(404))) as (
        harbour,
        server,
    ):
        await harbour.verifications.delete("VERIFICATION-0")
        receipt = await harbour.verifications.delete("VERIFICATION-1")
    assert receipt.verification_id == "VERIFICATION-1"
    assert receipt.event_datetime is None
    assert len(server.received) == 3


async def test_a_delete_of_an_unknown_id_is_not_found() -> None:
    async with talking(script(answer(404))) as (harbour, _):
        with pytest.raises(NotFoundError):
            await harbour.verifications.delete("VERIFICATION-1")


async def test_a_slow_answer_is_a_timeout_and_is_tried_again() -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        if len(server.received) == 1:
            await asyncio.sleep(60)
        return answer(200, RECORD)

    async with talking(handler, timeout=Timeout(total=30, attempt=1)) as (harbour, server):
        await harbour.verifications.get("VERIFICATION-1")
    assert len(server.received) == 2


async def test_an_attempt_without_an_answer_is_an_api_timeout() -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with talking(handler, retry=Retry(attempts=1), timeout=Timeout(None, 0.5)) as (h, _):
        with pytest.raises(APITimeoutError) as caught:
            await h.verifications.get("VERIFICATION-1")
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.sent


async def test_the_deadline_covers_all_attempts() -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with talking(handler) as (harbour, server):
        with pytest.raises(DeadlineExceededError):
            await harbour.verifications.get("VERIFICATION-1", timeout=0.5)
    assert len(server.received) == 1


async def test_a_retry_after_beyond_the_deadline_fails_at_once() -> None:
    async with talking(script(answer(429, Retry_After="3600"))) as (harbour, server):
        with pytest.raises(RateLimitError) as caught:
            await harbour.verifications.get("VERIFICATION-1", timeout=30)
        assert caught.value.retry_after == 3600
        with pytest.raises(DeadlineExceededError):
            await harbour.verifications.get("VERIFICATION-1", timeout=30)
    assert len(server.received) == 1


async def test_redirects_are_not_followed() -> None:
    async with talking(script(answer(307, Location="http://127.0.0.1:1/"))) as (harbour, _):
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert caught.value.status == 307


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", b"null", b"[]", b"{}", b'{"items": 3}', b"\xff", b"[" * 50_000],
)
async def test_a_body_that_is_not_what_was_asked_for_is_a_decode_error(body: bytes) -> None:
    async with talking(script(answer(200, body))) as (harbour, _):
        with pytest.raises(DecodeError):
            await harbour.verifications.get("VERIFICATION-1")
        with pytest.raises(DecodeError):
            await harbour.verifications.list().to_list()


async def test_a_connection_error_without_a_server_says_that_nothing_was_sent() -> None:
    async with raw_server(script(None)) as server:
        url = server.url
    async with HarbourSession(KEY, base_url=url, retry=FAST) as harbour:
        with pytest.raises(APIConnectionError) as caught:
            await harbour.webhooks.create("https://destination.example")
        assert not caught.value.sent
        assert harbour.budget.snapshot().used == 0
    assert KEY not in exposed_text(caught.value)


# Warnings, websockets, and what aiohttp raises and catches within itself.
NEVER_FROM_A_REQUEST = {
    "BadContentDispositionHeader",
    "BadContentDispositionParam",
    "EofStream",
    "WSMessageTypeError",
    "WebSocketError",
}


def aiohttp_errors() -> list[type[BaseException]]:
    found = {
        value
        for _, value in inspect.getmembers(aiohttp, inspect.isclass)
        if issubclass(value, BaseException) and value.__name__ not in NEVER_FROM_A_REQUEST
    }
    assert len(found) > 20
    return sorted(found, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", aiohttp_errors(), ids=lambda cls: str(cls.__name__))
def test_each_aiohttp_error_has_a_counterpart(cls: type[BaseException]) -> None:
    """This fails for a release of aiohttp that adds an error which `send` does not catch."""
    assert issubclass(cls, aiohttp.ClientError | OSError)


async def test_cancelling_a_call_leaves_no_task_and_keeps_its_slot() -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with raw_server(handler) as server, HarbourSession(KEY, base_url=server.url) as harbour:
        task = asyncio.create_task(harbour.verifications.get("VERIFICATION-1"))
        while not server.received:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert harbour.budget.snapshot().used == 1
    del task
    gc.collect()


@pytest.mark.parametrize("seconds", ["86400", "9999999999", "1764000000"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_beyond_the_cap_fails_at_once(status: int, seconds: str) -> None:
    async with (
        raw_server(script(answer(status, Retry_After=seconds))) as server,
        HarbourSession(KEY, base_url=server.url, timeout=Timeout(None)) as harbour,
    ):
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.list().to_list()
        assert caught.value.retry_after == float(seconds)
        assert caught.value.attempts == 1
        paused = harbour.budget.snapshot().paused_for
        assert (100 < paused <= 120) if status == 429 else paused == 0
    assert len(server.received) == 1


async def test_a_cap_set_by_the_user_is_respected() -> None:
    async with (
        raw_server(script(answer(429, Retry_After="30"))) as server,
        HarbourSession(KEY, base_url=server.url, retry=Retry(max_retry_after=5)) as harbour,
    ):
        with pytest.raises(RateLimitError):
            await harbour.verifications.get("VERIFICATION-1")
        assert 0 < harbour.budget.snapshot().paused_for <= 5


async def test_sent_is_true_if_any_attempt_was_sent() -> None:
    """The last attempt cannot connect, but the first one may have been carried out."""
    listening: list[asyncio.Server] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        listening[0].close()
        writer.close()

    listening.append(await asyncio.start_server(once, "127.0.0.1", 0))
    port = listening[0].sockets[0].getsockname()[1]
    async with HarbourSession(KEY, base_url=f"http://127.0.0.1:{port}", retry=FAST) as harbour:
        with pytest.raises(APIConnectionError, match="no connection") as caught:
            await harbour.webhooks.delete("wb_1")
    assert caught.value.sent
    assert caught.value.attempts == FAST.attempts


async def test_an_error_of_a_walk_names_its_page() -> None:
    async def handler(request: ReceivedRequest) -> bytes:
        items = [{"verification_id": f"V{n}", "created_at": str(10_000 - n)} for n in range(100)]
        page = json.dumps({"items": items, "total": 500}).encode()
        return answer(200, page) if "page=1&" in request.target else answer(400)

    async with talking(handler) as (harbour, _):
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.list(complete=False, concurrency=1).to_list()
    request = caught.value.request
    assert request is not None
    assert (request.method, request.path, request.page) == ("GET", "/verifications", 2)
    assert "GET /verifications (page 2) answered 400" in str(caught.value)


async def test_a_reset_in_the_middle_of_an_answer_is_tried_again() -> None:
    received = []

    async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        received.append(1)
        if len(received) > 1:
            writer.write(answer(200, RECORD))
            await writer.drain()
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    listening = await asyncio.start_server(resetting, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with HarbourSession(KEY, base_url=f"http://127.0.0.1:{port}", retry=FAST) as harbour:
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
    listening.close()
    assert len(received) == 2


async def test_an_idle_connection_is_kept_for_as_long_as_the_network_settings_say() -> None:
    async with (
        raw_server(script(answer(200, RECORD))) as server,
        HarbourSession(
            KEY,
            base_url=server.url,
            network=Network(keepalive=0.01),
            rate_limit=RateLimit.unlimited(),
        ) as harbour,
    ):
        async with asyncio.timeout(20):
            while server.connections < 2:
                await harbour.verifications.get("VERIFICATION-1")
                await asyncio.sleep(0.03)


async def test_random_deadlines_are_kept_wherever_a_call_waits() -> None:
    """For the budget, between attempts, for headers and in the middle of a body."""
    chance = random.Random(5)

    async def handler(_: ReceivedRequest) -> bytes | None:
        kind = chance.randrange(4)
        if kind == 0:
            await asyncio.Event().wait()
        if kind == 1:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"
        return answer(503) if kind == 2 else None

    overruns = []

    async def call(harbour: HarbourSession, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(HarbourError):
            await harbour.verifications.get("VERIFICATION-1", timeout=deadline)
        overruns.append(loop.time() - began - deadline)

    async with (
        raw_server(handler) as server,
        HarbourSession(
            KEY,
            base_url=server.url,
            retry=Retry(attempts=50, base_delay=0.05, max_delay=0.2),
            timeout=Timeout(None, None, None),
            rate_limit=RateLimit(60, 0.3, 10),
            max_connections=20,
        ) as harbour,
    ):
        await asyncio.gather(*(call(harbour, chance.uniform(0.001, 1)) for _ in range(150)))
    assert len(overruns) == 150
    assert max(overruns) < 3  # a call that missed its deadline would still be here


@pytest.mark.parametrize("data", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
async def test_a_cancelled_call_leaves_no_connection_behind(data: bytes | None) -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        if data is None:
            await asyncio.Event().wait()
        return data or b""

    async with (
        raw_server(handler) as server,
        HarbourSession(
            KEY,
            base_url=server.url,
            max_connections=3,
            timeout=Timeout(None, None, None),
            rate_limit=RateLimit.unlimited(),
        ) as harbour,
    ):
        for turn in range(10):  # more than the pool has connections
            task = asyncio.create_task(harbour.verifications.get("VERIFICATION-1"))
            while len(server.received) <= turn:
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_an_upload_is_ended_once_the_server_has_answered_without_reading_it() -> None:
    received: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    answered = asyncio.Event()
    refusal = answer(413, b'{"message": "too large"}')

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await answered.wait()
        count = 0
        try:
            while chunk := await reader.read(1 << 16):
                count += len(chunk)
        except ConnectionError:
            pass
        received.set_result(count)
        writer.close()

    large = "x" * 32_000_000
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2"
        async with HarbourSession(KEY, base_url=url, rate_limit=RateLimit.unlimited()) as harbour:
            with pytest.raises(APIStatusError) as caught:
                await harbour.request("PUT", "webhooks/w", json={"text": large})
            assert caught.value.status == 413
            answered.set()
            async with asyncio.timeout(30):
                assert await received < len(large)
