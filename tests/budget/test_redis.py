"""RedisBudget, against a real server; its clock is real too, so the windows are short."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import time
from collections.abc import Iterator

import pytest
import redis.asyncio as aioredis

from harbour_async._keys import Secret
from harbour_async.budget import RedisBudget
from harbour_async.budget.redis import _fallback as fallback, _ledger as ledger
from harbour_async.budget.redis._ledger import RedisLedger
from harbour_async.budget.redis._store import RedisStore
from harbour_async.errors import (
    APIConnectionError,
    ConfigurationError,
    DeadlineExceededError,
    SessionClosedError,
)
from harbour_async.settings import Priority, RateLimit
from tests.budget.forks import in_a_fork
from tests.budget.redis_server import free_port, needs_redis, redis_server
from tests.budget.servers import most_in_window
from tests.exposed import exposed_text
from tests.virtual_time import EAGER, FACTORIES

pytestmark = needs_redis
LIMIT = RateLimit(10, per=0.5, burst=10)
_keys = (f"test-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with redis_server() as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def key() -> str:
    return next(_keys)


async def saturate(budget: RedisBudget, until: float) -> list[float]:
    loop = asyncio.get_running_loop()
    arrivals: list[float] = []
    while loop.time() < until:
        slot = await budget.acquire(Priority.BULK)
        await asyncio.sleep(0.002)
        arrivals.append(loop.time())
        slot.answered()
    return arrivals


async def test_several_budgets_of_one_key_keep_the_limit_together_and_use_it(
    url: str, key: str
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    budgets = [RedisBudget.from_url(url, LIMIT, key=key) for _ in range(3)]
    arrived = await asyncio.gather(*(saturate(budget, began + 3.0) for budget in budgets))
    for budget in budgets:
        await budget.aclose()
    arrivals = [arrival for each in arrived for arrival in each]
    assert most_in_window(arrivals, LIMIT.per) <= 10
    assert len(arrivals) >= 0.9 * 10 * 3.0 / LIMIT.per


async def test_a_slot_is_free_again_per_seconds_after_its_answer(url: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    async with RedisBudget.from_url(url, RateLimit(1, per=0.3), key=key) as budget:
        slot = await budget.acquire()
        await asyncio.sleep(0.2)
        slot.answered()
        answered = loop.time()
        (await budget.acquire()).unsent()
        assert 0.3 < loop.time() - answered < 0.4


async def test_an_unsent_request_gives_its_slot_back_at_once(url: str, key: str) -> None:
    limit = RateLimit(2, per=60.0, burst=2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with RedisBudget.from_url(url, limit, key=key) as budget:
        for _ in range(2):
            slot = await budget.acquire()
            slot.unsent()
            slot.answered()
    async with RedisBudget.from_url(url, limit, key=key) as other:
        for _ in range(2):
            await other.acquire()
    assert loop.time() - began < 2.0


async def test_a_slot_that_was_given_back_is_no_reason_to_refuse_a_call(url: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    async with RedisBudget.from_url(url, RateLimit(2, per=60.0, burst=2), key=key) as budget:
        (await budget.acquire()).answered()
        (await budget.acquire()).unsent()
        assert (await budget.acquire(deadline=loop.time() + 30.0)).name


async def test_the_slots_of_a_crashed_holder_come_back_with_the_end_of_the_lease(
    url: str, key: str
) -> None:
    limit = RateLimit(1, per=0.2)
    crashed = RedisBudget.from_url(url, limit, key=key, attempt=0.1)
    await crashed.acquire()  # and it never reports
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with RedisBudget.from_url(url, limit, key=key, attempt=0.1) as other:
        await other.acquire()
    assert 1.3 <= loop.time() - began < 2.0  # attempt + a second in transit + per
    await crashed.aclose()


async def test_a_waiter_cancelled_while_redis_is_asked_takes_no_slot(url: str, key: str) -> None:
    limit = RateLimit(3, per=60.0, burst=3)
    async with RedisBudget.from_url(url, limit, key=key) as budget:
        for _ in range(20):
            waiter = asyncio.create_task(budget.acquire())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiter.cancel()
            await asyncio.wait([waiter])
            if not waiter.cancelled():
                waiter.result().unsent()
    async with RedisBudget.from_url(url, limit, key=key) as other:
        async with asyncio.timeout(2.0):
            for _ in range(3):
                await other.acquire()


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_storm_of_cancellations_leaves_no_slot_in_redis(url: str, key: str, factory: str) -> None:
    limit = RateLimit(20, per=0.05, burst=20)
    rng = random.Random(1)

    async def call(budget: RedisBudget) -> None:
        (await budget.acquire(rng.choice(list(Priority)))).unsent()

    async def main() -> None:
        if FACTORIES[factory]:
            asyncio.get_running_loop().set_task_factory(EAGER)
        async with RedisBudget.from_url(url, limit, key=key) as budget:
            calls = [asyncio.create_task(call(budget)) for _ in range(400)]
            while alive := [task for task in calls if not task.done()]:
                await asyncio.sleep(rng.choice([0.0, 0.0, 0.001]))
                if rng.random() < 0.3:
                    rng.choice(alive).cancel()
            assert {task.cancelled() for task in calls} == {True, False}
        async with aioredis.from_url(url) as redis:
            assert await redis.zcard(f"harbour:{{{key}}}:sent") == 0
            assert await redis.zcard(f"harbour:{{{key}}}:cooling") == 0

    asyncio.run(asyncio.wait_for(main(), 30.0))


async def test_a_pause_holds_for_all_budgets_of_the_key(url: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    async with (
        RedisBudget.from_url(url, LIMIT, key=key) as one,
        RedisBudget.from_url(url, LIMIT, key=key) as other,
    ):
        (await one.acquire()).answered()
        (await other.acquire()).answered()
        one.pause(0.5)
        one.pause(0.1)
        began = loop.time()
        await asyncio.sleep(0.05)
        (await other.acquire()).answered()
        assert 0.5 <= loop.time() - began < 0.7


async def test_a_call_that_cannot_have_its_turn_in_time_fails_at_once(url: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    async with RedisBudget.from_url(url, RateLimit(1, per=30.0), key=key) as budget:
        (await budget.acquire()).answered()
        began = loop.time()
        with pytest.raises(DeadlineExceededError):
            await budget.acquire(deadline=began + 5.0)
        assert loop.time() - began < 1.0


async def test_after_closing_nothing_is_granted(url: str, key: str) -> None:
    budget = RedisBudget.from_url(url, LIMIT, key=key)
    await budget.acquire()
    await budget.aclose()
    await budget.aclose()
    with pytest.raises(SessionClosedError):
        await budget.acquire()


async def test_without_redis_nothing_is_sent() -> None:
    port = free_port()
    async with RedisBudget.from_url(f"redis://:secret@127.0.0.1:{port}/0") as budget:
        with pytest.raises(APIConnectionError, match="not available") as caught:
            await budget.acquire()
    assert caught.value.sent is False
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "secret" not in exposed_text(caught.value) + repr(budget)


async def test_a_redis_that_comes_back_is_used_again() -> None:
    port = free_port()
    async with RedisBudget.from_url(f"redis://127.0.0.1:{port}/0") as budget:
        with pytest.raises(APIConnectionError):
            await budget.acquire()
        with redis_server(port=port):
            await budget.acquire()


async def test_with_a_share_calls_go_on_within_it_while_redis_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback, "PROBE", 0.1)
    monkeypatch.setattr(ledger, "MIN_TRANSIT", 0.1)
    loop = asyncio.get_running_loop()
    port = free_port()
    async with RedisBudget.from_url(
        f"redis://127.0.0.1:{port}/0", LIMIT, attempt=0.1, on_unavailable="share", processes=5
    ) as budget:
        began = loop.time()
        away = await saturate(budget, began + 2.0)
        assert away[0] - began >= LIMIT.per  # it is unknown what the others just sent
        assert most_in_window(away, LIMIT.per) == 2
        with redis_server(port=port):
            back = await saturate(budget, loop.time() + 3.0)
            arrivals = away + back
            assert most_in_window(arrivals, LIMIT.per) <= 10
            assert most_in_window(back[-20:], LIMIT.per) > 2


async def test_refused_credentials_are_a_configuration_error_that_shows_no_secret() -> None:
    with redis_server("--requirepass", "right") as port:
        for user in ("", ":wrong@"):
            async with RedisBudget.from_url(f"redis://{user}127.0.0.1:{port}/0") as budget:
                with pytest.raises(ConfigurationError, match="refuses these credentials") as caught:
                    await budget.acquire()
                assert "wrong" not in exposed_text(caught.value) + repr(budget)


@pytest.mark.parametrize("seconds", [86_400.0, 9_999_999_999.0, 1e300])
async def test_no_pause_beyond_the_cap_is_written_to_redis(
    url: str, key: str, seconds: float
) -> None:
    async with RedisBudget.from_url(url, LIMIT, key=key) as budget:
        budget.pause(seconds)
    async with aioredis.from_url(url) as redis:
        written = await redis.pttl(f"harbour:{{{key}}}:pause")
    assert 110_000 < written <= 120_000


async def test_the_ledger_itself_writes_no_pause_beyond_the_cap(url: str, key: str) -> None:
    store = RedisStore(Secret(url), key)
    ledger = RedisLedger(store, LIMIT, attempt=1.0, max_pause=20.0)
    ledger.bind(asyncio.get_running_loop(), 0.0, lambda _: None)
    ledger.pause(86_400.0)
    await ledger.aclose()
    async with aioredis.from_url(url) as redis:
        assert 10_000 < await redis.pttl(f"harbour:{{{key}}}:pause") <= 20_000


async def test_a_pause_in_redis_beyond_the_cap_is_shortened_for_all(url: str, key: str) -> None:
    async with aioredis.from_url(url) as redis:  # as an older client would
        await redis.set(f"harbour:{{{key}}}:pause", 1, px=86_400_000)
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with RedisBudget.from_url(url, LIMIT, key=key, max_pause=0.3) as budget:
            (await budget.acquire()).answered()
            assert 0.3 <= loop.time() - began < 1.5
        async with RedisBudget.from_url(url, LIMIT, key=key) as other:
            (await other.acquire()).answered()
        assert loop.time() - began < 3.0


async def test_closing_wakes_calls_that_wait_for_another_process(url: str, key: str) -> None:
    limit = RateLimit(1, per=60.0)
    async with RedisBudget.from_url(url, limit, key=key) as other:
        (await other.acquire()).answered()
        budget = RedisBudget.from_url(url, limit, key=key)
        waiting = [asyncio.create_task(budget.acquire()) for _ in range(3)]
        await asyncio.sleep(0.1)
        await budget.aclose()
        for task in waiting:
            with pytest.raises(SessionClosedError):
                await asyncio.wait_for(task, 5.0)


async def test_recent_and_remember_do_nothing_with_redis(url: str, key: str) -> None:
    async with RedisBudget.from_url(url, LIMIT, key=key) as budget:
        (await budget.acquire()).answered()
        assert budget.recent() == []
        budget.remember([0.0] * 10)
        await asyncio.wait_for(budget.acquire(), 5.0)


def test_a_second_loop_is_refused_while_the_first_is_open(url: str, key: str) -> None:
    budget = RedisBudget.from_url(url, LIMIT, key=key)

    async def use() -> None:
        (await budget.acquire()).answered()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(use())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(use())
    loop.run_until_complete(budget.aclose())
    loop.close()


# Connections of a closed loop cannot be closed. asyncio is right to warn of them.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_redis_budget_whose_loop_is_closed_goes_on_in_the_next(url: str, key: str) -> None:
    budget = RedisBudget.from_url(url, RateLimit(2, per=60.0, burst=2), key=key)
    slots = []

    async def use() -> None:
        slots.append(await asyncio.wait_for(budget.acquire(), 5.0))

    asyncio.run(use())
    slots[0].unsent()  # reported after its loop was closed, and sent to Redis in the next
    asyncio.run(use())

    async def end() -> None:
        async with budget:
            await use()  # the second slot; the first is in flight

    asyncio.run(end())
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_forked_child_shares_the_limit_with_its_parent(url: str, key: str) -> None:
    budget = RedisBudget.from_url(url, RateLimit(3, per=60.0, burst=3), key=key)
    loop = asyncio.new_event_loop()

    async def use() -> None:
        await asyncio.wait_for(budget.acquire(), 5.0)

    async def use_twice_but_not_thrice() -> None:
        await use()
        await use()
        with pytest.raises(DeadlineExceededError):
            await budget.acquire(deadline=asyncio.get_running_loop().time() + 0.5)

    loop.run_until_complete(use())
    in_a_fork(lambda: asyncio.run(use_twice_but_not_thrice()))
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError):  # Redis still answers the parent
        loop.run_until_complete(budget.acquire(deadline=loop.time() + 0.5))
    assert time.monotonic() - began < 1.5  # Redis answered; a timeout would take 2 s
    loop.run_until_complete(budget.aclose())
    loop.close()


def test_the_repr_says_what_the_budget_is(url: str) -> None:
    budget = RedisBudget.from_url(url, LIMIT, key="production")
    assert repr(budget) == (f"<RedisBudget 'production' at {url}, 10 per 0.5 s, 0 used, 0 waiting>")
