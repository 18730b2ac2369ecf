"""The fault matrix: every fault on every kind of call, once and on every attempt.

Each case ends in the right records or in one typed error, within its deadline, and nothing of the
answer or the key is in the error.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harbour_async import (
    APIConnectionError,
    APIStatusError,
    HarbourError,
    HarbourSession,
    IncompleteListingError,
)
from tests.exposed import exposed_text
from tests.reliability.api import IDS, PAGE_SIZE, PERSON, Api, refusing, talking
from tests.reliability.faults import (
    FAULTS,
    LIES,
    LOST,
    PAGES,
    RIGHT,
    UNPROVED,
    Fault,
    Outcome,
    replaced,
    statuses,
)
from tests.reliability.quiet_time import quiet_time
from tests.servers import KEY

FOREVER = 1_000_000
TARGET = IDS[0]
URL = "https://destination.example"
TOTAL = 60.0
"""Seconds that a single call may take."""

LONGEST_WALK = 200.0
"""Seconds: three attempts of 30 on one page, and the pauses between."""

SLACK = 0.01
"""Seconds of the loop's clock, which moves by 0.1 µs a turn."""

Call = Callable[[HarbourSession], Awaitable[Any]]


async def ended(
    call: Awaitable[Any], outcome: Outcome, why: str, limit: float
) -> HarbourError | None:
    """Await a call that has to end as expected and in time; return its error, if it raised one."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    failed: HarbourError | None = None
    try:
        await call
    except HarbourError as error:
        failed = error
    except Exception as error:
        raise AssertionError(f"{why}: a foreign {error!r}") from error
    assert loop.time() - began <= limit + SLACK, why
    if failed is None:
        assert outcome == RIGHT, f"{why}: no error"
        return None
    assert isinstance(failed, outcome), f"{why}: {failed!r}"
    leaks_nothing(failed, why)
    return failed


def leaks_nothing(error: HarbourError, why: str) -> None:
    """Only attributes of an APIStatusError may hold the answer, and no error may hold the key."""
    text = exposed_text(error)
    assert KEY not in text, f"{why}: {error!r}"
    assert PERSON not in (str(error) if isinstance(error, APIStatusError) else text), why
    assert error.request is not None, why
    assert error.attempts, why


# -- single calls and writes -------------------------------------------------------------------


async def get(harbour: HarbourSession) -> None:
    assert (await harbour.verifications.get(TARGET)).verification_id == TARGET


async def create(harbour: HarbourSession) -> None:
    assert (await harbour.webhooks.create(URL)).webhook_id == "wb_1"


async def update(harbour: HarbourSession) -> None:
    assert (await harbour.webhooks.update("wb_1", destination_url=URL)).webhook_id == "wb_1"


async def delete(harbour: HarbourSession) -> None:
    assert (await harbour.verifications.delete(TARGET)).verification_id == TARGET


CALLS: dict[str, Call] = {"GET": get, "POST": create, "PUT": update, "DELETE": delete}


def outcome_of(fault: Fault, method: str, times: int) -> Outcome:
    if method == "POST":
        return fault.forever if times == FOREVER and fault.is_temporary else fault.write
    if fault.is_temporary:
        return fault.forever if times == FOREVER else RIGHT
    return fault.read if method == "GET" else fault.receipt


async def on_a_single_call(fault: Fault, method: str, times: int) -> None:
    why = f"{fault.name}, {method}, {'once' if times == 1 else 'always'}"
    async with talking() as (harbour, api):
        api.inject(fault.effect, method, 0, times, unprocessed=fault.unprocessed)
        outcome = outcome_of(fault, method, times)
        failed = await ended(CALLS[method](harbour), outcome, why, TOTAL)
        assert api.faults, why
        writes_are_exact(api, method, failed, why)
        api.recover()
        await harbour.verifications.page(size=1)  # the session still works


def writes_are_exact(api: Api, method: str, failed: HarbourError | None, why: str) -> None:
    """Counted at the server: a POST once, a PUT at least once, a DELETE finally."""
    if method == "POST":
        posts = sum(request.method == "POST" for request in api.received)
        assert len(api.created) <= 1, why
        assert failed is not None or len(api.created) == 1, why
        if isinstance(failed, APIConnectionError):
            assert failed.sent or not api.created, why
            assert posts == 1, why
    elif failed is None and method == "PUT":
        assert set(api.updated) == {URL}, why
    elif failed is None and method == "DELETE":
        assert TARGET not in api.alive, why


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_on_a_single_call_ends_in_a_record_or_one_error(
    fault: Fault, tried: Counter[str]
) -> None:
    @quiet_time
    async def everywhere() -> None:
        for method in CALLS:
            for times in (1, FOREVER):
                await on_a_single_call(fault, method, times)
                tried["faults"] += 1

    everywhere()


@pytest.mark.exhaustive
@pytest.mark.parametrize("method", CALLS)
def test_every_error_status_on_a_single_call_is_its_error(method: str, tried: Counter[str]) -> None:
    @quiet_time
    async def all_of_them() -> None:
        for fault in statuses():
            for times in (1, FOREVER) if fault.is_temporary else (1,):
                await on_a_single_call(fault, method, times)
                tried["faults"] += 1

    all_of_them()


# -- walks -------------------------------------------------------------------------------------


async def pages_of_a_walk() -> int:
    async with talking() as (harbour, api):
        assert [
            v.verification_id async for v in harbour.verifications.list(page_size=PAGE_SIZE)
        ] == IDS
        return len(api.received)


async def on_a_walk(
    effect: Any, first: int, times: int, outcome: Outcome, why: str, *, unprocessed: bool = False
) -> None:
    """The records before the error are right, and its resume token gives the rest."""
    async with talking() as (harbour, api):
        api.inject(effect, "GET", first, times, unprocessed=unprocessed)
        found: list[str] = []

        async def walk() -> None:
            async for verification in harbour.verifications.list(page_size=PAGE_SIZE):
                found.append(verification.verification_id)

        failed = await walked(walk(), outcome, why)
        assert api.faults, why
        assert found == IDS[: len(found)], why
        if failed is None:
            assert found == IDS, why
            return
        if isinstance(failed, IncompleteListingError):
            return
        api.recover()
        rest = harbour.verifications.list(page_size=PAGE_SIZE, resume=failed.resume_token)
        found += [verification.verification_id async for verification in rest]
        assert found == IDS, why


async def walked(call: Awaitable[Any], outcome: Outcome, why: str) -> HarbourError | None:
    """As ``ended``, but a walk that may lose its proof may also end in the right records."""
    if outcome != UNPROVED:
        return await ended(call, outcome, why, LONGEST_WALK)
    try:
        await call
    except outcome as error:
        return error
    return None


@pytest.mark.parametrize("fault", FAULTS + PAGES, ids=lambda fault: fault.name)
def test_a_fault_on_any_page_ends_in_right_records_or_one_error(
    fault: Fault, tried: Counter[str]
) -> None:
    @quiet_time
    async def everywhere() -> None:
        last = await pages_of_a_walk() - 1
        for first in (0, last // 2, last):
            for times in (1, FOREVER):
                outcome = fault.read if times == 1 else fault.forever
                why = f"{fault.name}, page request {first}, {times} times"
                await on_a_walk(
                    fault.effect, first, times, outcome, why, unprocessed=fault.unprocessed
                )
                tried["faults"] += 1

    everywhere()


@pytest.mark.exhaustive
@pytest.mark.parametrize("page", ["first", "middle", "last"])
def test_every_error_status_on_a_page_is_its_error(page: str, tried: Counter[str]) -> None:
    @quiet_time
    async def all_of_them() -> None:
        last = await pages_of_a_walk() - 1
        first = {"first": 0, "middle": last // 2, "last": last}[page]
        for fault in statuses():
            why = f"{fault.name} on the {page} page"
            await on_a_walk(fault.effect, first, 1, fault.read, why, unprocessed=fault.unprocessed)
            tried["faults"] += 1

    all_of_them()


@pytest.mark.parametrize("lie", LIES)
def test_wrong_numbers_on_a_page_give_right_records_or_no_proof(
    lie: str, tried: Counter[str]
) -> None:
    @quiet_time
    async def everywhere() -> None:
        last = await pages_of_a_walk() - 1
        for first in (0, last // 2, last):
            for times in (1, FOREVER):
                why = f"{lie}, page request {first}, {times} times"
                await on_a_walk(replaced(**LIES[lie]), first, times, UNPROVED, why)
                tried["faults"] += 1

    everywhere()


# -- connections that are refused --------------------------------------------------------------


@pytest.mark.parametrize("attempts_refused", [1, 2])
@quiet_time
async def test_a_refused_connection_is_tried_again(attempts_refused: int) -> None:
    """On the first, a middle and the last page, on a single call and on each write."""
    for method in CALLS:
        async with refusing(attempts_refused) as (harbour, api, refuse):
            await refuse()
            await CALLS[method](harbour)
            if method == "POST":
                assert api.created == [URL]
    for batch in range(4):
        async with refusing(attempts_refused) as (harbour, _, refuse):
            found = []
            async for page in harbour.verifications.list(
                page_size=PAGE_SIZE, concurrency=1
            ).pages():
                found += [verification.verification_id for verification in page]
                if len(found) // PAGE_SIZE == batch:
                    await refuse()
            assert found == IDS


@pytest.mark.parametrize("method", CALLS)
@quiet_time
async def test_the_error_for_refused_connections_says_that_nothing_was_sent(method: str) -> None:
    async with talking() as (harbour, api):
        await api.refuse()
        failed = await ended(CALLS[method](harbour), LOST, method, TOTAL)
        assert isinstance(failed, APIConnectionError)
        assert not failed.sent
        assert not api.received
