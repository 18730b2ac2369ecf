"""The session's life: opening, closing, sharing, settings."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import aiohttp
import pytest

from harbour_async import (
    Budget,
    ConfigurationError,
    HarbourSession,
    RateLimit,
    SessionClosedError,
    Timeout,
)
from tests.servers import KEY, ReceivedRequest, answer, raw_server

RECORD = b'{"verification_id": "VERIFICATION-1"}'


async def give_a_record(_: ReceivedRequest) -> bytes:
    return answer(200, RECORD)


async def test_a_session_works_without_async_with_and_may_be_closed_twice() -> None:
    async with raw_server(give_a_record) as server:
        harbour = HarbourSession(KEY, base_url=server.url)
        await harbour.verifications.get("VERIFICATION-1")
        await harbour.aclose()
        await harbour.aclose()


async def test_use_after_closing_raises_session_closed_error() -> None:
    harbour = HarbourSession(KEY)
    await harbour.aclose()
    with pytest.raises(SessionClosedError):
        await harbour.verifications.get("VERIFICATION-1")
    with pytest.raises(SessionClosedError):
        await harbour.webhooks.list().to_list()
    with pytest.raises(SessionClosedError):
        async with harbour:
            pass


async def test_a_call_that_waits_for_the_budget_when_the_session_closes_ends() -> None:
    async with raw_server(give_a_record) as server:
        harbour = HarbourSession(KEY, base_url=server.url, rate_limit=RateLimit(1, 0.2))
        await harbour.verifications.get("VERIFICATION-1")
        waiting = asyncio.create_task(harbour.verifications.get("VERIFICATION-1"))
        await asyncio.sleep(0)
        await harbour.aclose()
        with pytest.raises(SessionClosedError):
            await waiting
    assert len(server.received) == 1


async def test_an_abandoned_open_session_warns() -> None:
    async with raw_server(give_a_record) as server:
        harbour = HarbourSession(KEY, base_url=server.url)
        await harbour.verifications.get("VERIFICATION-1")
        with pytest.warns(ResourceWarning, match="HarbourSession"):
            harbour.__del__()
        await harbour.aclose()


def test_a_session_that_was_never_used_needs_no_closing() -> None:
    HarbourSession(KEY)
    gc.collect()


async def test_one_connection_serves_calls_in_turn() -> None:
    async with (
        raw_server(give_a_record) as server,
        HarbourSession(KEY, base_url=server.url) as harbour,
    ):
        for _ in range(3):
            await harbour.verifications.get("VERIFICATION-1")
    assert server.connections == 1


async def test_the_pool_is_bounded() -> None:
    async with (
        raw_server(give_a_record) as server,
        HarbourSession(
            KEY, base_url=server.url, max_connections=2, rate_limit=RateLimit.unlimited()
        ) as harbour,
    ):
        await asyncio.gather(*(harbour.verifications.get(f"V-{n}") for n in range(20)))
    assert server.connections <= 2


async def test_a_shared_budget_counts_both_sessions_and_outlives_them() -> None:
    budget = Budget(RateLimit(10, 60))
    async with raw_server(give_a_record) as server:
        for _ in range(2):
            async with HarbourSession(KEY, base_url=server.url, budget=budget) as harbour:
                await harbour.verifications.get("VERIFICATION-1")
    assert budget.snapshot().used == 2
    await budget.aclose()


async def test_the_users_trace_configs_see_each_request() -> None:
    seen = []
    trace = aiohttp.TraceConfig()

    async def note(*_: object) -> None:
        seen.append(1)

    trace.on_request_end.append(note)
    async with (
        raw_server(give_a_record) as server,
        HarbourSession(KEY, base_url=server.url, trace_configs=[trace]) as harbour,
    ):
        await harbour.verifications.get("VERIFICATION-1")
    assert seen == [1]


@pytest.mark.parametrize(
    "settings",
    [
        {"rate_limit": "100"},
        {"rate_limit": None},
        {"rate_limit": 1.5},
        {"retry": True},
        {"retry": 0},
        {"retry": None},
        {"timeout": "10"},
        {"timeout": -1},
        {"network": None},
        {"read_only": 1},
        {"max_response_bytes": 0},
        {"budget": 100},
        {"max_connections": 0},
        {"max_connections": True},
        {"user_agent": "a\nb"},
        {"trace_configs": aiohttp.TraceConfig()},  # one, and not a list
        {"trace_configs": [print]},
        {"base_url": "http://example.com"},
        {"budget": Budget(), "rate_limit": RateLimit(5)},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HarbourSession(KEY, **settings)


def test_the_key_is_not_in_the_sessions_repr() -> None:
    assert KEY not in repr(HarbourSession(KEY))


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "5"])
async def test_a_timeout_that_is_not_a_positive_number_is_refused(timeout: Any) -> None:
    async with HarbourSession(KEY) as harbour:
        with pytest.raises(ConfigurationError):
            await harbour.verifications.get("VERIFICATION-1", timeout=timeout)
        with pytest.raises(ConfigurationError):
            harbour.verifications.list(timeout=timeout)
    with pytest.raises(ConfigurationError):
        Timeout(total=timeout)


async def test_the_repr_says_where_the_session_goes_and_whether_it_is_open() -> None:
    harbour = HarbourSession(KEY, base_url="https://api.example/v2")
    budget = "<Budget 100 per 60 s, 0 used, 0 waiting>"
    assert repr(harbour) == f"<HarbourSession of https://api.example/v2, open, {budget}>"
    assert ", a view, " in repr(harbour.with_options(timeout=5))
    await harbour.aclose()
    assert ", closed, " in repr(harbour)
