"""A budget and event loops: several in turn, two at once, uvloop, and forked processes."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings

import pytest
import uvloop

from harbour_async.budget import Budget, RedisBudget, Slot
from harbour_async.budget._binding import LoopBinding
from harbour_async.errors import ConfigurationError
from harbour_async.settings import RateLimit
from tests.budget.forks import in_a_fork
from tests.budget.servers import most_in_window
from tests.virtual_time import VirtualTimeLoop, run

SLOW = RateLimit(3, per=60.0, burst=3)


async def use(budget: Budget, times: int = 1) -> float:
    """Send so many times; the time of the last grant."""
    for _ in range(times):
        (await budget.acquire()).answered()
    return asyncio.get_running_loop().time()


def test_a_budget_whose_loop_is_closed_goes_on_in_the_next() -> None:
    budget = Budget()
    for _ in range(3):
        asyncio.run(use(budget))
    assert budget.snapshot().used == 3


def test_a_budget_that_was_never_used_belongs_to_no_loop() -> None:
    async def make() -> Budget:
        return Budget()

    asyncio.run(use(asyncio.run(make())))


def test_a_second_loop_is_refused_while_the_first_is_open() -> None:
    budget = Budget()
    first = asyncio.new_event_loop()
    first.run_until_complete(use(budget))
    for attempt in (use(budget), budget.aclose()):
        with pytest.raises(ConfigurationError, match="another event loop, which is still open"):
            asyncio.run(attempt)
    first.run_until_complete(use(budget))
    first.close()
    asyncio.run(use(budget))
    assert budget.snapshot().used == 3


def test_sends_of_the_last_loop_count_in_the_next() -> None:
    budget = Budget(SLOW)
    ended = run(lambda: use(budget, 3))

    async def later() -> float:
        budget.remember([])  # any use
        await asyncio.sleep(10.0)
        assert budget.recent() == pytest.approx([10.0] * 3, abs=0.1)
        return await use(budget)

    assert ended < 1.0
    assert run(later) == pytest.approx(60.0, abs=0.1)


def test_sends_count_also_where_the_clocks_of_two_loops_differ() -> None:
    budget = Budget(SLOW)

    async def late() -> None:
        await asyncio.sleep(1e6)
        await use(budget, 3)

    run(late)
    assert run(lambda: use(budget)) == pytest.approx(60.0, abs=0.1)


def test_the_limit_holds_over_many_loops_of_asyncio_and_uvloop() -> None:
    limit = RateLimit(5, per=0.2, burst=5)
    budget = Budget(limit)
    arrivals: list[float] = []

    async def send() -> None:
        for _ in range(2):
            time.sleep(0.002)  # noqa: ASYNC251 - uvloop's clock is behind by that now
            slot = await budget.acquire()
            arrivals.append(time.monotonic())
            slot.answered()

    for make in [asyncio.new_event_loop, uvloop.new_event_loop] * 6:
        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(send())
    assert most_in_window(arrivals, limit.per) <= 5
    assert len(arrivals) == 24


def test_a_request_in_flight_when_its_loop_closes_counts_as_abandoned() -> None:
    budget = Budget(SLOW)

    async def leave() -> None:
        await use(budget)
        slots.append(await budget.acquire())

    slots: list[Slot] = []
    run(leave)

    async def main() -> None:
        await use(budget)
        assert budget.snapshot().used == 3
        slots[0].unsent()  # too late: the slot is abandoned already
        assert budget.snapshot().used == 3
        await asyncio.sleep(60.1)
        assert budget.snapshot().used == 1  # it was allowed a second to arrive

    run(main)


def test_a_pause_goes_on_in_the_next_loop() -> None:
    budget = Budget()

    async def pause() -> None:
        budget.pause(30.0)
        await asyncio.sleep(10.0)

    run(pause)
    assert run(lambda: use(budget)) == pytest.approx(20.0, abs=0.01)


def test_the_pace_is_kept_in_the_next_loop() -> None:
    budget = Budget(RateLimit(100, per=60.0, burst=5))
    times = [run(lambda: use(budget)) for _ in range(8)]
    assert times == pytest.approx([0.0] * 5 + [0.6] * 3, abs=0.02)


def test_waiters_of_the_last_loop_do_not_delay_the_next() -> None:
    budget = Budget(RateLimit(100, per=60.0, burst=1))
    loop = VirtualTimeLoop()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    loop.run_until_complete(use(budget))
    waiters = [loop.create_task(use(budget)) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.close()  # with tasks that wait
    assert run(lambda: use(budget)) < 1.0
    assert budget.snapshot().waiting == (0, 0)
    del waiters
    gc.collect()
    assert all("pending" in str(context) for context in errors)


def test_a_closed_budget_stays_closed_in_the_next_loop() -> None:
    budget = Budget()
    asyncio.run(use(budget))
    asyncio.run(budget.aclose())
    asyncio.run(budget.aclose())
    assert "closed" in repr(budget)


def test_loops_with_the_same_clock_need_no_shift() -> None:
    binding = LoopBinding()
    for make in (asyncio.new_event_loop, uvloop.new_event_loop, asyncio.new_event_loop):
        loop = make()
        assert binding.bind(loop) == 0.0
        loop.close()


def test_a_budget_works_under_uvloop() -> None:
    limit = RateLimit(20, per=0.5, burst=5)

    async def main() -> None:
        async with Budget(limit) as budget:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, uvloop.Loop)
            began = loop.time()
            await asyncio.gather(*(use(budget) for _ in range(25)))
            assert loop.time() - began >= limit.per  # five came after the window
            budget.pause(0.05)
            cancelled = asyncio.create_task(use(budget))
            await asyncio.sleep(0)
            cancelled.cancel()
            await use(budget)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def warned(budget: Budget) -> list[str]:
    """The warnings of using the budget twice."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(use(budget))
        asyncio.run(use(budget))
    return [str(each.message) for each in caught if each.category is RuntimeWarning]


@pytest.mark.parametrize("used_before", [False, True])
def test_a_forked_child_is_warned_once_that_limits_are_per_process(used_before: bool) -> None:
    budget = Budget()
    if used_before:
        asyncio.run(use(budget))

    def check() -> None:
        (message,) = warned(budget)
        assert "RedisBudget" in message

    in_a_fork(check)
    assert warned(budget) == []  # the parent is not warned


def test_a_forked_child_may_use_a_budget_whose_loop_is_open_in_the_parent() -> None:
    budget = Budget(SLOW)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(use(budget, 2))

    def check() -> None:
        assert len(warned(Budget())) == 1  # one made in the child has its own limit as well
        assert len(warned(Budget())) == 0  # warned once
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            asyncio.run(use(budget))
        assert budget.snapshot().used == 3

    in_a_fork(check)
    loop.run_until_complete(use(budget))
    assert budget.snapshot().used == 3
    loop.close()


def test_an_unlimited_budget_warns_no_forked_child() -> None:
    budget = Budget(RateLimit.unlimited())
    in_a_fork(lambda: _assert_silent(budget))


def test_a_redis_budget_warns_no_forked_child() -> None:
    budget = RedisBudget.from_url("redis://127.0.0.1:1/0")

    async def pause() -> None:  # the first use; no Redis is needed for it
        budget.pause(0.01)
        await budget.aclose()

    def check() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            asyncio.run(pause())

    in_a_fork(check)


def _assert_silent(budget: Budget) -> None:
    assert warned(budget) == []
