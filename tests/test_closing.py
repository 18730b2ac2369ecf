"""Closing a session wakes every call, whatever it waits for, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harbour_async import (
    APIConnectionError,
    Budget,
    ConfigurationError,
    HarbourSession,
    InternalServerError,
    Priority,
    RateLimit,
    Retry,
    SessionClosedError,
    Timeout,
)
from tests.servers import KEY, Handler, RawServer, ReceivedRequest, answer, raw_server

RECORD = b'{"verification_id": "VERIFICATION-1"}'
FOREVER = Timeout(total=None, attempt=None, connect=None)
SOON = 20
"""Seconds: long enough for anything immediate, even on a busy machine."""


@asynccontextmanager
async def talking(
    handler: Handler, **settings: Any
) -> AsyncIterator[tuple[HarbourSession, RawServer]]:
    options: dict[str, Any] = {
        "timeout": FOREVER,
        "retry": Retry(attempts=9, base_delay=3600, max_delay=3600),
    } | settings
    if "budget" not in options:
        options.setdefault("rate_limit", RateLimit.unlimited())
    async with raw_server(handler) as server:
        harbour = HarbourSession(KEY, base_url=server.url, **options)
        try:
            yield harbour, server
        finally:
            await harbour.aclose()


async def give_a_record(_: ReceivedRequest) -> bytes:
    return answer(200, RECORD)


async def silence(_: ReceivedRequest) -> bytes:
    await asyncio.Event().wait()
    return b""


async def one_byte(_: ReceivedRequest) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"


def get(harbour: HarbourSession) -> Awaitable[object]:
    return harbour.verifications.get("VERIFICATION-1")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.001)


async def session_closed_error(task: asyncio.Task[Any]) -> SessionClosedError:
    async with asyncio.timeout(SOON):
        with pytest.raises(SessionClosedError) as caught:
            await task
    return caught.value


@pytest.mark.parametrize("handler", [silence, one_byte])
async def test_closing_wakes_a_call_that_waits_for_an_answer(handler: Handler) -> None:
    async with talking(handler) as (harbour, server):
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: server.received)
        await harbour.aclose()
        error = await session_closed_error(task)
    assert error.sent
    assert str(error.request) == "GET /verifications/VERIFICATION-1"
    assert error.attempts == 1


async def test_closing_wakes_a_call_that_sleeps_between_attempts() -> None:
    async def fail(_: ReceivedRequest) -> bytes:
        return answer(503)

    async with talking(fail) as (harbour, server):
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: server.received)
        await asyncio.sleep(0.01)
        await harbour.aclose()
        assert (await session_closed_error(task)).sent


async def test_closing_wakes_a_call_that_waits_in_a_pause() -> None:
    async def fail(_: ReceivedRequest) -> bytes:
        return answer(429, Retry_After="100")

    async with talking(fail, rate_limit=100, retry=Retry()) as (harbour, server):
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: server.received and harbour.budget.snapshot().waiting.interactive)
        await harbour.aclose()
        error = await session_closed_error(task)
    assert not error.sent  # it was answered with 429


async def test_closing_wakes_a_call_that_waits_for_the_sessions_budget() -> None:
    async with talking(give_a_record, rate_limit=RateLimit(1, 3600)) as (harbour, server):
        await get(harbour)
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: harbour.budget.snapshot().waiting.interactive)
        await harbour.aclose()
        error = await session_closed_error(task)
    assert not error.sent
    assert error.attempts == 0
    assert len(server.received) == 1


async def test_closing_wakes_a_call_that_waits_for_a_shared_budget_and_keeps_the_budget_open() -> (
    None
):
    budget = Budget(RateLimit(1, 3600))
    async with talking(give_a_record, budget=budget) as (harbour, _):
        await get(harbour)
        task = asyncio.ensure_future(get(harbour))
        other = asyncio.ensure_future(budget.acquire(Priority.BULK))
        await until(lambda: sum(budget.snapshot().waiting) == 2)
        await harbour.aclose()
        assert not (await session_closed_error(task)).sent
        assert sum(budget.snapshot().waiting) == 1
        assert not other.done()
    other.cancel()
    await budget.aclose()


async def test_closing_wakes_a_call_that_waits_for_a_connection_of_the_pool() -> None:
    async with talking(silence, max_connections=1) as (harbour, server):
        tasks = [asyncio.ensure_future(get(harbour)) for _ in range(3)]
        await until(lambda: server.received)
        await harbour.aclose()
        errors = [await session_closed_error(task) for task in tasks]
    assert sorted(error.sent for error in errors) == [False, False, True]


async def test_closing_wakes_a_call_that_waits_for_the_key() -> None:
    asked = asyncio.Event()

    async def never() -> str:
        asked.set()
        await asyncio.Event().wait()
        return KEY

    harbour = HarbourSession(never, timeout=FOREVER)
    task = asyncio.ensure_future(get(harbour))
    await asked.wait()
    await harbour.aclose()
    assert not (await session_closed_error(task)).sent
    assert harbour.budget.snapshot().used == 0


async def test_closing_wakes_a_walk() -> None:
    async with talking(silence) as (harbour, server):
        task = asyncio.ensure_future(harbour.verifications.list().to_list())
        await until(lambda: server.received)
        await harbour.aclose()
        error = await session_closed_error(task)
    assert error.request is not None
    assert error.request.page == 1
    assert error.resume_token


async def test_leaving_async_with_wakes_every_call_and_leaves_no_task() -> None:
    async with raw_server(silence) as server:
        async with HarbourSession(KEY, base_url=server.url, timeout=FOREVER) as harbour:
            tasks = [asyncio.ensure_future(get(harbour)) for _ in range(5)]
            await until(lambda: len(server.received) == 5)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {SessionClosedError}
        assert harbour.budget.snapshot().used == 5


async def test_with_grace_sent_requests_finish_and_waiting_calls_are_refused() -> None:
    go_on = asyncio.Event()

    async def slow(_: ReceivedRequest) -> bytes:
        await go_on.wait()
        return answer(200, RECORD)

    async with talking(slow, max_connections=2) as (harbour, server):
        sent = [asyncio.ensure_future(get(harbour)) for _ in range(2)]
        await until(lambda: len(server.received) == 2)
        waiting = asyncio.ensure_future(get(harbour))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(harbour.aclose(grace=3600))
        assert not (await session_closed_error(waiting)).sent
        with pytest.raises(SessionClosedError):
            await get(harbour)
        assert not closing.done()
        go_on.set()
        assert all(await asyncio.gather(*sent))
        await closing


async def test_a_call_that_is_not_answered_within_the_grace_ends_with_an_error() -> None:
    async with talking(silence) as (harbour, server):
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: server.received)
        await harbour.aclose(grace=0.01)
        assert (await session_closed_error(task)).sent


async def test_closing_at_once_cuts_the_grace_of_another_closing_short() -> None:
    async with talking(silence) as (harbour, server):
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: server.received)
        patient = asyncio.ensure_future(harbour.aclose(grace=3600))
        await asyncio.sleep(0)
        await harbour.aclose()
        async with asyncio.timeout(SOON):
            await patient
        await session_closed_error(task)


async def test_in_grace_a_failure_is_raised_instead_of_retried() -> None:
    go_on = asyncio.Event()

    async def slow_failure(_: ReceivedRequest) -> bytes:
        await go_on.wait()
        return answer(503)

    async with talking(slow_failure) as (harbour, server):
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: server.received)
        closing = asyncio.ensure_future(harbour.aclose(grace=3600))
        await asyncio.sleep(0)
        go_on.set()
        async with asyncio.timeout(SOON):
            with pytest.raises(InternalServerError):
                await task
            await closing
    assert len(server.received) == 1


async def test_a_closing_that_is_cancelled_in_its_grace_still_closes_the_session() -> None:
    async with talking(silence) as (harbour, server):
        task = asyncio.ensure_future(get(harbour))
        await until(lambda: server.received)
        closing = asyncio.ensure_future(harbour.aclose(grace=3600))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await session_closed_error(task)


@pytest.mark.parametrize("grace", [-1, "1", True, float("nan")])
async def test_a_grace_that_is_not_a_duration_is_refused(grace: Any) -> None:
    async with HarbourSession(KEY) as harbour:
        with pytest.raises(ConfigurationError, match="grace"):
            await harbour.aclose(grace=grace)


# -- event loops and processes ---------------------------------------------------------------


def test_use_in_a_second_loop_is_an_error_that_says_what_to_do() -> None:
    first = asyncio.new_event_loop()

    async def in_first() -> tuple[HarbourSession, Any]:
        manager = raw_server(give_a_record)
        server = await manager.__aenter__()
        harbour = HarbourSession(KEY, base_url=server.url)
        await get(harbour)
        return harbour, manager

    harbour, manager = first.run_until_complete(in_first())
    with pytest.raises(ConfigurationError, match=r"this session belongs.*one session for each"):
        asyncio.run(harbour.verifications.get("VERIFICATION-1"))
    with pytest.raises(ConfigurationError, match="loop"):
        asyncio.run(harbour.aclose())
    first.run_until_complete(harbour.aclose())
    first.run_until_complete(manager.__aexit__(None, None, None))
    first.close()


def test_a_session_whose_loop_is_closed_may_be_used_in_the_next() -> None:
    """The sockets of the first loop cannot be closed any more; asyncio warns of them."""
    harbour: list[HarbourSession] = []

    async def use(*, close: bool) -> None:
        async with raw_server(give_a_record) as server:
            if not harbour:
                harbour.append(HarbourSession(KEY, base_url=server.url, retry=1))
                await get(harbour[0])
            else:
                with pytest.raises(APIConnectionError, match="no connection"):
                    await get(harbour[0])  # the first server is gone
            if close:
                await harbour[0].aclose()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(use(close=False))
        gc.collect()
        asyncio.run(use(close=True))
        gc.collect()
    assert harbour[0].budget.snapshot().used == 1


def test_a_session_that_was_never_used_may_be_used_in_any_loop() -> None:
    harbour = HarbourSession(KEY)

    async def enter_and_leave_open() -> None:
        assert await harbour.__aenter__() is harbour

    asyncio.run(enter_and_leave_open())
    asyncio.run(enter_and_leave_open())
    asyncio.run(harbour.aclose())


async def test_an_abandoned_session_warns_once_and_aiohttp_does_not() -> None:
    async with raw_server(give_a_record) as server:
        harbour = HarbourSession(KEY, base_url=server.url)
        await get(harbour)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del harbour
            gc.collect()
        assert [warning.category for warning in caught] == [ResourceWarning]
        assert "HarbourSession" in str(caught[0].message)


async def test_a_session_whose_view_is_in_use_is_not_abandoned() -> None:
    async with raw_server(give_a_record) as server:
        view = HarbourSession(KEY, base_url=server.url).with_options(timeout=5)
        await get(view)
        gc.collect()
        await get(view)
        assert view._view_of is not None
        await view._view_of.aclose()


def _warnings_of_two_sessions(pipe: Any) -> None:
    async def main() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            async with raw_server(give_a_record) as server:
                for limit in (RateLimit.unlimited(), RateLimit(), RateLimit()):
                    async with HarbourSession(
                        KEY, base_url=server.url, rate_limit=limit
                    ) as harbour:
                        await get(harbour)
        return [str(warning.message) for warning in caught]

    pipe.send(asyncio.run(main()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_warns_once_and_names_the_shared_budget() -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = context.Process(target=_warnings_of_two_sessions, args=(theirs,))
        child.start()
    assert ours.poll(60)
    said_there = ours.recv()
    child.join()
    assert len(said_there) == 1
    assert "RedisBudget" in said_there[0]
