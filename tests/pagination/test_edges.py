"""Single cases that random schedules rarely reach, and servers that break their own rules."""

from __future__ import annotations

from collections.abc import Callable
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
    """A change that happens once, before one answer."""

    def change(made: World) -> None:
        if len(made.totals) == at_answer:
            action(made)

    return change


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", range(1, 101))
async def test_a_walk_is_complete_with_pages_of_1_to_100(order: str, size: int) -> None:
    made = world(order, 230, ties=0.2)
    made.change = lambda w: w.churn(1, 1)
    await complete_walk(made, size)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at_answer", [1, 2, 5])
async def test_a_walk_is_complete_if_everything_already_read_is_deleted(
    order: str, at_answer: int
) -> None:
    made = world(order, 100)

    def delete_all_read(w: World) -> None:
        for _ in range(10 * at_answer):
            w.delete(0)

    made.change = once(delete_all_read, at_answer)
    await complete_walk(made)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at_answer", [0, 1, 4])
async def test_a_walk_is_complete_if_the_list_empties(order: str, at_answer: int) -> None:
    made = world(order, 100)
    made.change = once(lambda w: w.churn(1000, 0), at_answer)
    await complete_walk(made)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at_answer", [1, 2, 9])
async def test_a_walk_is_complete_if_the_list_doubles(order: str, at_answer: int) -> None:
    made = world(order, 100)
    made.change = once(lambda w: w.create(100), at_answer)
    _, report = await complete_walk(made)
    assert report.requests <= 2.1 * 20


@pytest.mark.parametrize("order", ORDERS)
async def test_a_walk_ends_although_creations_outpace_reading(order: str) -> None:
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
async def test_a_walk_is_complete_with_ties_across_page_borders(order: str, ties: float) -> None:
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
async def test_one_record_out_of_order_far_behind_loses_the_proof(order: str) -> None:
    made = world(order, 95)
    made.records.insert(17, made.records.pop(77))
    given, report = await unproved_walk(made, lambda _page, _size, rows: rows)
    assert len(given) == 95
    assert report.reason is not None


@pytest.mark.parametrize("order", ORDERS)
async def test_a_record_without_created_at_loses_the_proof(order: str) -> None:
    made = world(order, 60)

    def without_key(_page: int, _size: int, rows: Rows[Record]) -> Rows[Record]:
        keys = [None if r.id == "r20" else r.key for r in rows.items]
        return evolve(rows, keys=keys)

    given, report = await unproved_walk(made, without_key)
    assert len(given) == 60
    assert report.reason is not None
    assert "without a readable key" in report.reason


def with_total(total: int) -> Distort:
    return lambda _page, _size, rows: evolve(rows, total=total)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("total", [61, 400])
async def test_a_total_that_says_more_follows_is_asked_for_again_then_the_proof_is_lost(
    order: str, total: int
) -> None:
    made = world(order, 60)
    given, report = await unproved_walk(made, with_total(total))
    assert len(given) == 60
    assert report.reason is not None
    assert "total" in report.reason
    last = [request for request in made.requests if request[0] * request[1] > 60]
    assert max(last.count(request) for request in last) >= 7  # asked for again, six times


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("total", [0, 7, 45])
async def test_a_total_that_is_too_small_is_ignored(order: str, total: int) -> None:
    made = world(order, 60)

    async def fetch(page: int, size: int) -> Rows[Record]:
        return evolve(await made.fetch(page, size), total=total)

    pager = Pager(fetch, listing="records", order=order, page_size=10)
    assert len(await pager.to_list()) == 60
    assert pager.report.complete


@pytest.mark.parametrize("order", ORDERS)
async def test_a_server_that_gives_fewer_than_asked_for_is_detected(order: str) -> None:
    """It takes 50 for its largest page, and counts pages by that."""
    made = world(order, 450)

    async def fetch(page: int, size: int) -> Rows[Record]:
        return await made.fetch(page, min(size, 50))

    pager = Pager(fetch, listing="records", order=order)
    given, error = await read(pager)
    assert error is not None
    assert sorted(given) == sorted(record.id for record in made.records)


@pytest.mark.parametrize("order", ORDERS)
async def test_a_server_that_gives_more_than_asked_for_loses_the_proof(order: str) -> None:
    made = world(order, 250)

    async def fetch(page: int, _size: int) -> Rows[Record]:
        return await made.fetch(page, 100)

    given, error = await read(Pager(fetch, listing="records", order=order, page_size=70))
    assert error is not None
    assert "more records than" in str(error.report.reason)
    assert sorted(given) == sorted(record.id for record in made.records)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kept", [0, 4])
