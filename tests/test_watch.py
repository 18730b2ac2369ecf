"""Watching for changes: none is missed, few requests are sent, outages are waited out."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from harbour_async import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    HarbourError,
    HarbourSession,
    InternalServerError,
    InvalidRecord,
    RateLimit,
    RateLimitError,
    SessionClosedError,
    UnprocessableEntityError,
)
from harbour_async._wire import Request
from harbour_async.resources import Watch
from harbour_async.sandbox import Sandbox
from tests.fake_api import FakeApi, status_error
from tests.virtual_time import FACTORIES, run, settle, virtual_time

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def take(watch: Watch, count: int) -> list[str]:
    return [(await anext(watch)).verification_id for _ in range(count)]


async def idle(watch: Watch, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await anext(watch)


@virtual_time
async def test_without_since_it_begins_now_by_the_servers_clock() -> None:
    api = FakeApi()
    api.insert(50)
    watch = api.verifications.watch(interval=10)
    await idle(watch, 100)
    api.update("V-3")
    api.insert(1)
    assert await take(watch, 2) == ["V-3", "V-50"]


@virtual_time
async def test_finding_now_takes_one_request() -> None:
    api = FakeApi()
    api.insert(3000)
    watch = api.verifications.watch(interval=10)
    assert watch.resume_token is None
    await idle(watch, 5)
    assert len(api.requests) <= 3
    assert watch.resume_token is not None


@pytest.mark.parametrize("count", [0, 1, 50, 1000])
def test_an_interval_in_which_nothing_happens_takes_two_requests_at_most(count: int) -> None:
    async def main() -> None:
        api = FakeApi()
        api.insert(count)
        watch = api.verifications.watch(interval=10)
        await idle(watch, 5)
        before = len(api.requests)
        await idle(watch, 1000)
        assert len(api.requests) - before <= 200

    run(main)


@virtual_time
async def test_records_of_the_same_moment_as_now_are_told_apart() -> None:
    api = FakeApi()
    ids = api.insert(5)
    for each in ids:
        api.records[each]["updated_at"] = api.clock
    watch = api.verifications.watch(interval=10)
    await idle(watch, 30)
    [late] = api.insert(1)
    api.records[late]["updated_at"] = api.records[ids[0]]["updated_at"]
    assert await take(watch, 1) == [late]


@virtual_time
async def test_an_empty_list_is_watched_from_its_beginning() -> None:
    api = FakeApi()
    watch = api.verifications.watch(interval=10)
    await idle(watch, 30)
    assert await take_after_insert(api, watch) == ["V-0"]


async def take_after_insert(api: FakeApi, watch: Watch) -> list[str]:
    api.insert(1)
    return await take(watch, 1)


@virtual_time
async def test_with_since_it_yields_what_was_updated_from_then_on() -> None:
    api = FakeApi()
    ids = api.insert(250)
    middle = datetime.fromtimestamp(api.records[ids[100]]["updated_at"] / 1000, UTC)
    watch = api.verifications.watch(interval=10, since=middle)
    assert await take(watch, 150) == ids[100:]
    api.update("V-0")
    assert await take(watch, 1) == ["V-0"]


@virtual_time
async def test_a_token_resumes_after_the_last_change_in_another_process() -> None:
    api = FakeApi()
    api.insert(50)
    first = api.verifications.watch(interval=10)
    await idle(first, 5)
    api.update("V-1", "V-2", "V-3")
    assert await take(first, 2) == ["V-1", "V-2"]
    second = api.verifications.watch(interval=10, resume=first.resume_token)
    assert await take(second, 1) == ["V-3"]
    await idle(second, 50)


@virtual_time
async def test_it_accepts_a_token_of_changes() -> None:
    api = FakeApi()
    api.insert(5)
    pager = api.verifications.changes(LONG_AGO)
    await pager.to_list()
    watch = api.verifications.watch(interval=10, resume=pager.resume_token)
    await idle(watch, 50)
    api.update("V-1")
    assert await take(watch, 1) == ["V-1"]


@pytest.mark.parametrize("eager", FACTORIES.values(), ids=FACTORIES)
def test_each_change_is_yielded_although_many_happen_meanwhile(eager: bool) -> None:
    async def main() -> None:
        api = FakeApi()
        ids = api.insert(500)
        watch = api.verifications.watch(interval=1)
        await idle(watch, 0.5)
        seen: dict[str, Any] = {}

        async def follow() -> None:
            async for v in watch:
                seen[v.verification_id] = v.updated_at

        task = asyncio.ensure_future(follow())
        for n in range(300):
            await asyncio.sleep(0.02)
            api.update(*ids[n : n + 3])
        await asyncio.sleep(10)
        task.cancel()
        for each in ids[:302]:
            assert seen[each].timestamp() * 1000 == api.records[each]["updated_at"]

    run(main, eager=eager)


@virtual_time
async def test_cancelling_a_read_does_not_shorten_the_interval() -> None:
    api = FakeApi()
    api.insert(50)
    watch = api.verifications.watch(interval=100)
    for _ in range(100):
        await idle(watch, 1)
    assert len(api.requests) <= 5


OUTAGES: dict[str, HarbourError] = {
    "connection": APIConnectionError("no answer"),
    "503": status_error(503, InternalServerError),
    "500": status_error(500, InternalServerError),
    "429": status_error(429, RateLimitError),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
@pytest.mark.parametrize("at_start", [True, False])
def test_outages_are_logged_and_waited_out(
    outage: HarbourError, at_start: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Request) -> None:
        raise outage

    async def main() -> None:
        api = FakeApi()
        api.insert(50)
        watch = api.verifications.watch(interval=10)
        if not at_start:
            await idle(watch, 5)
        api.trouble = fails
        await idle(watch, 100)
        api.trouble = None
        if at_start:
            await idle(watch, 25)
        api.update("V-7")
        assert await take(watch, 1) == ["V-7"]

    with caplog.at_level(logging.WARNING, "harbour_async"):
        run(main)
    [message, *_] = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"watch: {type(outage).__name__}")
    assert "verifications" not in message


@virtual_time
async def test_a_log_that_cannot_be_written_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_: logging.LogRecord) -> bool:
        raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(logging.getLogger("harbour_async"), "filters", [fails])
    api = FakeApi()
    api.insert(5)
    watch = api.verifications.watch(interval=10)
    await idle(watch, 5)
    api.trouble = failing
    await idle(watch, 25)
    api.trouble = None
    api.update("V-3")
    assert await take(watch, 1) == ["V-3"]


def failing(_: Request) -> None:
    raise status_error(503, InternalServerError)


@virtual_time
async def test_what_an_on_invalid_function_returns_may_be_anything() -> None:
    def own(invalid: InvalidRecord) -> Any:
        return SimpleNamespace(verification_id=[invalid.record_id])

    api = FakeApi()
    api.insert(5)
    watch = api.verifications.watch(interval=10, on_invalid=own)
    await idle(watch, 5)
    api.update("V-3", is_scan="no")
    change: Any = await anext(watch)
    assert change.verification_id == ["V-3"]


@virtual_time
async def test_the_retry_after_of_a_429_is_waited_for() -> None:
    def fails(_: Request) -> None:
        raise RateLimitError(status=429, method="GET", url="/verifications", retry_after=500.0)

    api = FakeApi()
    api.insert(5)
    watch = api.verifications.watch(interval=10)
    await idle(watch, 5)
    api.trouble = fails
    before = len(api.requests)
    await idle(watch, 500)
    assert len(api.requests) == before + 1


def test_a_lost_proof_is_logged_and_loses_no_change(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        api = FakeApi()
        ids = api.insert(20)
        watch = api.verifications.watch(interval=10)
        await idle(watch, 5)
        token = watch.resume_token
        api.ordered = False
        api.update(*ids[5:8])
        assert sorted(await take(watch, 3)) == ids[5:8]
        await idle(watch, 50)  # nothing is repeated, although each walk begins again
        assert watch.resume_token == token  # no walk was proved
        api.ordered = True
        api.update(ids[9])
        assert await take(watch, 1) == [ids[9]]
        await idle(watch, 50)
        assert watch.resume_token != token

    with caplog.at_level(logging.WARNING, "harbour_async"):
        run(main)
    assert caplog.records[0].getMessage().startswith("watch: IncompleteListingError: ")


ENDS: dict[str, HarbourError] = {
    "401": status_error(401, AuthenticationError),
    "422": status_error(422, UnprocessableEntityError),
    "certificate": APIConnectionError("not trusted", final=True),
}


@pytest.mark.parametrize("error", ENDS.values(), ids=ENDS)
def test_other_errors_end_it_and_carry_the_token(error: HarbourError) -> None:
    def fails(_: Request) -> None:
        raise error

    async def main() -> None:
        api = FakeApi()
        api.insert(50)
        watch = api.verifications.watch(interval=10)
        await idle(watch, 5)
        api.trouble = fails
        with pytest.raises(type(error)) as caught:
            await anext(watch)
        api.trouble = None
        api.update("V-7")
        again = api.verifications.watch(interval=10, resume=caught.value.resume_token)
        assert await take(again, 1) == ["V-7"]

    run(main)


@virtual_time
async def test_closing_the_session_wakes_it_at_once() -> None:
    api = FakeApi()
    api.insert(5)
    watch = api.verifications.watch(interval=1000)
    waits = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(100)
    began = asyncio.get_running_loop().time()
    await api.life.aclose()
    with pytest.raises(SessionClosedError):
        await waits
    assert asyncio.get_running_loop().time() - began < 0.01


@pytest.mark.parametrize("eager", FACTORIES.values(), ids=FACTORIES)
def test_leaving_the_loop_stops_its_requests_and_a_second_loop_misses_nothing(eager: bool) -> None:
    async def main() -> None:
        api = FakeApi()
        ids = api.insert(1000)
        watch = api.verifications.watch(interval=10, since=LONG_AGO)
        async for v in watch:
            assert v.verification_id == ids[0]
            break
        await settle()
        asked = len(api.requests)
        await asyncio.sleep(1000)
        assert len(api.requests) == asked
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await take(watch, 999) == ids[1:]

    run(main, eager=eager)


@virtual_time
async def test_its_timeout_ends_it_in_a_pause() -> None:
    api = FakeApi()
    api.insert(5)
    watch = api.verifications.watch(interval=1000, timeout=60)
    with pytest.raises(DeadlineExceededError):
        await anext(watch)
    assert 60 <= asyncio.get_running_loop().time() < 61


BAD: list[dict[str, Any]] = [
    {"interval": 0},
    {"interval": -5},
    {"interval": None},
    {"interval": float("nan")},
    {"interval": 10**400},
    {"interval": 5, "since": datetime(2026, 1, 1)},
    {"interval": 5, "resume": "nonsense"},
    {"interval": 5, "timeout": 0},
    {"interval": 5, "on_invalid": "ignore"},
]


@pytest.mark.parametrize("options", BAD)
@virtual_time
async def test_arguments_that_cannot_be_used_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        FakeApi().verifications.watch(**options)


async def test_over_sockets_a_filtered_watch_sees_its_own_changes_only() -> None:
    async with (
        Sandbox(verifications=30, rate_limit=None) as sandbox,
        HarbourSession(
            sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited()
        ) as harbour,
    ):
        [mine] = sandbox.insert(verification_metadata={"team": "blue"})
        watch = harbour.verifications.watch(interval=0.01, metadata={"team": "blue"})
        waits = asyncio.ensure_future(anext(watch))
        while len(sandbox.arrivals) < 3:
            await asyncio.sleep(0.01)
        sandbox.update(10, verification_metadata={})
        sandbox.update(mine, verification_metadata={"team": "blue"})
        assert (await waits).verification_id == mine
