"""``recent`` and ``remember``: sends that an earlier process made."""

from __future__ import annotations

import asyncio
import math

import pytest

from harbour_async.budget import Budget
from harbour_async.errors import ConfigurationError
from harbour_async.settings import Priority, RateLimit
from tests.budget.servers import most_in_window
from tests.virtual_time import run, virtual_time


@virtual_time
async def test_recent_gives_the_age_of_each_send_oldest_first() -> None:
    budget = Budget(RateLimit(10, per=60.0))
    assert budget.recent() == []
    (await budget.acquire()).answered()
    await asyncio.sleep(5.0)
    (await budget.acquire()).answered()
    await budget.acquire()  # in flight
    await asyncio.sleep(2.0)
    assert budget.recent() == pytest.approx([7.0, 2.0, 0.0], abs=0.01)


@virtual_time
async def test_recent_forgets_what_no_longer_counts_and_what_was_not_sent() -> None:
    budget = Budget(RateLimit(10, per=60.0))
    (await budget.acquire()).answered()
    (await budget.acquire()).unsent()
    assert len(budget.recent()) == 1
    await asyncio.sleep(60.1)
    assert budget.recent() == []


@virtual_time
async def test_an_abandoned_send_has_age_zero_until_it_must_have_arrived() -> None:
    budget = Budget(RateLimit(10, per=60.0))
    (await budget.acquire()).abandoned()  # allowed a second to arrive
    await asyncio.sleep(0.5)
    assert budget.recent() == [0.0]
    await asyncio.sleep(10.5)
    assert budget.recent() == pytest.approx([10.0], abs=0.01)


@virtual_time
async def test_remembered_sends_take_slots_until_per_seconds_have_passed_since_them() -> None:
    budget = Budget(RateLimit(3, per=60.0, burst=3))
    budget.remember([59.0, 30.0, 1.0, 70.0])
    loop = asyncio.get_running_loop()
    assert (budget.snapshot().used, budget.snapshot().free) == (3, 0)
    times = []
    for _ in range(3):
        await budget.acquire(Priority.BULK)
        times.append(loop.time())
    assert times == pytest.approx([1.0, 30.0, 59.0], abs=0.05)


@virtual_time
async def test_the_result_of_recent_can_be_remembered() -> None:
    budget = Budget()
    for _ in range(5):
        (await budget.acquire()).answered()
        await asyncio.sleep(3.0)
    other = Budget()
    other.remember(budget.recent())
    assert other.recent() == pytest.approx(budget.recent(), abs=0.001)


@virtual_time
async def test_more_sends_than_the_limit_are_all_remembered() -> None:
    budget = Budget(RateLimit(2, per=10.0, burst=2))
    budget.remember([4.0, 3.0, 2.0, 1.0])
    loop = asyncio.get_running_loop()
    snapshot = budget.snapshot()
    assert (snapshot.used, snapshot.free) == (4, 0)
    assert snapshot.next_free_in == pytest.approx(8.0, abs=0.01)
    await budget.acquire()
    assert loop.time() == pytest.approx(8.0, abs=0.01)


@virtual_time
async def test_a_budget_goes_on_at_the_pace_that_the_remembered_sends_leave() -> None:
    budget = Budget(RateLimit(100, per=60.0, burst=20))
    budget.remember([0.0] * 18)
    loop = asyncio.get_running_loop()
    times = []
    for _ in range(4):
        (await budget.acquire()).answered()
        times.append(loop.time())
    assert times == pytest.approx([0.0, 0.0, 0.6, 1.2], abs=0.01)


@virtual_time
async def test_remembered_sends_also_delay_calls_that_wait_already() -> None:
    budget = Budget(RateLimit(1, per=10.0))
    (await budget.acquire()).answered()
    waiting = asyncio.create_task(budget.acquire())
    await asyncio.sleep(5.0)
    budget.remember([0.0])
    await waiting
    assert asyncio.get_running_loop().time() == pytest.approx(15.0, abs=0.01)


@pytest.mark.parametrize("age", [-0.1, math.nan, "1", None, True])
@virtual_time
async def test_an_age_that_is_not_a_number_of_at_least_zero_is_refused(age: object) -> None:
    budget = Budget()
    with pytest.raises(ConfigurationError, match="at least 0"):
        budget.remember([1.0, age])  # type: ignore[list-item]
    assert budget.recent() == []


@virtual_time
async def test_without_a_limit_nothing_is_remembered() -> None:
    budget = Budget(RateLimit.unlimited())
    budget.remember([0.0] * 5)
    await budget.acquire()
    assert budget.recent() == []


@pytest.mark.parametrize("crash_at", [0.0, 1.3, 25.0])
def test_a_crash_and_a_resumption_together_keep_the_limit(crash_at: float) -> None:
    limit = RateLimit(20, per=10.0, burst=10)
    downtime = 0.7

    async def send(budget: Budget, until: float, arrivals: list[float], offset: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() <= until:
            slot = await budget.acquire(Priority.BULK)
            arrivals.append(offset + loop.time())
            slot.answered()

    arrivals: list[float] = []

    async def before() -> tuple[float, list[float]]:
        budget = Budget(limit)
        await send(budget, crash_at, arrivals, 0.0)
        return asyncio.get_running_loop().time(), budget.recent()

    crashed_at, recent = run(before)

    async def after() -> None:
        budget = Budget(limit)
        budget.remember([age + downtime for age in recent])
        await send(budget, 30.0, arrivals, crashed_at + downtime)

    run(after)
    assert most_in_window(arrivals, limit.per) <= 20
