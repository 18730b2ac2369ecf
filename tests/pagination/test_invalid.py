"""Records that break a rule of the wire, kept in their place (``on_invalid``)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from attrs import evolve

from harbour_async._rows import Rows
from harbour_async.errors import DecodeError, IncompleteListingError
from harbour_async.models import InvalidRecord
from harbour_async.pagination import Pager
from tests.pagination.world import Record, World

BROKEN = {"r7", "r8", "r31", "r60"}


def pager(on_invalid: Any, *, readable: bool = True, **options: Any) -> Pager[Any]:
    world = World(Random(1), ascending=True)
    world.create(60)

    async def fetch(page: int, size: int) -> Rows[Any]:
        rows: Rows[Any] = await world.fetch(page, size)
        items = [invalid(item) if item.id in BROKEN else item for item in rows.items]
        keys = [None if not readable and i.id in BROKEN else i.key for i in rows.items]
        return evolve(rows, items=items, keys=keys, invalid=True)

    order = "created_at ASC"
    return Pager(fetch, listing="r", order=order, page_size=10, on_invalid=on_invalid, **options)


def invalid(record: Record) -> InvalidRecord:
    return InvalidRecord(b"{}", DecodeError("wrong", path="$.items[0].a"), record.id, None)


def name(item: Any) -> str:
    return str(item.record_id if isinstance(item, InvalidRecord) else item.id)


async def test_kept_invalid_records_stand_in_their_places_and_are_counted() -> None:
    walk = pager("keep")
    items = await walk.to_list()
    assert [name(item) for item in items] == [f"r{n}" for n in range(1, 61)]
    assert {name(item) for item in items if isinstance(item, InvalidRecord)} == BROKEN
    assert (walk.report.invalid, walk.report.yielded) == (4, 60)
    assert walk.report.complete


async def test_a_function_replaces_or_drops_invalid_records() -> None:
    walk = pager(lambda r: r if r.record_id == "r7" else None)
    items = await walk.to_list()
    assert [name(item) for item in items if isinstance(item, InvalidRecord)] == ["r7"]
    assert len(items) == 57
    assert (walk.report.invalid, walk.report.yielded) == (4, 57)
    assert walk.report.complete


async def test_a_function_that_raises_ends_the_walk_after_what_stands_before() -> None:
    def refuse(record: InvalidRecord) -> None:
        if record.record_id == "r31":
            raise ZeroDivisionError

    walk, given = pager(refuse), list[str]()
    with pytest.raises(ZeroDivisionError):
        async for item in walk:
            given.append(name(item))
    assert given == [f"r{n}" for n in range(1, 31) if n not in (7, 8)]
    rest = await pager("keep", resume=walk.resume_token).to_list()
    assert [name(item) for item in rest] == [f"r{n}" for n in range(31, 61)]


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
async def test_a_function_that_raises_the_end_of_an_iteration_does_not_end_the_listing(
    error: type[Exception],
) -> None:
    def fails(_: InvalidRecord) -> None:
        raise error

    with pytest.raises(RuntimeError, match=f"on_invalid raised {error.__name__}"):
        await pager(fails).to_list()


@pytest.mark.parametrize("on_invalid", ["keep", lambda _: None])
async def test_tokens_are_exact_around_invalid_records(on_invalid: Any) -> None:
    whole = [name(item) for item in await pager(on_invalid).to_list()]
    walk, given = pager(on_invalid), list[str]()
    async for item in walk:
        given.append(name(item))
        rest = await pager(on_invalid, resume=walk.resume_token).to_list()
        assert given + [name(each) for each in rest] == whole


async def test_max_items_counts_what_is_yielded() -> None:
    walk = pager(lambda _: None, max_items=30)
    assert len(await walk.to_list()) == 30
    assert (walk.report.invalid, walk.report.reason) == (3, "stopped at max_items")


async def test_an_invalid_record_without_a_readable_key_loses_the_proof() -> None:
    walk, given = pager("keep", readable=False), list[str]()
    with pytest.raises(IncompleteListingError, match="without a readable key"):
        async for item in walk:
            given.append(name(item))
    assert sorted(given) == sorted(f"r{n}" for n in range(1, 61))
