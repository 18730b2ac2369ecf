"""Waiting for verifications: shared polling, pauses, errors and closing, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
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
    NotFoundError,
    PermissionDeniedError,
    Priority,
    RateLimit,
    SessionClosedError,
    Verification,
)
from harbour_async._wire import Request
from harbour_async.resources import Verifications
from harbour_async.sandbox import Sandbox
from tests.fake_api import FakeApi, paths, status_error
from tests.virtual_time import FACTORIES, run, virtual_time


def start(waits: Awaitable[Verification]) -> asyncio.Future[Verification]:
    return asyncio.ensure_future(waits)


def now() -> float:
    return asyncio.get_running_loop().time()


async def join_one_by_one(verifications: Verifications, ids: list[str]) -> None:
    """A call for each id joins after half a second; all wait in vain for two minutes."""
    waits = []
    for each in ids:
        waits.append(start(verifications.wait_for(each, timeout=120)))
        await asyncio.sleep(0.5)
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(result) for result in results} == {DeadlineExceededError}


@virtual_time
async def test_a_finished_verification_takes_one_request() -> None:
    api = FakeApi()
    [key] = api.insert(1, "completed")
    v = await api.verifications.wait_for(key, timeout=10)
    assert v.status == "completed"
    assert paths(api) == [f"verifications/{key}"]


@pytest.mark.parametrize("status", ["completed", "cancelled", "COMPLETED"])
def test_a_final_status_ends_the_wait(status: str) -> None:
    async def main() -> None:
        api = FakeApi()
        [key] = api.insert(1)
        waits = start(api.verifications.wait_for(key, timeout=600))
        await asyncio.sleep(60)
        assert not waits.done()
        api.update(key, status=status)
        assert (await waits).status == status.lower()

    run(main)


@virtual_time
async def test_an_unknown_status_does_not_end_the_wait_and_is_the_last_status() -> None:
    api = FakeApi()
    [key] = api.insert(1, "Accepted")
    with pytest.raises(DeadlineExceededError) as caught:
        await api.verifications.wait_for(key, timeout=60)
    assert caught.value.last_status == "Accepted"
    assert str(caught.value.request) == f"GET /verifications/{key}"
    assert 60 <= now() < 61


@virtual_time
async def test_pauses_grow_to_half_a_minute_in_the_bulk_lane() -> None:
    api = FakeApi()
    [key] = api.insert(1)
    moments: list[float] = []
    api.trouble = lambda _: moments.append(now())
    with pytest.raises(DeadlineExceededError):
        await api.verifications.wait_for(key, timeout=600)
    pauses = [b - a for a, b in itertools.pairwise(moments)]
    assert pauses[0] < 3
    assert all(20 < pause < 40 for pause in pauses[-10:])
    assert len(set(pauses)) == len(pauses)  # jittered
    assert set(api.lanes) == {Priority.BULK}


@virtual_time
async def test_until_replaces_the_condition() -> None:
    api = FakeApi()
    [key] = api.insert(1, "started")
    waits = start(
        api.verifications.wait_for(
            key, timeout=600, until=lambda v: v.status == "in_progress", priority=Priority.BULK
        )
    )
    await asyncio.sleep(5)
    api.update(key, status="in_progress")
    assert (await waits).status == "in_progress"


@pytest.mark.parametrize(
    "error", [KeyError("mine"), TimeoutError("mine"), StopAsyncIteration("mine")]
)
def test_an_error_in_until_is_raised_to_its_own_waiter_only(error: Exception) -> None:
    def fails(_: Verification) -> bool:
        raise error

    async def main() -> None:
        api = FakeApi()
        [key] = api.insert(1)
        waiting = api.verifications
        other = start(waiting.wait_for(key, timeout=600))
        with pytest.raises(type(error), match="mine"):
            await waiting.wait_for(key, timeout=600, until=fails)
        api.update(key, status="completed")
        assert (await other).status == "completed"

    run(main)


@virtual_time
async def test_until_is_called_in_the_context_of_its_caller() -> None:
    wanted: ContextVar[str] = ContextVar("wanted")
    api = FakeApi()
    key, other = api.insert(1, "started") + api.insert(1, "reviewed")
    verifications = api.verifications

    async def wait(verification_id: str, status: str) -> str | None:
        wanted.set(status)
        v = await verifications.wait_for(
            verification_id, timeout=60, until=lambda v: v.status == wanted.get()
        )
        return v.status

    waits = asyncio.gather(wait(key, "started"), wait(other, "reviewed"))
    assert list(await waits) == ["started", "reviewed"]


@virtual_time
async def test_an_until_that_proves_to_be_asynchronous_is_refused() -> None:
    async def completed(v: Verification) -> bool:
        return v.status == "completed"

    untils: list[Any] = [lambda v: completed(v), lambda _: asyncio.Future()]
    api = FakeApi()
    [key] = api.insert(1)
    for until in untils:
        with pytest.raises(ConfigurationError, match="returned an awaitable"):
            await api.verifications.wait_for(key, timeout=60, until=until)


@virtual_time
async def test_a_future_that_until_asks_and_that_was_cancelled_ends_its_own_wait_only() -> None:
    api = FakeApi()
    [key] = api.insert(1)
    waiting = api.verifications
    given_up: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    given_up.cancel()
    other = start(waiting.wait_for(key, timeout=600))
    with pytest.raises(asyncio.CancelledError):
        await waiting.wait_for(key, timeout=600, until=lambda _: given_up.result())
    api.update(key, status="completed")
    assert (await other).status == "completed"


@pytest.mark.parametrize("eager", FACTORIES.values(), ids=FACTORIES)
def test_a_thousand_waiters_share_the_polling(eager: bool) -> None:
    async def main() -> None:
        api = FakeApi()
        api.insert(1000, "completed")
        ids = api.insert(1000)
        waiting = api.verifications
        waits = [start(waiting.wait_for(each, timeout=3600)) for each in ids]
        await asyncio.sleep(600)
        api.update(*ids, status="completed")
        found = await asyncio.gather(*waits)
        assert [each.verification_id for each in found] == ids
        # If each polled for itself, that would be a thousand requests every time.
        assert len(api.requests) < 300
        assert set(api.lanes) == {Priority.BULK}

    run(main, eager=eager)


@virtual_time
async def test_polling_uses_half_of_the_limit_at_most() -> None:
    api = FakeApi(limit=RateLimit(10, 60))
    ids = api.insert(500)
    waiting = api.verifications
    waits = [start(waiting.wait_for(each, timeout=3600)) for each in ids]
    await asyncio.gather(*waits, return_exceptions=True)
    assert len(api.requests) <= 10 * 60 / 2 + 20


@virtual_time
async def test_waiters_that_join_one_by_one_do_not_speed_up_the_polling() -> None:
    api = FakeApi()
    ids = api.insert(240)
    joining = asyncio.create_task(join_one_by_one(api.verifications, ids))
    await asyncio.sleep(120)
    singly = 240  # each is asked for once when it joins
    assert len(api.requests) - singly <= 50 * 120 / 60 + 5
    await joining


@virtual_time
async def test_in_an_outage_waiters_that_join_keep_to_half_of_the_limit() -> None:
    api = FakeApi()

    def trouble(_: Request) -> None:
        raise status_error(503, InternalServerError)

    api.trouble = trouble
    await join_one_by_one(api.verifications, api.insert(240))
    assert 100 <= len(api.requests) <= 50 * 240 / 60 + 5


@virtual_time
async def test_waiters_of_one_verification_share_each_request() -> None:
    api = FakeApi()
    [key] = api.insert(1, "completed")
    waiting = api.verifications
    await asyncio.gather(*(waiting.wait_for(key, timeout=60) for _ in range(100)))
    assert len(api.requests) == 1


@virtual_time
async def test_cancelling_one_waiter_disturbs_no_other() -> None:
    api = FakeApi()
    ids = api.insert(20)
    waiting = api.verifications
    waits = [start(waiting.wait_for(each, timeout=600)) for each in ids]
    await asyncio.sleep(0.5)
    for each in waits[::2]:
        each.cancel()
    await asyncio.sleep(20)
    api.update(*ids, status="cancelled")
    assert len(await asyncio.gather(*waits[1::2])) == 10
    assert all(each.cancelled() for each in waits[::2])


@virtual_time
async def test_the_polling_ends_with_the_last_waiter() -> None:
    api = FakeApi()
    ids = api.insert(10)
    waiting = api.verifications
    waits = [start(waiting.wait_for(each, timeout=600)) for each in ids]
    await asyncio.sleep(5)
    for each in waits:
        each.cancel()
    await asyncio.wait(waits)
    await asyncio.sleep(0)
    asked = len(api.requests)
    await asyncio.sleep(300)
    assert len(api.requests) == asked
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual_time
async def test_a_new_wait_works_right_after_the_last_one_was_cancelled() -> None:
    api = FakeApi()
    [key] = api.insert(1)
    waiting = api.verifications
    first = start(waiting.wait_for(key, timeout=600))
    await asyncio.sleep(5)
    first.cancel()
    second = start(waiting.wait_for(key, timeout=600))
    await asyncio.sleep(5)
    api.update(key, status="completed")
    assert (await second).status == "completed"


@virtual_time
async def test_a_waiter_that_comes_later_is_polled_for_at_once() -> None:
    api = FakeApi()
    ids = api.insert(50)
    waiting = api.verifications
    waits = [start(waiting.wait_for(each, timeout=3600)) for each in ids]
    await asyncio.sleep(600)  # pauses are long by now
    [late] = api.insert(1, "completed")
    began = now()
    await waiting.wait_for(late, timeout=60)
    assert now() - began < 3
    for each in waits:
        each.cancel()


@pytest.mark.parametrize("others", [0, 50])
def test_an_id_that_does_not_exist_raises_not_found_to_its_own_waiters(others: int) -> None:
    async def main() -> None:
        api = FakeApi()
        ids = api.insert(others)
        waiting = api.verifications
        waits = [start(waiting.wait_for(each, timeout=600)) for each in ids]
        with pytest.raises(NotFoundError):
            await waiting.wait_for("V-none", timeout=600)
        api.update(*ids, status="completed")
        assert len(await asyncio.gather(*waits)) == others

    run(main)


@pytest.mark.parametrize("others", [0, 50])
def test_a_verification_that_is_deleted_meanwhile_raises_not_found(others: int) -> None:
    async def main() -> None:
        api = FakeApi()
        *ids, key = api.insert(others + 1)
        waiting = api.verifications
        waits = [start(waiting.wait_for(each, timeout=900)) for each in ids]
        gone = start(waiting.wait_for(key, timeout=900))
        await asyncio.sleep(30)
        del api.records[key]
        with pytest.raises(NotFoundError):
            await gone
        assert not any(each.done() for each in waits)
        for each in waits:
            each.cancel()

    run(main)


@virtual_time
async def test_a_change_that_leaves_updated_at_as_it_was_is_seen() -> None:
    api = FakeApi()
    ids = api.insert(50)
    waiting = api.verifications
    waits = [start(waiting.wait_for(each, timeout=900)) for each in ids]
    await asyncio.sleep(30)
    for each in ids:
        api.records[each]["status"] = "completed"
    assert len(await asyncio.gather(*waits)) == 50


OUTAGES: dict[str, Callable[[], HarbourError]] = {
    "connection": lambda: APIConnectionError("no answer"),
    "503": lambda: status_error(503, InternalServerError),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
@pytest.mark.parametrize("count", [1, 50])
def test_outages_are_waited_out(outage: Callable[[], HarbourError], count: int) -> None:
    def fails(_: Request) -> None:
        raise outage()

    async def main() -> None:
        api = FakeApi()
        ids = api.insert(count)
        waiting = api.verifications
        waits = [start(waiting.wait_for(each, timeout=3600)) for each in ids]
        await asyncio.sleep(10)
        api.trouble = fails
        await asyncio.sleep(300)
        api.trouble = None
        api.update(*ids, status="completed")
        assert len(await asyncio.gather(*waits)) == count

    run(main)


@virtual_time
async def test_an_outage_to_the_end_is_the_cause_of_the_missed_deadline() -> None:
    def fails(_: Request) -> None:
        raise APIConnectionError("no answer")

    api = FakeApi(trouble=fails)
    [key] = api.insert(1)
    with pytest.raises(DeadlineExceededError) as caught:
        await api.verifications.wait_for(key, timeout=60)
    assert isinstance(caught.value.__cause__, APIConnectionError)
    assert caught.value.last_status is None
    assert not caught.value.sent


@virtual_time
async def test_a_refusal_of_one_verification_is_raised_to_its_own_waiters_only() -> None:
    def refuses(request: Request) -> None:
        if request.path.endswith("V-1"):
            raise status_error(403, PermissionDeniedError)

    api = FakeApi(trouble=refuses)
    api.insert(3)
    waiting = api.verifications
    first, second = (start(waiting.wait_for(each, timeout=600)) for each in ("V-0", "V-1"))
    with pytest.raises(PermissionDeniedError):
        await second
    api.update("V-0", status="completed")
    assert (await first).status == "completed"


class VaultError(Exception):
    """Cannot be copied: it is not made from its ``args``."""

    def __init__(self, place: str, code: int) -> None:
        super().__init__(f"{place} answered {code}")


@virtual_time
async def test_what_the_source_of_the_key_raises_passes_through_to_every_waiter() -> None:
    def key() -> str:
        raise VaultError("vault", 503)

    async with HarbourSession(key) as harbour:
        waits = [harbour.verifications.wait_for(each, timeout=5) for each in ("a", "b")]
        results = await asyncio.gather(*waits, return_exceptions=True)
    assert [(type(each), str(each)) for each in results] == [(VaultError, "vault answered 503")] * 2


@virtual_time
async def test_a_key_that_is_refused_raises_a_separate_error_to_each_waiter() -> None:
    def refuses(_: Request) -> None:
        raise status_error(401, AuthenticationError)

    api = FakeApi(trouble=refuses)
    waiting = api.verifications
    waits = [waiting.wait_for(each, timeout=600) for each in api.insert(50)]
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert all(isinstance(error, AuthenticationError) for error in errors)
    assert len({id(error) for error in errors}) == 50


@pytest.mark.parametrize("count", [1, 50])
@pytest.mark.parametrize("after", [0.01, 0.5, 100])
def test_closing_the_session_wakes_all_at_once(count: int, after: float) -> None:
    async def main() -> None:
        api = FakeApi()
        waiting = api.verifications
        waits = [start(waiting.wait_for(each, timeout=None)) for each in api.insert(count)]
        await asyncio.sleep(after)
        began = now()
        await api.life.aclose()
        ends = await asyncio.gather(*waits, return_exceptions=True)
        assert all(isinstance(each, SessionClosedError) for each in ends)
        assert now() - began < 0.01
        with pytest.raises(SessionClosedError):
            await waiting.wait_for("V-0", timeout=10)

    run(main)


def test_a_session_can_wait_again_in_the_next_event_loop() -> None:
    api = FakeApi()
    [key] = api.insert(1)
    waiting = api.verifications

    async def in_vain() -> None:
        with pytest.raises(DeadlineExceededError):
            await waiting.wait_for(key, timeout=10)

    async def with_success() -> None:
        api.update(key, status="completed")
        await waiting.wait_for(key, timeout=10)

    run(in_vain)
    run(with_success)


def test_a_waiter_that_is_cancelled_with_its_loop_leaves_nothing_to_the_next() -> None:
    api = FakeApi()
    [key] = api.insert(1)
    waiting = api.verifications

    async def leave() -> None:
        waits = start(waiting.wait_for(key, timeout=600))
        await asyncio.sleep(1)
        assert not waits.done()

    async def again() -> None:
        api.update(key, status="completed")
        await waiting.wait_for(key, timeout=10)

    run(leave)
    run(again)


async def never_awaited(verification: Verification) -> bool:
    return verification.result is not None


BAD: list[dict[str, Any]] = [
    {"timeout": 0},
    {"timeout": -1},
    {"timeout": "soon"},
    {"timeout": 5, "until": "completed"},
    {"timeout": 5, "until": never_awaited},
]


@pytest.mark.parametrize("options", BAD)
@virtual_time
async def test_arguments_that_cannot_be_used_are_refused(options: dict[str, Any]) -> None:
    api = FakeApi()
    with pytest.raises(ConfigurationError):
        await api.verifications.wait_for("V-0", **options)
    with pytest.raises(ConfigurationError):
        await api.verifications.wait_for("", timeout=5)
    assert not api.requests


async def test_views_of_a_session_share_the_polling() -> None:
    async with (
        Sandbox(verifications=20, rate_limit=None) as sandbox,
        HarbourSession(
            sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited()
        ) as harbour,
    ):
        [key] = sandbox.insert(status="in_progress")
        views = [harbour, harbour.with_options(timeout=50), harbour.with_options(retry=2)]
        waits = [start(view.verifications.wait_for(key, timeout=60)) for view in views]
        await asyncio.sleep(0)
        sandbox.update(key, status="completed")
        await asyncio.gather(*waits)
        assert len(sandbox.arrivals) <= 2


@virtual_time
async def test_each_verification_is_fetched_if_changes_cannot_be_proved() -> None:
    api = FakeApi()
    ids = api.insert(20)
    waiting = api.verifications
    waits = [start(waiting.wait_for(each, timeout=600)) for each in ids]
    await asyncio.sleep(5)
    api.ordered = False
    await asyncio.sleep(20)
    api.update(*ids, status="completed")
    assert len(await asyncio.gather(*waits)) == 20
