"""Cancellation of calls at every moment: nothing is left behind, and the session still works."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from harbour_async import (
    HarbourSession,
    InternalServerError,
    RateLimit,
    Retry,
    SessionClosedError,
    Timeout,
)
from tests.reliability.api import BASE, IDS, PAGE_SIZE, Api, talking
from tests.reliability.cancelling import CUTS
from tests.reliability.faults import answers, silence
from tests.reliability.quiet_time import here, run
from tests.servers import KEY
from tests.virtual_time import EAGER

MANY = 10_000
URL = "https://destination.example"
TIGHT = RateLimit(6, per=2.0, burst=6)
"""So few that walks wait for the budget; soon free again."""

FACTORIES = [
    pytest.param(False, id="lazy"),
    pytest.param(
        True,
        id="eager",
        marks=pytest.mark.skipif(EAGER is None, reason="eager tasks came with Python 3.12"),
    ),
]

Work = Callable[[HarbourSession, Api], Coroutine[Any, Any, Any]]


async def nothing_is_held(harbour: HarbourSession, api: Api) -> None:
    """Fail if a task, a slot, a place in a queue or a connection is still held."""
    await asyncio.sleep(500)  # until requests that were given up can no longer arrive
    leaked = asyncio.all_tasks() - api.tasks - {asyncio.current_task()}
    assert not leaked
    snapshot = harbour.budget.snapshot()
    assert snapshot.used == 0
    assert snapshot.waiting == (0, 0)
    assert held(harbour) == 0


def held(harbour: HarbourSession) -> int:
    """Connections in use by a request; aiohttp has no public way to ask."""
    pools = [pool for _, pool in harbour._life.transport._sessions.values()]
    return sum(len(pool._acquired) for pool in pools)


# -- each call, cancelled at each moment -------------------------------------------------------


async def get(harbour: HarbourSession, _: Api) -> None:
    await harbour.verifications.get(IDS[0])


async def get_after_a_failure(harbour: HarbourSession, api: Api) -> None:
    api.inject(answers(503, b""), "GET", 0, 1, unprocessed=True)
    await harbour.verifications.get(IDS[0])


async def get_after_a_pause(harbour: HarbourSession, api: Api) -> None:
    api.inject(answers(429, b"", Retry_After="1"), "GET", 0, 1, unprocessed=True)
    await asyncio.gather(*(harbour.verifications.get(id_) for id_ in IDS[:3]))


async def get_in_a_queue(harbour: HarbourSession, _: Api) -> None:
    await asyncio.gather(*(harbour.verifications.get(id_) for id_ in IDS[:8]))


async def get_in_the_other_spelling(harbour: HarbourSession, api: Api) -> None:
    api.inject(answers(404, b""), "GET", 0, 1, unprocessed=True)
    with contextlib.suppress(Exception):
        await harbour.verifications.get(IDS[0])


async def page(harbour: HarbourSession, _: Api) -> None:
    await harbour.verifications.page(size=5)


async def create(harbour: HarbourSession, _: Api) -> None:
    await harbour.webhooks.create(URL)


async def update(harbour: HarbourSession, _: Api) -> None:
    await harbour.webhooks.update("wb_1", destination_url=URL)


async def delete(harbour: HarbourSession, api: Api) -> None:
    api.alive[IDS[5]] = BASE
    await harbour.verifications.delete(IDS[5])


async def request(harbour: HarbourSession, _: Api) -> None:
    await harbour.request("GET", "verifications", params={"page": 1, "size": 1})


async def walk(harbour: HarbourSession, _: Api) -> None:
    found = [v async for v in harbour.verifications.list(page_size=PAGE_SIZE)]
    assert len(found) == len(IDS)


async def walk_with_a_failure(harbour: HarbourSession, api: Api) -> None:
    api.inject(answers(503, b""), "GET", 1, 1, unprocessed=True)
    await harbour.verifications.list(page_size=PAGE_SIZE).to_list()


async def walk_that_is_left(harbour: HarbourSession, _: Api) -> None:
    async for verification in harbour.verifications.list(page_size=20):
        if verification.verification_id == IDS[25]:
            break


async def walk_in_async_with(harbour: HarbourSession, _: Api) -> None:
    async with harbour.verifications.list(page_size=PAGE_SIZE) as pager:
        async for batch in pager.pages():
            assert batch.items


async def first(harbour: HarbourSession, _: Api) -> None:
    assert await harbour.verifications.list(page_size=20).first()


async def count(harbour: HarbourSession, _: Api) -> None:
    assert await harbour.verifications.list().count() == len(IDS)


async def get_many(harbour: HarbourSession, _: Api) -> None:
    found = [v.verification_id async for v in harbour.verifications.get_many(IDS[:5])]
    assert sorted(found, reverse=True) == IDS[:5]


async def wait_for(harbour: HarbourSession, _: Api) -> None:
    """Two calls that share the polling."""
    polls = iter(range(100))

    def third(_: object) -> bool:
        return next(polls) >= 2

    wait = harbour.verifications.wait_for
    await asyncio.gather(*(wait(id_, timeout=None, until=third) for id_ in IDS[:2]))


async def watch(harbour: HarbourSession, _: Api) -> None:
    since = datetime.fromtimestamp(BASE / 1000 - 5, UTC)
    changes = harbour.verifications.watch(interval=1, since=since)
    async for change in changes:
        if change.verification_id == IDS[0]:
            break


WORKS: list[Work] = [
    get,
    get_after_a_failure,
    get_after_a_pause,
    get_in_a_queue,
    get_in_the_other_spelling,
    page,
    create,
    update,
    delete,
    request,
    walk,
    walk_with_a_failure,
    walk_that_is_left,
    walk_in_async_with,
    first,
    count,
    get_many,
    wait_for,
    watch,
]


@pytest.mark.parametrize("eager", FACTORIES)
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
def test_a_call_cancelled_at_every_moment_leaves_nothing_behind(
    work: Work, cut: str, eager: bool, tried: Counter[str]
) -> None:
    async def at_every_moment() -> None:
        async with talking(rate_limit=TIGHT, api_key=slow_key) as (harbour, api):
            for moment in range(1, 10_000):
                api.recover()
                task = CUTS[cut](work(harbour, api), moment)
                await asyncio.wait([task])
                here().on_turn = None
                await nothing_is_held(harbour, api)
                if not task.cancelled():
                    break
                tried["cancellations"] += 1
            task.result()  # the last task ended before it could be cancelled
            assert moment > 1
            api.recover()
            assert await harbour.verifications.page()

    run(at_every_moment, eager=eager)


async def slow_key() -> str:
    await asyncio.sleep(0.01)
    return KEY


@pytest.mark.exhaustive
@pytest.mark.parametrize("eager", FACTORIES)
def test_thousands_of_calls_of_which_half_are_cancelled_leave_nothing_behind(
    eager: bool, tried: Counter[str]
) -> None:
    chance = random.Random(11)

    async def one(harbour: HarbourSession, n: int) -> None:
        call = asyncio.ensure_future(harbour.verifications.get(IDS[n % len(IDS)]))
        if n % 2:
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            call.cancel()
            tried["cancellations"] += 1
        await asyncio.wait([call])
        assert call.cancelled() or call.result()

    async def main() -> None:
        limit = RateLimit(MANY, per=TIGHT.per, burst=MANY)
        async with talking(max_connections=20, rate_limit=limit, timeout=Timeout(None)) as (
            harbour,
            api,
        ):
            for start in range(0, MANY, 250):
                await asyncio.gather(*(one(harbour, n) for n in range(start, start + 250)))
                assert held(harbour) == 0
            await nothing_is_held(harbour, api)
            await walk(harbour, api)

    run(main, eager=eager)


# -- what users write around calls --------------------------------------------------------------


@pytest.mark.parametrize("eager", FACTORIES)
def test_a_failure_in_a_task_group_ends_the_others(eager: bool) -> None:
    async def main() -> None:
        async with talking(rate_limit=TIGHT, retry=1) as (harbour, api):
            api.inject(answers(500, b""), "DELETE", 0, 1, unprocessed=True)
            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.TaskGroup() as group:
                    for id_ in IDS[:10]:
                        group.create_task(harbour.verifications.get(id_))
                    group.create_task(harbour.verifications.list().to_list())
                    group.create_task(harbour.verifications.delete(IDS[9]))
            assert [type(error) for error in caught.value.exceptions] == [InternalServerError]
            await nothing_is_held(harbour, api)
            await walk(harbour, api)

    run(main, eager=eager)


@pytest.mark.parametrize("eager", FACTORIES)
def test_asyncio_timeout_around_a_call_raises_timeout_error(eager: bool) -> None:
    async def main() -> None:
        async with talking(rate_limit=TIGHT) as (harbour, api):
            for work in (walk, get):
                api.inject(silence, "GET", 0, 1, unprocessed=True)
                with pytest.raises(TimeoutError) as caught:
                    async with asyncio.timeout(1.5):
                        await work(harbour, api)
                assert type(caught.value) is TimeoutError
                api.recover()
                await nothing_is_held(harbour, api)
            await walk(harbour, api)

    run(main, eager=eager)


@pytest.mark.parametrize("eager", FACTORIES)
def test_a_generator_that_is_dropped_without_closing_stops_its_walk(eager: bool) -> None:
    async def names(harbour: HarbourSession) -> AsyncIterator[str]:
        async for verification in harbour.verifications.list(page_size=20):
            yield verification.verification_id

    async def main() -> None:
        async with talking(rate_limit=TIGHT) as (harbour, api):
            for dropped in (names(harbour), aiter(harbour.verifications.list(page_size=20))):
                assert await anext(dropped)
            del dropped
            gc.collect()
            await nothing_is_held(harbour, api)
            sent = len(api.received)
            await asyncio.sleep(100)
            assert len(api.received) == sent

    run(main, eager=eager)


@pytest.mark.parametrize("eager", FACTORIES)
def test_a_session_closed_while_walks_and_calls_run_ends_each_with_its_error(eager: bool) -> None:
    async def main() -> None:
        async with talking(rate_limit=TIGHT, max_connections=3) as (harbour, api):
            tasks = [asyncio.ensure_future(walk(harbour, api)) for _ in range(5)]
            while len(api.received) < 4:
                await asyncio.sleep(0)
            tasks += [asyncio.ensure_future(get(harbour, api)) for _ in range(9)]
            api.inject(silence, "GET", 0, 1_000_000, unprocessed=True)
            await asyncio.sleep(5)
            await harbour.aclose()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(result) for result in results} == {SessionClosedError}
            assert not asyncio.all_tasks() - api.tasks - {asyncio.current_task()}
            assert held(harbour) == 0

    run(main, eager=eager)


@pytest.mark.parametrize("eager", FACTORIES)
def test_a_loop_that_ends_while_a_walk_runs_leaves_nothing_behind(eager: bool) -> None:
    """As ``asyncio.run`` does when main returns: it cancels all tasks, then closes the loop."""

    async def main() -> HarbourSession:
        api = Api()
        await api.listen()
        harbour = HarbourSession(KEY, base_url=api.url, retry=Retry(1))
        task = asyncio.ensure_future(walk(harbour, api))
        kept.append(task)
        while len(api.received) < 2:
            await asyncio.sleep(0)
        await harbour.aclose()
        return harbour

    kept: list[asyncio.Task[Any]] = []
    harbour = run(main, eager=eager)
    assert kept[0].done()
    assert isinstance(kept[0].exception(), SessionClosedError)
    with pytest.raises(SessionClosedError):
        asyncio.run(harbour.verifications.page())


def test_a_session_whose_loop_is_closed_early_works_in_the_next() -> None:
    """No task was cancelled and nothing was closed: the loop was just stopped."""
    harbour: HarbourSession | None = None
    kept: list[Any] = []
    port = 0

    async def served() -> Api:
        nonlocal port
        api = Api(port=port)
        await api.listen()
        port = api.port
        return api

    async def begin() -> None:
        nonlocal harbour
        api = await served()
        harbour = HarbourSession(KEY, base_url=api.url, user_agent="tests")
        walk = aiter(harbour.verifications.list(page_size=20))
        await anext(walk)
        kept.append(walk)
        await api.refuse()

    async def go_on() -> None:
        api = await served()
        assert harbour is not None
        async with harbour:
            assert (await harbour.verifications.page(size=1)).total == len(IDS)
        await api.aclose()

    with warnings.catch_warnings():
        # asyncio warns of sockets that were open when their loop was closed. It is right to.
        warnings.simplefilter("ignore", ResourceWarning)
        run(begin)
        run(go_on)
        kept.clear()
        gc.collect()
