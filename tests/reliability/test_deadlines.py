"""A thousand random deadlines over everything that a call can wait for; none is overrun."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harbour_async import (
    Budget,
    HarbourError,
    HarbourSession,
    RateLimit,
    Retry,
    Timeout,
)
from tests.reliability.api import IDS, talking
from tests.reliability.faults import (
    answers,
    byte_a_second,
    in_pieces,
    late,
    reset_before,
    silence,
    slow_headers,
)
from tests.reliability.quiet_time import quiet_time
from tests.servers import KEY

DEADLINES = 1_000
SLACK = 0.01
"""Seconds of the loop's clock, which moves by 0.1 µs a turn: a scheduling delay."""

NONE = Timeout(None, None, None)
PATIENT = Retry(1_000, base_delay=0.5, max_delay=60.0, max_retry_after=10_000)

Ask = Callable[[HarbourSession, float], Awaitable[Any]]


async def get(harbour: HarbourSession, limit: float) -> Any:
    return await harbour.verifications.get(IDS[0], timeout=limit)


async def page(harbour: HarbourSession, limit: float) -> Any:
    return await harbour.verifications.page(timeout=limit)


async def walk(harbour: HarbourSession, limit: float) -> Any:
    return await harbour.verifications.list(page_size=20, timeout=limit).to_list()


async def create(harbour: HarbourSession, limit: float) -> Any:
    return await harbour.webhooks.create("https://destination.example", timeout=limit)


async def update(harbour: HarbourSession, limit: float) -> Any:
    update = harbour.webhooks.update
    return await update("wb_1", destination_url="https://destination.example", timeout=limit)


async def delete(harbour: HarbourSession, limit: float) -> Any:
    return await harbour.verifications.delete(IDS[0], timeout=limit)


async def request(harbour: HarbourSession, limit: float) -> Any:
    return await harbour.request("PATCH", "verifications/x", json={}, timeout=limit)


async def through_a_view(harbour: HarbourSession, limit: float) -> Any:
    return await harbour.with_options(timeout=limit).webhooks.get("wb_1")


async def get_many(harbour: HarbourSession, limit: float) -> Any:
    return [v async for v in harbour.verifications.get_many(IDS[:30], timeout=limit)]


async def wait_for(harbour: HarbourSession, limit: float) -> Any:
    """A wait that never ends by itself."""
    never = harbour.verifications.wait_for(IDS[0], timeout=limit, until=lambda _: False)
    return await never


ASKS: list[Ask] = [
    get,
    page,
    walk,
    create,
    update,
    delete,
    request,
    through_a_view,
    get_many,
    wait_for,
]


async def slow_key() -> str:
    await asyncio.sleep(1_000)
    return KEY


FAULTY: dict[str, Any] = {
    "silence": silence,
    "headers that come slowly": slow_headers,
    "a body that comes slowly": byte_a_second,
    "an answer that comes late": late,
    "an answer in pieces": in_pieces,
    "retries after a failure": answers(503, b""),
    "retries after a lost connection": reset_before,
    "Retry-After": answers(503, b"", Retry_After="7"),
    "a pause": answers(429, b"", Retry_After="7"),
    "a long pause": answers(429, b"", Retry_After="5000"),
}
"""What the server does with every request."""

SETTINGS: dict[str, dict[str, Any]] = {
    "the budget": {"rate_limit": RateLimit(2, per=30.0, burst=1)},
    "a busy pool": {"max_connections": 1},
    "a source of keys": {"api_key": slow_key},
}
"""What the caller waits for on its own side."""

KINDS = 2 * len(FAULTY) + len(SETTINGS) + 3
NUMBER = -(-DEADLINES // KINDS)
"""Deadlines for each kind of wait."""


async def on_time(ask: Ask, harbour: HarbourSession, limit: float, begins: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(begins)
    began = loop.time()
    with contextlib.suppress(HarbourError):
        await ask(harbour, limit)
    assert loop.time() - began <= limit + SLACK, (ask, limit)


async def all_on_time(harbour: HarbourSession, chance: random.Random, number: int) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(number):
            limit = 10.0 ** chance.uniform(-3, 2.3)
            work = on_time(ASKS[n % len(ASKS)], harbour, limit, chance.uniform(0, 20))
            group.create_task(work)


@pytest.mark.parametrize("method", ["GET", "*"])
@pytest.mark.parametrize("wait", FAULTY)
def test_no_deadline_is_overrun_whatever_the_server_does(
    wait: str, method: str, tried: Counter[str]
) -> None:
    @quiet_time
    async def main() -> None:
        chance = random.Random(f"{wait}{method}")
        async with talking(timeout=NONE, retry=PATIENT, max_connections=20) as (harbour, api):
            api.inject(FAULTY[wait], method, 0, 1_000_000, unprocessed=True)
            await all_on_time(harbour, chance, NUMBER)
        tried["deadlines"] += NUMBER

    main()


@pytest.mark.parametrize("wait", SETTINGS)
def test_no_deadline_is_overrun_whatever_the_caller_waits_for(
    wait: str, tried: Counter[str]
) -> None:
    @quiet_time
    async def main() -> None:
        async with talking(timeout=NONE, retry=PATIENT, **SETTINGS[wait]) as (harbour, api):
            if wait == "a busy pool":
                api.inject(late, "*", 0, 1_000_000, unprocessed=False)
            await all_on_time(harbour, random.Random(wait), NUMBER)
        tried["deadlines"] += NUMBER

    main()


def test_no_deadline_is_overrun_in_a_budget_that_others_use(tried: Counter[str]) -> None:
    @quiet_time
    async def main() -> None:
        budget = Budget(RateLimit(5, per=10.0, burst=2))
        async with (
            talking(timeout=NONE, budget=budget) as (one, _),
            talking(timeout=NONE, budget=budget) as (other, _),
        ):
            chance = random.Random(2)
            await asyncio.gather(
                all_on_time(one, chance, NUMBER // 2), all_on_time(other, chance, NUMBER // 2)
            )
        tried["deadlines"] += NUMBER

    main()


def test_no_deadline_is_overrun_while_a_connection_is_made(tried: Counter[str]) -> None:
    """The listener's queue is full, so that a connection is neither made nor refused."""

    @quiet_time
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            address = listener.getsockname()
            loop = asyncio.get_running_loop()
            full = [socket.socket() for _ in range(4)]
            try:
                for waiting in full:
                    waiting.setblocking(False)
                    waiting.connect_ex(address)
                async with HarbourSession(
                    KEY,
                    base_url=f"http://127.0.0.1:{address[1]}",
                    timeout=NONE,
                    retry=PATIENT,
                    rate_limit=RateLimit.unlimited(),
                ) as harbour:
                    began = loop.time()
                    await all_on_time(harbour, random.Random(3), NUMBER)
                    assert loop.time() - began > 100
            finally:
                for waiting in full:
                    waiting.close()
        tried["deadlines"] += NUMBER

    main()


def test_no_grace_is_overrun(tried: Counter[str]) -> None:
    @quiet_time
    async def main() -> None:
        chance = random.Random(4)
        for _ in range(NUMBER):
            await closes_in(10.0 ** chance.uniform(-3, 2))
            tried["deadlines"] += 1

    main()


async def closes_in(grace: float) -> None:
    async with talking(timeout=NONE) as (harbour, api):
        api.inject(silence, "GET", 0, 1_000_000, unprocessed=True)
        task = asyncio.ensure_future(get(harbour, 1_000))
        while not api.received:
            await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await harbour.aclose(grace=grace)
        assert grace - SLACK <= loop.time() - began <= grace + SLACK
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], HarbourError)
