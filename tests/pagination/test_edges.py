"""Single cases that the schedules may not dwell on, and servers that break their own rules."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest
from attrs import evolve

from harbour_async._rows import Rows
from harbour_async.errors import IncompleteListingError
from harbour_async.pagination import Pager, PagingReport
from tests.pagination.world import Record, World

ORDERS = ["created_at DESC", "created_at ASC"]
Distort = Callable[[int, int, Rows[Record]], Rows[Record]]


def world(order: str, count: int, *, ties: float = 0.0, delay: int = 2) -> World:
    made = World(Random(count), ascending=order.endswith("ASC"), delay=delay, ties=ties)
    made.create(count)
    return made


async def complete_walk(made: World, size: int = 10) -> tuple[list[str], PagingReport]:
    order = "created_at ASC" if made.ascending else "created_at DESC"
    pager = Pager(made.fetch, listing="records", order=order, page_size=size)
    given = [record.id for record in await pager.to_list()]
    assert len(set(given)) == len(given)
    assert made.watched is not None
    assert made.watched <= set(given)
    assert pager.report.complete
    return given, pager.report


async def unproved_walk(
    made: World, distort: Distort, size: int = 10
) -> tuple[list[str], PagingReport]:
    """Walk a server whose answers are distorted; IncompleteListingError has to come at the end."""

    async def fetch(page: int, page_size: int) -> Rows[Record]:
        return distort(page, page_size, await made.fetch(page, page_size))

    order = "created_at ASC" if made.ascending else "created_at DESC"
    pager = Pager(fetch, listing="records", order=order, page_size=size)
    given, error = await read(pager)
    assert len(set(given)) == len(given)
    assert error is not None
    assert error.report == pager.report
    return given, pager.report


async def read(pager: Pager[Record]) -> tuple[list[str], IncompleteListingError | None]:
    given: list[str] = []
    try:
        async for page in pager.pages():
            given += [record.id for record in page.items]
    except IncompleteListingError as error:
        return given, error
    return given, None


def once(action: Callable[[World], None], at_answer: int) -> Callable[[World], None]:
    """Something that happens before one answer and never again."""

    def change(made: World) -> None:
        if len(made.totals) == at_answer:
            action(made)

    return change


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", range(1, 101))
async def test_page_sizes_from_1_to_100(order: str, size: int) -> None:
    made = world(order, 230, ties=0.2)
    made.change = lambda w: w.churn(1, 1)
    await complete_walk(made, size)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at_answer", [1, 2, 5])
async def test_everything_already_read_is_deleted(order: str, at_answer: int) -> None:
    made = world(order, 100)

    def delete_all_read(w: World) -> None:
        for _ in range(10 * at_answer):
            w.delete(0)

    made.change = once(delete_all_read, at_answer)
    await complete_walk(made)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at_answer", [0, 1, 4])
async def test_the_list_empties(order: str, at_answer: int) -> None:
    made = world(order, 100)
    made.change = once(lambda w: w.churn(1000, 0), at_answer)
    await complete_walk(made)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at_answer", [1, 2, 9])
async def test_the_list_doubles(order: str, at_answer: int) -> None:
    made = world(order, 100)
    made.change = once(lambda w: w.create(100), at_answer)
    _, report = await complete_walk(made)
    assert report.requests <= 20 + made.ascending


@pytest.mark.parametrize("order", ORDERS)
async def test_creations_that_outpace_reading_come_to_an_end(order: str) -> None:
    made = world(order, 100)
    made.change = lambda w: w.create(30)
    pager = Pager(made.fetch, listing="records", order=order, page_size=10)
    given, error = await read(pager)
    if error is None:
        assert made.watched is not None
        assert made.watched <= set(given)
    else:
        assert error.report.reason == "the listing changes faster than it can be read"
    assert len(made.requests) < 1500


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ties", [0.9, 1.0])
async def test_ties_across_page_borders(order: str, ties: float) -> None:
    made = world(order, 100, ties=ties)
    made.change = lambda w: w.churn(1, 1)
    await complete_walk(made)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("each", [1, 3])
async def test_a_loop_that_deletes_sees_every_record(order: str, each: int) -> None:
    made = world(order, 100)
    pager = Pager(made.fetch, listing="records", order=order, page_size=10)
    given = []
    async for record in pager:
        given.append(record.id)
        if len(given) % each == 0:
            made.delete_id(record.id)
    assert len(given) == len(set(given)) == 100
    assert pager.report.complete
    assert pager.report.requests <= 30


@pytest.mark.parametrize("order", ORDERS)
async def test_an_empty_listing_is_one_request(order: str) -> None:
    given, report = await complete_walk(world(order, 0))
    assert given == []
    assert report.requests == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 10])
async def test_a_server_that_keeps_no_order_yields_all_and_names_the_page(
    order: str, size: int
) -> None:
    made = world(order, 60)
    Random(4).shuffle(made.records)
    given, report = await unproved_walk(made, lambda _page, _size, rows: rows, size)
    assert len(given) == 60
    assert report.reason is not None
    assert report.reason.endswith("is not in the order asked for")


@pytest.mark.parametrize("order", ORDERS)
async def test_one_record_out_of_order_far_behind_is_not_passed_in_silence(order: str) -> None:
    made = world(order, 95)
    made.records.insert(17, made.records.pop(77))
    given, report = await unproved_walk(made, lambda _page, _size, rows: rows)
    assert len(given) == 95
    assert report.reason is not None


@pytest.mark.parametrize("order", ORDERS)
async def test_a_record_without_created_at_is_not_passed_in_silence(order: str) -> None:
    made = world(order, 60)

    def without_key(_page: int, _size: int, rows: Rows[Record]) -> Rows[Record]:
        keys = [None if r.id == "r20" else r.key for r in rows.items]
        return evolve(rows, keys=keys)

    given, report = await unproved_walk(made, without_key)
    assert len(given) == 60
    assert report.reason is not None
    assert "without created_at" in report.reason


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("total", [0, 7, 45, 61, 400])
async def test_a_wrong_total_is_not_believed(order: str, total: int) -> None:
    made = world(order, 60)

    def wrong(_page: int, _size: int, rows: Rows[Record]) -> Rows[Record]:
        return evolve(rows, total=total)

    given, report = await unproved_walk(made, wrong)
    assert len(given) == 60
    assert report.reason is not None
    assert "total" in report.reason
    assert report.requests < 40


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kept", [0, 4])
async def test_a_page_that_stays_short_is_not_passed_in_silence(order: str, kept: int) -> None:
    made = world(order, 60)

    def short(page: int, size: int, rows: Rows[Record]) -> Rows[Record]:
        if not (page - 1) * size <= 25 < page * size:
            return rows
        return Rows(rows.items[:kept], rows.ids[:kept], rows.keys[:kept], rows.total)

    given, report = await unproved_walk(made, short)
    assert len(given) >= 50
    assert report.reason is not None
    assert "held" in report.reason


@pytest.mark.parametrize("order", ORDERS)
async def test_a_page_that_comes_short_once_is_asked_for_again(order: str) -> None:
    made = world(order, 60)
    stumbled = False

    async def fetch(page: int, size: int) -> Rows[Record]:
        nonlocal stumbled
        rows = await made.fetch(page, size)
        if page == 3 and not stumbled:
            stumbled = True
            return Rows([], [], [], rows.total)
        return rows

    pager = Pager(fetch, listing="records", order=order, page_size=10)
    assert len(await pager.to_list()) == 60
    assert pager.report.complete


async def test_the_same_id_twice_on_a_page_is_given_once() -> None:
    made = world(ORDERS[0], 30)

    def doubled(page: int, size: int, rows: Rows[Record]) -> Rows[Record]:
        if page != 2 or size != 10:
            return rows
        return evolve(rows, ids=[*rows.ids[:-1], rows.ids[0]])

    given, report = await unproved_walk(made, doubled)
    assert report.reason == "page 2 of size 10 has records without an id of their own"
    assert len(given) == 29


@pytest.mark.parametrize("order", ["created_at DESC", "created_at ASC", "updated_at DESC", None])
async def test_a_list_without_an_end_is_given_up_in_bounded_time(order: str | None) -> None:
    """Every page is full, and the total is always far away."""
    requests = 0

    async def fetch(page: int, size: int) -> Rows[str]:
        nonlocal requests
        requests += 1
        numbers = range((page - 1) * size, page * size)
        ids: list[str | None] = [f"r{number}" for number in numbers]
        sign = 1 if order == "created_at ASC" else -1
        keys: list[int | None] = [sign * number for number in numbers]
        return Rows([str(i) for i in ids], ids, keys, 1000 * requests)

    pager = Pager(fetch, listing="x", order=order, page_size=10)
    given = []
    with suppress(IncompleteListingError):
        async for record in pager:
            given.append(record)
    assert len(set(given)) == len(given) > 1000
    # Oldest first these are new records, and need not be read: what was there at first was.
    assert pager.report.complete == (order == "created_at ASC")
    assert requests < 1500
