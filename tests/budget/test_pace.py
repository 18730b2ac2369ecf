"""Bursts, the pace, and pauses."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from harbour_async.budget import MAX_PAUSE, Budget
from harbour_async.errors import ConfigurationError
from harbour_async.settings import Priority, RateLimit
from tests.virtual_time import settle, virtual_time


async def grants(budget: Budget, count: int, priority: Priority = Priority.BULK) -> list[float]:
    """The times at which ``count`` calls, all made now and answered at once, get their turn."""
    loop = asyncio.get_running_loop()

    async def call() -> float:
        slot = await budget.acquire(priority)
        slot.answered()
        return loop.time()

    return list(await asyncio.gather(*(call() for _ in range(count))))


@virtual_time
async def test_an_idle_budget_sends_a_burst_at_once_and_then_keeps_the_pace() -> None:
    times = await grants(Budget(), 30, Priority.INTERACTIVE)
    assert times[19] == pytest.approx(0.0, abs=0.001)
    assert [later - earlier for earlier, later in pairwise(times[19:])] == pytest.approx(
        [0.6] * 10, abs=0.001
    )


@virtual_time
async def test_a_burst_needs_no_turn_of_the_loop() -> None:
    budget = Budget()
    for _ in range(20):
        with pytest.raises(StopIteration):
            budget.acquire().send(None)  # a coroutine that ends without suspending


@virtual_time
async def test_what_was_not_sent_leaves_the_burst_as_it_was() -> None:
    budget = Budget(RateLimit(100, per=60.0, burst=20))
    loop = asyncio.get_running_loop()
    for _ in range(10):
        for slot in [await budget.acquire() for _ in range(20)]:
            slot.unsent()
    assert loop.time() == pytest.approx(0.0, abs=0.001)
    await asyncio.sleep(30.0)
    times = await grants(budget, 22, Priority.INTERACTIVE)
    assert times[19] == pytest.approx(30.0, abs=0.001)
    assert times[20:] == pytest.approx([30.6, 31.2], abs=0.001)


@virtual_time
async def test_a_call_that_waits_for_the_pace_goes_when_another_was_not_sent() -> None:
    budget = Budget(RateLimit(6, per=60.0, burst=2))
    loop = asyncio.get_running_loop()
    first, second = [await budget.acquire() for _ in range(2)]
    first.answered()
    third = asyncio.create_task(budget.acquire())
    await asyncio.sleep(3.0)
    assert not third.done()
    second.unsent()
    await third
    assert loop.time() == pytest.approx(3.0, abs=0.001)


@virtual_time
async def test_what_was_not_sent_before_a_pause_makes_no_burst_after_it() -> None:
    budget = Budget(RateLimit(100, per=60.0, burst=20))
    slots = [await budget.acquire() for _ in range(20)]
    budget.pause(30.0)
    for slot in slots:
        slot.unsent()
    assert await grants(budget, 3) == pytest.approx([30.0, 30.6, 31.2], abs=0.01)


@virtual_time
async def test_what_was_taken_before_a_pause_makes_no_burst_when_it_comes_back_later() -> None:
    budget = Budget(RateLimit(100, per=60.0, burst=20))
    slots = [await budget.acquire() for _ in range(20)]
    budget.pause(5.0)
    waiting = asyncio.create_task(grants(budget, 30, Priority.INTERACTIVE))
    await asyncio.sleep(10.0)
    for slot in slots:
        slot.unsent()
    times = await waiting
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.5


@virtual_time
async def test_bulk_never_waits_long_after_a_burst() -> None:
    budget = Budget()
    times = await grants(budget, 250)
    gaps = [later - earlier for earlier, later in pairwise(times[19:])]
    assert max(gaps) < 1.3  # two tokens; without spreading, 12 s
    assert times[99] < 60.0
    assert times[199] < 120.0


@virtual_time
async def test_an_interactive_call_beside_saturating_bulk_waits_about_one_token() -> None:
    budget = Budget()
    loop = asyncio.get_running_loop()
    export = asyncio.create_task(grants(budget, 10_000))
    waits = []
    for _ in range(300):
        await asyncio.sleep(7.0)
        asked = loop.time()
        (await budget.acquire()).answered()
        waits.append(loop.time() - asked)
    export.cancel()
    await settle()
    assert max(waits) < 2 * 0.6
    assert sum(waits) / len(waits) < 0.6


@virtual_time
async def test_a_pause_stops_everything_and_then_the_flow_restarts_at_the_pace() -> None:
    budget = Budget(RateLimit(100, 60.0, burst=20))
    budget.pause(30.0)
    times = await grants(budget, 5)
    assert times == pytest.approx([30.0, 30.6, 31.2, 31.8, 32.4], abs=0.01)


@virtual_time
async def test_a_pause_that_ended_long_ago_leaves_a_full_burst() -> None:
    budget = Budget()
    budget.pause(5.0)
    await asyncio.sleep(60.0)
    times = await grants(budget, 20)
    assert times[-1] == pytest.approx(60.0, abs=0.01)


@virtual_time
async def test_a_pause_that_comes_while_others_wait_holds_for_them_too() -> None:
    budget = Budget(RateLimit(10, 10.0, burst=1))
    waiting = asyncio.create_task(grants(budget, 3))
    await asyncio.sleep(0.5)
    budget.pause(20.0)
    assert await waiting == pytest.approx([0.0, 20.5, 21.5], abs=0.01)


@virtual_time
async def test_a_pause_is_never_shortened_and_invalid_lengths_are_ignored() -> None:
    budget = Budget()
    budget.pause(10.0)
    for seconds in (1.0, -5.0, 0.0, math.nan, math.inf, -math.inf):
        budget.pause(seconds)
    assert budget.snapshot().paused_for == pytest.approx(10.0, abs=0.01)
    assert (await grants(budget, 1)) == pytest.approx([10.0], abs=0.01)


@virtual_time
@pytest.mark.parametrize("seconds", [120.001, 86_400, 9_999_999_999, 1e300, timedelta(days=1)])
async def test_no_pause_is_longer_than_two_minutes(seconds: float) -> None:
    budget = Budget()
    budget.pause(seconds)
    assert MAX_PAUSE == 120.0
    assert budget.snapshot().paused_for == pytest.approx(120.0, abs=0.01)
    assert (await grants(budget, 1)) == pytest.approx([120.0], abs=0.01)


@virtual_time
async def test_the_longest_pause_can_be_set() -> None:
    budget = Budget(max_pause=timedelta(seconds=10))
    budget.pause(86_400)
    assert budget.snapshot().paused_for == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, None, "60", True])
def test_a_longest_pause_that_is_not_finite_and_above_zero_is_refused(seconds: object) -> None:
    with pytest.raises(ConfigurationError, match="max_pause"):
        Budget(max_pause=seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize("connections", [0, -1, 1.5, True, "4"])
def test_a_number_of_connections_with_which_nothing_could_be_sent_is_refused(
    connections: Any,
) -> None:
    with pytest.raises(ConfigurationError, match="connections"):
        Budget(connections=connections)


@pytest.mark.parametrize("seconds", [None, "60", True])
@virtual_time
async def test_a_pause_that_is_not_a_duration_is_refused(seconds: object) -> None:
    with pytest.raises(ConfigurationError, match="number of seconds"):
        Budget().pause(seconds)  # type: ignore[arg-type]


@virtual_time
async def test_a_pause_that_is_made_longer_while_it_lasts_is_kept_in_full() -> None:
    budget = Budget()
    budget.pause(5.0)
    waiting = asyncio.create_task(grants(budget, 1))
    await asyncio.sleep(4.0)
    budget.pause(5.0)
    assert await waiting == pytest.approx([9.0], abs=0.01)


@virtual_time
async def test_without_a_limit_calls_only_wait_in_a_pause() -> None:
    budget = Budget(RateLimit.unlimited())
    assert (await grants(budget, 1000))[-1] == pytest.approx(0.0, abs=0.001)
    budget.pause(3.0)
    assert budget.snapshot().estimated_wait == pytest.approx(3.0, abs=0.001)
    assert (await grants(budget, 1000))[-1] == pytest.approx(3.0, abs=0.001)
    assert budget.snapshot().free is None