async def test_a_page_that_stays_short_loses_the_proof(order: str, kept: int) -> None:
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
        if page == 1 or len(rows.ids) < size:
            return rows
        return evolve(rows, ids=[*rows.ids[:-1], rows.ids[0]])

    _, report = await unproved_walk(made, doubled)
    assert report.reason is not None
    assert report.reason.endswith("has records without an id of their own")


ANY_ORDER = ["created_at DESC", "created_at ASC", "updated_at DESC", None]


@pytest.mark.parametrize("order", ANY_ORDER)
async def test_a_walk_gives_up_a_list_without_an_end(order: str | None) -> None:
    """Every page is full, and the total is always far away."""
    requests = 0

    async def fetch(page: int, size: int) -> Rows[str]:
        nonlocal requests
        requests += 1
        numbers = range((page - 1) * size, page * size)
        ids: list[str | None] = [f"r{number}" for number in numbers]
        sign = 1 if order == "created_at ASC" else -1
        keys: list[int | None] = [sign * number for number in numbers]
        return Rows([str(i) for i in ids], ids, keys, 100 * requests)

    pager = Pager(fetch, listing="x", order=order, page_size=10)
    given = []
    with pytest.raises(IncompleteListingError, match="end"):
        async for record in pager:
            given.append(record)
    assert len(set(given)) == len(given) > 1000
    assert requests <= 3 * (64 + 12 * 10)
    assert not pager.report.complete


@pytest.mark.parametrize("order", ANY_ORDER)
@pytest.mark.parametrize("total", [450, 10**9])
async def test_a_walk_gives_up_a_server_that_repeats_one_page(
    order: str | None, total: int
) -> None:
    requests = 0

    async def fetch(_page: int, size: int) -> Rows[int]:
        nonlocal requests
        requests += 1
        sign = 1 if order == "created_at ASC" else -1
        return Rows(
            [*range(size)], [f"{i}" for i in range(size)], [sign * i for i in range(size)], total
        )

    pager = Pager(fetch, listing="x", order=order, page_size=100)
    given = []
    with pytest.raises(IncompleteListingError):
        async for record in pager:
            given.append(record)
    assert sorted(given) == [*range(100)]
    assert requests <= 64 + 12 * 5 + 4


async def test_a_walk_in_an_unproved_order_gives_up_after_three_repeated_pages() -> None:
    requests = 0

    async def fetch(_page: int, size: int) -> Rows[int]:
        nonlocal requests
        requests += 1
        return Rows([*range(size)], [f"{i}" for i in range(size)], [None] * size, 10_000)

    pager = Pager(fetch, listing="x", order=None, concurrency=1)
    with pytest.raises(IncompleteListingError, match="no new one"):
        await pager.to_list()
    assert requests == 4


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_thousand_equal_keys_join_by_known_records(order: str, concurrency: int) -> None:
    made = world(order, 150)
    made.ties = 1.0
    made.create(1000)
    made.ties = 0.0
    made.create(150)
    pager = Pager(made.fetch, listing="records", order=order, concurrency=concurrency)
    given = [record.id for record in await pager.to_list()]
    assert sorted(given) == sorted(record.id for record in made.records)
    assert pager.report.complete
    assert pager.report.assumed is not None
    assert pager.report.requests <= 1.3 * 13 + 1


@pytest.mark.parametrize("order", ORDERS)
async def test_a_thousand_equal_keys_in_another_order_each_time_are_not_proved(order: str) -> None:
    made = world(order, 1000, ties=1.0)
    made.shuffled = True
    given, report = await unproved_walk(made, lambda _page, _size, rows: rows, 100)
    assert report.reason is not None
    assert report.reason.startswith("more records share a key than fit on a page")
    assert len(given) > 500


@pytest.mark.parametrize("order", ORDERS)
async def test_groups_of_equal_keys_that_fit_on_a_page_need_no_assumption(order: str) -> None:
    for group in (2, 3, 10, 40):
        made = world(order, 0)
        made.shuffled = True
        for _ in range(450 // group):
            made.ties = 0.0
            made.create(1)
            made.ties = 1.0
            made.create(group - 1)
        _, report = await complete_walk(made, 100)
        assert report.assumed is None


@pytest.mark.parametrize("order", ORDERS)
async def test_a_record_that_slides_over_the_border_between_count_and_rows_is_found(
    order: str,
) -> None:
    """The first record goes between the count and the rows of the second request."""
    made = world(order, 450, delay=0)
    calls = 0

    def change(w: World) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:  # each request counts, and then reads
            w.delete(0)

    made.change, made.between = change, 1.0
    await complete_walk(made, 100)
