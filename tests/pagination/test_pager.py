"""The pager: prefetching, leaving a loop early, errors, arguments, ``first`` and ``count``."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import AsyncIterator
from math import ceil
from random import Random
from typing import Any

import pytest

from harbour_async._rows import Rows
from harbour_async.errors import (
    APIConnectionError,
    ConfigurationError,
    HarbourError,
    IncompleteListingError,
)
from harbour_async.pagination import Pager, PagingReport
from tests.pagination.world import Record, World

ORDERS = ["created_at DESC", "created_at ASC", "updated_at DESC", None]


def world(count: int, *, order: str | None = "created_at DESC", delay: int = 1) -> World:
    made = World(Random(1), ascending=bool(order and order.endswith("ASC")), delay=delay)
    made.create(count)
    return made


def pager(made: World, **options: Any) -> Pager[Record]:
    options.setdefault("order", "created_at ASC" if made.ascending else "created_at DESC")
    return Pager(made.fetch, listing="records", **options)


def ids(made: World) -> list[str]:
    in_order = made.records if made.ascending else made.records[::-1]
    return [record.id for record in in_order]


@pytest.mark.parametrize("order", ORDERS)
async def test_records_come_in_order_and_concurrently(order: str | None) -> None:
    made = world(95, order=order, delay=3)
    records = await pager(made, order=order, page_size=10, concurrency=4).to_list()
    assert [record.id for record in records] == ids(made)
    assert made.most_in_flight == 4


@pytest.mark.parametrize("order", ORDERS)
async def test_the_first_request_goes_alone_and_none_beyond_the_end(order: str | None) -> None:
    made = world(25, order=order)
    sent_at_first_answer = []
    made.change = lambda w: sent_at_first_answer.append(len(w.requests))
    await pager(made, order=order, page_size=10, concurrency=9).to_list()
    assert sent_at_first_answer[0] == 1
    assert all((page - 1) * size < 25 for page, size in made.requests)


async def test_pages_have_the_number_and_size_that_was_requested() -> None:
    made = world(25)
    pages = [page async for page in pager(made, page_size=10).pages()]
    assert [(page.page, page.size) for page in pages] == made.requests
    assert [record.id for page in pages for record in page.items] == ids(made)
    assert all(page.total == 25 and page.pages == ceil(25 / (page.size or 1)) for page in pages)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_never_more_than_concurrency_pages_ahead_of_the_reader(concurrency: int) -> None:
    made = world(200)
    page = 0
    async for _ in pager(made, page_size=10, concurrency=concurrency).pages():
        page += 1
        for _turn in range(20):
            await asyncio.sleep(0)
        assert len(made.requests) <= page + concurrency


@pytest.mark.parametrize("order", ORDERS)
async def test_break_stops_prefetching_before_the_next_turn_of_the_loop(order: str | None) -> None:
    made = world(500, order=order, delay=5)
    async for record in pager(made, order=order, page_size=10, concurrency=8):
        if record.id == ids(made)[14]:
            break
    sent = len(made.requests)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(made.requests) == sent
    assert made.in_flight == 0
    assert len(asyncio.all_tasks()) == 1


async def test_an_exception_in_the_loop_leaves_nothing_behind() -> None:
    made = world(500, delay=5)
    walk = pager(made, page_size=10)

    async def read() -> None:
        async for _ in walk:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()
    for _turn in range(3):
        await asyncio.sleep(0)
    assert made.in_flight == 0
    assert len(asyncio.all_tasks()) == 1
    assert walk.report.yielded == 1
    assert walk.report.reason == "left early"


async def test_cancelling_the_reader_leaves_nothing_behind() -> None:
    made = world(500, delay=5)

    async def read() -> None:
        async for _ in pager(made, page_size=10):
            await asyncio.sleep(0)

    reader = asyncio.create_task(read())
    for _ in range(40):
        await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert made.in_flight == 0
    assert len(asyncio.all_tasks()) == 1


async def share(iterator: AsyncIterator[Record], taken: list[str]) -> None:
    async for record in iterator:
        taken.append(record.id)
        await asyncio.sleep(0)


@pytest.mark.parametrize("order", ORDERS)
async def test_tasks_that_share_an_iterator_share_its_records(order: str | None) -> None:
    made = world(500, order=order, delay=3)
    walk = pager(made, order=order, page_size=10)
    iterator, taken = aiter(walk), list[str]()
    await asyncio.gather(*(share(iterator, taken) for _ in range(8)))
    assert sorted(taken) == sorted(ids(made))
    assert len(made.requests) <= 1.9 * 50 + 1


@pytest.mark.parametrize("order", ORDERS)
async def test_a_walk_that_was_cancelled_does_not_seem_to_have_ended(order: str | None) -> None:
    walk = pager(world(500, order=order, delay=3), order=order, page_size=10)
    iterator, taken = aiter(walk), list[str]()
    other = asyncio.create_task(share(iterator, taken))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(iterator)
    with pytest.raises(IncompleteListingError, match="CancelledError") as caught:
        await other
    assert caught.value.report.reason == "ended by CancelledError"
    rest = await pager(world(500, order=order), order=order, resume=walk.resume_token).to_list()
    assert len(taken) + len(rest) == 500


@pytest.mark.parametrize("turns", range(1, 12))  # before, with and after the first answer
async def test_a_walk_that_was_closed_ends_without_an_error(turns: int) -> None:
    iterator = aiter(pager(world(500, delay=5), page_size=10))
    waiting = asyncio.create_task(share(iterator, []))
    for _ in range(turns):
        await asyncio.sleep(0)
    await iterator.aclose()
    await waiting
    assert [record async for record in iterator] == []


async def test_async_with_has_stopped_everything_when_it_is_left() -> None:
    made = world(500, delay=50)
    async with pager(made, page_size=10) as walk:
        iterator = aiter(walk)
        await anext(iterator)
        await asyncio.sleep(0)
        assert made.in_flight > 0
    assert made.in_flight == 0
    assert [record async for record in iterator][:1] == made.records[-2:-1]  # what was there


def test_an_abandoned_iterator_may_outlive_its_loop() -> None:
    async def begin() -> Any:
        iterator = aiter(pager(world(500, delay=5), page_size=10))
        await anext(iterator)
        return iterator

    iterator = asyncio.run(begin())
    del iterator
    gc.collect()


async def test_every_iteration_is_a_walk_of_its_own() -> None:
    made = world(25)
    walk = pager(made, page_size=10)
    assert await walk.to_list() == await walk.to_list()
    assert len(made.requests) == 2 * walk.report.requests
    assert walk.report.yielded == 25


@pytest.mark.parametrize("order", ORDERS)
async def test_an_error_ends_the_walk_after_all_that_came_before_it(order: str | None) -> None:
    made = world(60, order=order)
    failing = True

    async def fetch(page: int, size: int) -> Rows[Record]:
        rows = await made.fetch(page, size)
        if failing and page == 4:
            raise APIConnectionError("gone")
        return rows

    options: dict[str, Any] = {"listing": "records", "order": order, "page_size": 10}
    given: list[str] = []

    async def read() -> None:
        async for page in Pager(fetch, **options).pages():
            given.extend(record.id for record in page.items)

    with pytest.raises(APIConnectionError) as caught:
        await read()
    error = pickle.loads(pickle.dumps(caught.value))
    assert given == ids(made)[: len(given)]
    failing = False
    rest = await Pager(fetch, resume=error.resume_token, **options).to_list()
    assert given + [record.id for record in rest] == ids(made)


async def test_an_error_that_is_not_a_harbour_error_passes_through() -> None:
    async def fetch(_page: int, _size: int) -> Rows[Record]:
        raise ZeroDivisionError

    walk = Pager(fetch, listing="records")
    with pytest.raises(ZeroDivisionError):
        await walk.to_list()
    assert not walk.report.complete


async def test_first_and_count_are_one_small_request() -> None:
    made = world(250)
    walk = pager(made)
    assert await walk.first() == made.records[-1]
    assert await walk.count() == 250
    assert made.requests == [(1, 1), (1, 1)]
    assert await pager(world(0)).first() is None
    assert await pager(world(0)).count() == 0


@pytest.mark.parametrize(("max_items", "requests"), [(1, 1), (7, 1), (10, 1), (25, 4), (30, 5)])
async def test_max_items_sends_no_more_than_it_needs(max_items: int, requests: int) -> None:
    made = world(100)
    walk = pager(made, page_size=10, max_items=max_items)
    assert [record.id for record in await walk.to_list()] == ids(made)[:max_items]
    assert len(made.requests) == requests
    assert made.requests[0][1] == min(10, max_items)
    assert walk.report.reason == "stopped at max_items"


@pytest.mark.parametrize("order", ORDERS[:2])
@pytest.mark.parametrize("max_items", [25, 26, 1000])
async def test_max_items_beyond_the_end_is_a_whole_walk(order: str, max_items: int) -> None:
    made = world(25, order=order)
    walk = pager(made, page_size=10, max_items=max_items)
    assert len(await walk.to_list()) == 25
    assert walk.report.complete


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("updated_at DESC", "updated_at can change while one reads"),
        (None, "the server's order is not known"),
    ],
)
async def test_a_walk_that_cannot_be_proved_says_why_and_repeats_no_id(
    order: str | None, reason: str
) -> None:
    made = world(60)
    made.change = lambda w: w.create(3)
    walk = pager(made, order=order, page_size=10)
    given = [record.id for record in await walk.to_list()]
    assert len(set(given)) == len(given)
    assert walk.report.duplicates_dropped > 0
    assert (walk.report.complete, walk.report.reason) == (False, reason)


@pytest.mark.parametrize("order", ORDERS)
async def test_a_walk_without_a_proof_gives_each_id_that_it_is_shown_once(
    order: str | None,
) -> None:
    for seed in range(60):
        made = world(120, order=order)
        made.random = Random(seed)
        made.ties, made.late, made.shuffled = seed % 3 / 3, seed % 2 / 5, bool(seed % 5)
        made.change = lambda w: w.churn(w.random.randrange(3), w.random.randrange(3))
        shown: dict[int, list[str | None]] = {}

        async def fetch(page: int, size: int, made: World = made, shown: Any = shown) -> Any:
            rows = await made.fetch(page, size)
            shown[page] = rows.ids
            return rows

        walk = Pager(fetch, listing="records", order=order, page_size=10, complete=False)
        given = [record.id for record in await walk.to_list()]
        in_order = [record_id for page in sorted(shown) for record_id in shown[page]]
        assert given == list(dict.fromkeys(in_order))


async def test_records_without_an_id_are_never_dropped() -> None:
    async def fetch(page: int, size: int) -> Rows[int]:
        items = list(range(25))[(page - 1) * size : page * size]
        return Rows(items, [None] * len(items), [None] * len(items), 25)

    assert await Pager(fetch, listing="events", order=None, page_size=10).to_list() == [*range(25)]


@pytest.mark.parametrize("count", [0, 1, 10, 60, 61])
async def test_complete_false_asks_for_each_page_once(count: int) -> None:
    made = world(count)
    walk = pager(made, page_size=10, complete=False)
    await walk.to_list()
    assert len(made.requests) == max(1, ceil(count / 10))
    assert walk.report.reason == "no proof was asked for"


@pytest.mark.parametrize(
    ("misuse", "hint"),
    [
        (list, "async for"),
        (len, "count"),
        (lambda walk: walk[0], "first"),
        (lambda walk: walk.__await__(), "to_list"),
    ],
)
async def test_a_pager_used_like_a_list_says_what_to_do(misuse: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        misuse(pager(world(1)))


async def test_the_repr_says_what_is_walked_and_how_far_it_has_come() -> None:
    walked = pager(world(1))
    assert repr(walked) == "<Pager of records, created_at DESC: 0 yielded, not started>"
    await walked.to_list()
    assert repr(walked) == "<Pager of records, created_at DESC: 1 yielded, complete>"


async def test_the_report_accounts_for_the_walk() -> None:
    made = world(25)
    walk = pager(made, page_size=10)
    assert walk.report == PagingReport()
    await walk.to_list()
    assert walk.report == PagingReport(
        requests=4,
        pages=4,
        yielded=25,
        duplicates_dropped=7,
        total_first=25,
        total_last=25,
        complete=True,
        reason=None,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"page_size": 0},
        {"page_size": 101},
        {"page_size": True},
        {"page_size": "10"},
        {"concurrency": 0},
        {"max_items": 0},
        {"max_items": -1},
        {"complete": "no"},
        {"order": "created_at"},
        {"order": "created_at desc"},
        {"resume": ""},
        {"resume": "nonsense"},
        {"resume": "ключ"},
    ],
)
def test_bad_arguments_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        pager(world(0), **options)
    assert issubclass(ConfigurationError, HarbourError)


async def test_a_record_of_a_prefetched_page_costs_no_turn_of_the_event_loop() -> None:
    """Iterating a prefetched page takes no turn of the event loop."""
    made = world(99, delay=0)
    turns = 0
    loop = asyncio.get_running_loop()

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    iterator = aiter(pager(made))
    await anext(iterator)
    turn()
    while await anext(iterator, None) is not None:
        pass
    assert turns == 1
    assert len(made.requests) == 1
