"""Lanes, deadlines, cancellation, and what waiting costs."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterable
from typing import Any

import pytest

from harbour_async.budget import Budget, BudgetSnapshot, Slot
from harbour_async.budget._ledger import LocalLedger
from harbour_async.errors import ConfigurationError, DeadlineExceededError, SessionClosedError
from harbour_async.settings import Priority, RateLimit
from tests.budget.storm import LIMIT, storm
from tests.virtual_time import FACTORIES, VirtualTimeLoop, run, settle, virtual_time

I, B = Priority.INTERACTIVE, Priority.BULK  # noqa: E741 - reads like the order it describes


async def order_of(budget: Budget, lanes: Iterable[Priority]) -> list[int]:
    """The order in which calls made one after the other get their turn."""
    served: list[int] = []

    async def call(number: int, priority: Priority) -> None:
        (await budget.acquire(priority)).answered()
        served.append(number)

    await asyncio.gather(*(call(number, lane) for number, lane in enumerate(lanes)))
    return served


async def busy_budget() -> Budget:
    """A budget with one token a second, the first of which is spent."""
    budget = Budget(RateLimit(100, per=100.0, burst=1))
    (await budget.acquire()).answered()
    return budget


@virtual_time
async def test_interactive_goes_before_bulk_and_each_lane_is_first_come_first_served() -> None:
    assert await order_of(await busy_budget(), [B, B, I, I]) == [2, 3, 0, 1]


@virtual_time
async def test_bulk_gets_one_grant_in_five_while_both_lanes_wait() -> None:
    served = await order_of(await busy_budget(), [B] * 4 + [I] * 10)
    assert served == [4, 5, 6, 7, 0, 8, 9, 10, 11, 1, 12, 13, 2, 3]


@virtual_time
async def test_an_interactive_newcomer_is_served_before_bulk_that_waited_longer() -> None:
    budget = await busy_budget()
    bulk = [asyncio.create_task(budget.acquire(B)) for _ in range(3)]
    await asyncio.sleep(0.99)
    await budget.acquire(I)
    assert not any(task.done() for task in bulk)
    await asyncio.gather(*bulk)


@virtual_time
async def test_a_cancelled_waiter_leaves_its_lane_and_takes_no_slot() -> None:
    budget = await busy_budget()
    before = budget.snapshot()
    waiters = [asyncio.create_task(budget.acquire(lane)) for lane in (I, B, B)]
    await settle()
    assert budget.snapshot().waiting == (1, 2)
    for waiter in waiters:
        waiter.cancel()
    await settle()
    after = budget.snapshot()
    assert (after.waiting, after.used) == (before.waiting, before.used)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_waiter_cancelled_in_the_tick_of_its_grant_hands_its_turn_on(factory: str) -> None:
    async def main() -> None:
        budget = Budget(RateLimit(1, per=10.0))
        first = await budget.acquire()
        unlucky = asyncio.create_task(budget.acquire())
        lucky = asyncio.create_task(budget.acquire())
        await asyncio.sleep(11.0)
        first.unsent()
        for _ in range(10):  # until the grant is made, before its task runs
            if budget.snapshot().waiting.interactive == 1:
                unlucky.cancel()
                break
            await asyncio.sleep(0)
        await asyncio.wait([unlucky])
        assert unlucky.cancelled()
        await asyncio.wait_for(lucky, 0.1)
        assert budget.snapshot().used == 1

    run(main, eager=FACTORIES[factory])


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_budget_goes_on_after_its_task_is_cancelled(factory: str) -> None:
    async def main() -> None:
        budget = await busy_budget()
        waiting = asyncio.create_task(budget.acquire())
        await settle()
        for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
            task.cancel()
        await asyncio.wait_for(waiting, 10.0)

    run(main, eager=FACTORIES[factory])


@virtual_time
async def test_a_waiting_call_that_is_closed_by_hand_leaves_no_trace() -> None:
    budget = await busy_budget()
    call = budget.acquire()
    call.send(None)
    assert budget.snapshot().waiting == (1, 0)
    call.close()
    await settle()
    assert budget.snapshot().waiting == (0, 0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_loses_neither_calls_nor_slots_and_keeps_the_limit(factory: str, seed: int) -> None:
    seen = storm(2000, seed, eager=FACTORIES[factory])
    assert seen.granted_too_late > 0  # so cancellations after a grant occurred
    assert seen.most_in_window == LIMIT.requests


@virtual_time
async def test_a_storm_of_cancellations_loses_neither_slots_nor_turns() -> None:
    budget = Budget(RateLimit(100, per=10.0, burst=5))
    for wave in range(50):
        tasks = [asyncio.create_task(budget.acquire(B if n % 2 else I)) for n in range(40)]
        await asyncio.sleep(0.05 * (wave % 7))
        for task in tasks:
            task.cancel()
        for slot in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(slot, BaseException):
                slot.unsent()
    snapshot = budget.snapshot()
    assert (snapshot.used, snapshot.waiting) == (0, (0, 0))
    assert asyncio.all_tasks() == {asyncio.current_task()}


def turns_for(waiters: int) -> int:
    """Turns of the loop in a minute in which so many calls wait, and one a second is granted."""

    async def main() -> int:
        budget = await busy_budget()
        tasks = [asyncio.create_task(budget.acquire(B, deadline=1e6)) for _ in range(waiters)]
        await settle()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        before = loop.turns
        await asyncio.sleep(60.0)
        cost = loop.turns - before
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert budget.snapshot().waiting == (0, 0)
        return cost

    return run(main)


def test_ten_thousand_waiters_cost_no_more_wakeups_than_a_hundred() -> None:
    assert turns_for(10_000) <= turns_for(100) < 60 * 10


@virtual_time
async def test_a_call_whose_turn_comes_after_its_deadline_fails_at_once() -> None:
    budget = await busy_budget()
    loop = asyncio.get_running_loop()
    waiting = [asyncio.create_task(budget.acquire(B)) for _ in range(20)]
    await settle()
    began, before = loop.time(), budget.snapshot()
    with pytest.raises(DeadlineExceededError, match=r"turn comes in 21\.0 s .* deadline in 20\.0"):
        await budget.acquire(B, deadline=began + 20.0)
    assert loop.time() == pytest.approx(began, abs=0.001)
    assert budget.snapshot().waiting == before.waiting
    await budget.acquire(I, deadline=began + 1.1)  # interactive: the next turn is its own
    for task in waiting:
        task.cancel()


@virtual_time
async def test_a_pause_beyond_a_deadline_is_told_of_a_budget_without_a_limit() -> None:
    budget = Budget(RateLimit.unlimited())
    budget.pause(30)
    with pytest.raises(DeadlineExceededError, match="limit: unlimited"):
        await budget.acquire(deadline=asyncio.get_running_loop().time() + 10)


@virtual_time
async def test_a_deadline_that_passes_while_waiting_ends_the_wait() -> None:
    budget = Budget(RateLimit(1, per=10.0))
    await budget.acquire()  # never answered
    with pytest.raises(DeadlineExceededError):
        await budget.acquire(deadline=60.0)
    assert asyncio.get_running_loop().time() == pytest.approx(60.0, abs=0.01)
    assert budget.snapshot().waiting == (0, 0)


@virtual_time
async def test_a_deadline_already_passed_takes_no_slot() -> None:
    budget = Budget()
    with pytest.raises(DeadlineExceededError):
        await budget.acquire(deadline=0.0)
    assert budget.snapshot().used == 0


@virtual_time
async def test_a_pause_beyond_the_deadline_of_a_waiting_call_ends_its_wait_at_once() -> None:
    budget = await busy_budget()
    loop = asyncio.get_running_loop()
    impatient = asyncio.create_task(budget.acquire(deadline=5.0))
    patient = asyncio.create_task(budget.acquire(deadline=50.0))
    await settle()
    budget.pause(30.0)
    with pytest.raises(DeadlineExceededError):
        await impatient
    assert loop.time() < 0.1
    await patient


@virtual_time
async def test_the_estimate_is_when_the_turn_comes() -> None:
    loop = asyncio.get_running_loop()
    budget = Budget(RateLimit(10, per=10.0, burst=5))
    for _ in range(12):  # after a burst, at the pace, and while no slot is free
        estimate = budget.snapshot().estimated_wait
        began = loop.time()
        (await budget.acquire()).answered()
        assert loop.time() - began == pytest.approx(estimate, abs=0.02)


@virtual_time
async def test_the_estimate_counts_the_share_of_bulk() -> None:
    budget = await busy_budget()
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(budget.acquire(lane)) for lane in [B] * 10 + [I] * 8]
    await settle()
    estimate, began = budget.snapshot().estimated_wait, loop.time()
    await budget.acquire(I)
    assert loop.time() - began == pytest.approx(estimate, abs=0.01) == pytest.approx(11, abs=0.01)
    for task in tasks:
        task.cancel()


@virtual_time
async def test_a_snapshot_has_the_state_of_slots_waiters_and_pauses() -> None:
    limit = RateLimit(3, per=10.0)
    budget = Budget(limit)
    assert budget.snapshot() == BudgetSnapshot(limit, 0, 3, (0, 0), 0.0, 0.0, 0.0)  # type: ignore[arg-type]
    slots = [await budget.acquire() for _ in range(3)]
    assert (budget.snapshot().used, budget.snapshot().next_free_in) == (3, None)
    await asyncio.sleep(1.0)
    slots[0].answered()
    snapshot = budget.snapshot()
    assert (snapshot.used, snapshot.free) == (3, 0)
    assert snapshot.next_free_in == pytest.approx(10.0, abs=0.01)


@virtual_time
async def test_closing_ends_every_wait_and_refuses_later_calls() -> None:
    began = asyncio.get_running_loop().time()
    async with await busy_budget() as budget:
        waiting = [asyncio.create_task(budget.acquire(lane)) for lane in (I, B, I)]
        await settle()
    for task in waiting:
        with pytest.raises(SessionClosedError):
            await task
    assert asyncio.get_running_loop().time() - began < 0.01
    with pytest.raises(SessionClosedError):
        await budget.acquire()
    await budget.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("limit", [None, 100, (100, 60.0)])
def test_a_budget_needs_a_rate_limit(limit: object) -> None:
    with pytest.raises(ConfigurationError, match="RateLimit"):
        Budget(limit)  # type: ignore[arg-type]


@virtual_time
async def test_closing_ends_a_wait_for_the_end_of_a_pause() -> None:
    budget = Budget()
    budget.pause(60.0)
    waiting = asyncio.create_task(budget.acquire())
    await settle()
    await budget.aclose()
    with pytest.raises(SessionClosedError):
        await waiting
    assert asyncio.get_running_loop().time() < 0.01


@virtual_time
async def test_the_repr_says_what_the_budget_is() -> None:
    budget = Budget(RateLimit(100, per=60))
    assert repr(budget) == "<Budget 100 per 60 s, 0 used, 0 waiting>"
    await budget.acquire()
    budget.pause(12.5)
    assert repr(budget) == "<Budget 100 per 60 s, 1 used, 0 waiting, paused for 12.5 s>"
    await budget.aclose()
    assert repr(budget) == "<Budget 100 per 60 s, closed>"
    assert repr(Budget(RateLimit.unlimited())) == "<Budget unlimited, 0 used, 0 waiting>"


@pytest.mark.parametrize("deadline", ["soon", float("nan"), True])
async def test_a_deadline_that_is_no_time_is_refused(deadline: Any) -> None:
    with pytest.raises(ConfigurationError, match="deadline"):
        await Budget().acquire(deadline=deadline)


def test_what_is_no_ledger_is_refused() -> None:
    ledger: Any = 3
    with pytest.raises(ConfigurationError, match="Ledger"):
        Budget(ledger=ledger)


class OwnError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@virtual_time
async def test_an_error_of_a_ledger_that_cannot_be_copied_reaches_every_call() -> None:
    class Broken(LocalLedger):
        def take(self) -> None:
            return None

        async def reserve(self) -> Slot:
            raise OwnError(1, 2)

    budget = Budget(ledger=Broken(10, 1.0))
    calls = [asyncio.create_task(budget.acquire()) for _ in range(3)]
    done, _ = await asyncio.wait(calls, timeout=10.0)
    assert [str(call.exception()) for call in done] == ["1 and 2"] * 3


def test_connections_and_a_ledger_cannot_both_be_given() -> None:
    with pytest.raises(ConfigurationError, match="connections or ledger"):
        Budget(connections=5, ledger=LocalLedger(10, 1.0))


@pytest.mark.parametrize("priority", ["bulk", None, 1])
@virtual_time
async def test_anything_but_a_priority_is_refused(priority: object) -> None:
    with pytest.raises(ConfigurationError, match="must be a Priority"):
        await Budget().acquire(priority)  # type: ignore[arg-type]


def test_a_budget_outside_of_an_event_loop_says_so() -> None:
    with pytest.raises(ConfigurationError, match="running event loop"):
        Budget().pause(1.0)


@pytest.mark.parametrize("number", [0, -1, float("nan"), float("inf")])
def test_a_rate_must_be_finite_and_above_zero(number: float) -> None:
    with pytest.raises(ConfigurationError):
        RateLimit(requests=number)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        RateLimit(per=number)


def test_a_burst_above_the_limit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="burst"):
        RateLimit(requests=10, burst=11)


def test_a_snapshot_can_be_pickled() -> None:
    snapshot = Budget().snapshot()
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot


@virtual_time
async def test_no_slot_is_spent_on_waiting_for_a_connection() -> None:
    budget = Budget(RateLimit(10, per=1.0, burst=10), connections=2)
    first, second = [await budget.acquire() for _ in range(2)]
    third = asyncio.create_task(budget.acquire())
    await asyncio.sleep(0.5)
    assert not third.done()
    assert budget.snapshot().used == 2
    first.answered()
    second.unsent()
    await asyncio.wait_for(third, 0.1)
    await asyncio.wait_for(budget.acquire(), 0.1)
    await budget.aclose()
