"""One attempt after another over real sockets, against servers that behave badly."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import pickle
import traceback
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
    HarbourSession,
    InternalServerError,
    NotFoundError,
    RateLimit,
    RateLimitError,
    Retry,
    Timeout,
)
from tests.servers import KEY, Handler, Heard, RawServer, answer, raw_server

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
    """Answers in turn; the last one for ever."""
    left = list(answers)

    async def handler(_: Heard) -> bytes | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return handler


async def test_every_request_carries_the_key_and_the_content_type() -> None:
    async with talking(script(answer(200, RECORD))) as (harbour, server):
        await harbour.verifications.get("VERIFICATION-1")
    headers = server.heard[0].headers
    assert headers["x-api-key"] == KEY
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("harbour-async/")


TRANSIENT = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527, 529, 530]


@pytest.mark.parametrize("status", TRANSIENT)
async def test_a_passing_failure_is_tried_again(status: int) -> None:
    async with talking(script(answer(status), answer(200, RECORD))) as (harbour, server):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
    assert len(server.heard) == 2


@pytest.mark.parametrize(
    "status", [101, 300, 304, 307, 400, 401, 409, 418, 422, 501, 505, 525, 599]
)
async def test_a_final_failure_is_not_tried_again(status: int) -> None:
    async with talking(script(answer(status))) as (harbour, server):
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert caught.value.status == status
    assert len(server.heard) == 1


async def test_attempts_are_counted_and_the_last_error_is_raised() -> None:
    async with talking(script(answer(503))) as (harbour, server):
        with pytest.raises(InternalServerError):
            await harbour.verifications.get("VERIFICATION-1")
    assert len(server.heard) == FAST.attempts


async def test_one_attempt_means_no_retry_and_no_hidden_resend() -> None:
    """aiohttp by itself sends a GET again when a kept-alive connection dies under it."""
    async with talking(script(answer(200, RECORD), None), retry=Retry(attempts=1)) as (
        harbour,
        server,
    ):
        await harbour.verifications.get("VERIFICATION-1")
        with pytest.raises(APIConnectionError):
            await harbour.verifications.get("VERIFICATION-1")
    assert len(server.heard) == 2


async def test_a_lost_connection_is_made_again() -> None:
    async with talking(script(None, answer(200, RECORD))) as (harbour, server):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id
    assert len(server.heard) == 2


@pytest.mark.parametrize("first", [None, answer(500), answer(503), answer(502)])
async def test_a_post_that_may_have_been_processed_is_not_sent_again(first: bytes | None) -> None:
    async with talking(script(first, answer(200, b'{"webhook_id": "wb_1"}'))) as (harbour, server):
        with pytest.raises((APIConnectionError, InternalServerError)):
            await harbour.webhooks.create("https://destination.example")
    assert len(server.heard) == 1


async def test_a_post_that_was_turned_away_is_sent_again() -> None:
    async with talking(script(answer(429), answer(200, b'{"webhook_id": "wb_1"}'))) as (
        harbour,
        server,
    ):
        assert (await harbour.webhooks.create("https://destination.example")).webhook_id == "wb_1"
    assert [heard.method for heard in server.heard] == ["POST", "POST"]
    assert server.heard[0].body == server.heard[1].body


async def test_a_delete_whose_answer_was_lost_counts_as_deleted() -> None:
    async with talking(script(answer(200, RECEIPT), None, answer(404), answer(404))) as (
        harbour,
        server,
    ):
        await harbour.verifications.delete("VERIFICATION-0")
        receipt = await harbour.verifications.delete("VERIFICATION-1")
    assert receipt.verification_id == "VERIFICATION-1"
    assert receipt.event_datetime is None
    assert len(server.heard) == 3


async def test_a_delete_of_nothing_is_not_found() -> None:
    async with talking(script(answer(404))) as (harbour, _):
        with pytest.raises(NotFoundError):
            await harbour.verifications.delete("VERIFICATION-1")


async def test_a_slow_answer_is_a_timeout_and_is_tried_again() -> None:
    async def handler(_: Heard) -> bytes:
        if len(server.heard) == 1:
            await asyncio.sleep(60)
        return answer(200, RECORD)

    async with talking(handler, timeout=Timeout(total=30, attempt=1)) as (harbour, server):
        await harbour.verifications.get("VERIFICATION-1")
    assert len(server.heard) == 2


async def test_an_attempt_without_an_answer_is_an_api_timeout() -> None:
    async def handler(_: Heard) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with talking(handler, retry=Retry(attempts=1), timeout=Timeout(None, 0.5)) as (h, _):
        with pytest.raises(APITimeoutError) as caught:
            await h.verifications.get("VERIFICATION-1")
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.sent


async def test_the_deadline_covers_all_attempts() -> None:
    async def handler(_: Heard) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with talking(handler) as (harbour, server):
        with pytest.raises(DeadlineExceededError):
            await harbour.verifications.get("VERIFICATION-1", timeout=0.5)
    assert len(server.heard) == 1


async def test_a_retry_after_beyond_the_deadline_fails_at_once() -> None:
    async with talking(script(answer(429, Retry_After="3600"))) as (harbour, server):
        with pytest.raises(RateLimitError) as caught:
            await harbour.verifications.get("VERIFICATION-1", timeout=30)
        assert caught.value.retry_after == 3600
        with pytest.raises(DeadlineExceededError):
            await harbour.verifications.get("VERIFICATION-1", timeout=30)
    assert len(server.heard) == 1


async def test_redirects_are_not_followed() -> None:
    async with talking(script(answer(307, Location="http://127.0.0.1:1/"))) as (harbour, _):
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert caught.value.status == 307


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", b"null", b"[]", b"{}", b'{"items": 3}', b"\xff", b"[" * 50_000],
)
async def test_nonsense_from_the_server_is_a_decode_error(body: bytes) -> None:
    async with talking(script(answer(200, body))) as (harbour, _):
        with pytest.raises(DecodeError):
            await harbour.verifications.get("VERIFICATION-1")
        with pytest.raises(DecodeError):
            await harbour.verifications.list().to_list()


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_broken_http_is_a_connection_error_that_holds_no_key(said: bytes) -> None:
    async def handler(_: Heard) -> bytes | None:
        return said

    async with talking(handler, retry=Retry(attempts=1), timeout=Timeout(None, 0.3)) as (
        harbour,
        _,
    ):
        with pytest.raises(APIConnectionError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert_no_key(caught.value)


async def test_a_server_that_echoes_the_key_does_not_get_it_into_the_error() -> None:
    body = json.dumps({"message": f"bad key {KEY}", "detail": KEY}).encode()
    async with talking(script(answer(401, body))) as (harbour, _):
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert_no_key(caught.value)


async def test_no_server_at_all_is_a_connection_error_of_a_request_never_sent() -> None:
    async with raw_server(script(None)) as server:
        url = server.url
    async with HarbourSession(KEY, base_url=url, retry=FAST) as harbour:
        with pytest.raises(APIConnectionError) as caught:
            await harbour.webhooks.create("https://destination.example")
        assert not caught.value.sent
        assert harbour.budget.snapshot().used == 0
    assert_no_key(caught.value)


def assert_no_key(error: BaseException) -> None:
    """Neither the error nor anything it drags along may hold the key."""
    seen: BaseException | None = error
    while seen is not None:
        assert KEY not in repr(seen)
        assert KEY not in repr(vars(seen))
        info = getattr(seen, "request_info", None)
        assert info is None
        seen = seen.__cause__ or seen.__context__
    assert KEY not in "".join(traceback.format_exception(error))
    assert KEY.encode() not in pickle.dumps(error)


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
    """A release that adds an error outside of what `send` catches fails here."""
    assert issubclass(cls, aiohttp.ClientError | OSError)


async def test_cancelling_a_call_leaves_no_task_and_keeps_its_slot() -> None:
    async def handler(_: Heard) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with raw_server(handler) as server, HarbourSession(KEY, base_url=server.url) as harbour:
        task = asyncio.create_task(harbour.verifications.get("VERIFICATION-1"))
        while not server.heard:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert harbour.budget.snapshot().used == 1
    del task
    gc.collect()
