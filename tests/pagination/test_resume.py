"""Resume tokens are exact to the record after any change, and work for their own listing only."""

from __future__ import annotations

import base64
import zlib
from math import log2
from random import Random
from typing import Any

import pytest

from harbour_async.errors import ConfigurationError, IncompleteListingError
from harbour_async.pagination import Pager, _token
from tests.pagination.world import Record, World

ORDERS = ["created_at DESC", "created_at ASC"]


def pager(world: World, *, resume: str | None = None, size: int = 10) -> Pager[Record]:
    order = "created_at ASC" if world.ascending else "created_at DESC"
    return Pager(world.fetch, listing="records?a=1", order=order, page_size=size, resume=resume)


def world(order: str, count: int, ties: float = 0.0) -> World:
    made = World(Random(3), ascending=order.endswith("ASC"), delay=1, ties=ties)
    made.create(count)
    return made


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ties", [0.0, 0.8, 1.0])
async def test_a_token_is_exact_to_the_record_at_any_moment(order: str, ties: float) -> None:
    made = world(order, 150, ties)
    whole = [record.id for record in await pager(made, size=7).to_list()]
    walk = pager(made, size=7)
    given = 0
    assert [r.id for r in await pager(made, resume=walk.resume_token).to_list()] == whole
    async for _ in walk:
        given += 1
        rest = await pager(made, resume=walk.resume_token).to_list()
        assert [record.id for record in rest] == whole[given:]
    assert given == 150


@pytest.mark.parametrize("order", ORDERS)
async def test_a_token_of_a_walk_by_pages_goes_on_after_the_page_yielded_last(order: str) -> None:
    made = world(order, 50)
    walk = pager(made)
    given: list[Record] = []
    async for page in walk.pages():
        given += page.items
        rest = await pager(made, resume=walk.resume_token).to_list()
        assert len({record.id for record in given + rest}) == len(given) + len(rest) == 50


@pytest.mark.parametrize("deleted", [0, 1, 500, 2500])
@pytest.mark.parametrize("order", ORDERS)
async def test_the_place_is_found_in_few_requests_whatever_was_deleted(
    order: str, deleted: int
) -> None:
    made = world(order, 10_000)
    walk = pager(made)
    given = 0
    async for _ in walk:
        given += 1
        if given == 5_003:
            break
    token = walk.resume_token
    for n in range(deleted):  # the last ones given, and some long before
        made.delete(5_002 - n if n % 2 else 100)
    made.create(deleted // 3)
    made.requests.clear()
    async for record in pager(made, resume=token):
        assert record.key == (5_004 if made.ascending else 10_000 - 5_003)
        break
    assert len(made.requests) <= 4 + 2 * log2(1_000)


@pytest.mark.parametrize("order", ORDERS)
async def test_records_that_join_the_key_of_a_token_are_found_wherever_they_stand(
    order: str,
) -> None:
    for shift in range(40):
        made = world(order, 83)
        walk = pager(made, size=100)
        records = aiter(walk)
        last = [await anext(records) for _ in range(60)][-1]
        at = made.records.index(last)
        made.records[at + 1 : at + 1] = [Record(f"after-{n}", last.key) for n in range(8)]
        made.records[at:at] = [Record(f"before-{n}", last.key) for n in range(8)]
        for _ in range(shift):
            made.delete(0)
        made.requests.clear()
        rest = await pager(made, resume=walk.resume_token, size=100).to_list()
        assert len({record.id for record in rest}) == len(rest) == 16 + 23
        assert len(made.requests) <= 10


@pytest.mark.parametrize("order", ORDERS)
async def test_resuming_a_finished_walk_yields_what_came_after(order: str) -> None:
    made = world(order, 50)
    walk = pager(made)
    await walk.to_list()
    made.create(5)
    after = await pager(made, resume=walk.resume_token).to_list()
    assert after == (made.records[-5:] if made.ascending else [])


async def test_a_token_of_another_listing_or_order_is_refused() -> None:
    made = world(ORDERS[0], 50)
    token = pager(made).resume_token
    for listing, order in (("records?a=2", ORDERS[0]), ("records?a=1", ORDERS[1])):
        with pytest.raises(ConfigurationError, match="belongs to"):
            Pager(made.fetch, listing=listing, order=order, resume=token)


def test_a_damaged_token_is_refused() -> None:
    made = world(ORDERS[0], 50)
    token = pager(made).resume_token
    for i in range(len(token) - 1):  # the last character may have bits to spare
        other = "A" if token[i] != "A" else "B"
        for damaged in (token[:i], token[:i] + other + token[i + 1 :]):
            with pytest.raises(ConfigurationError, match="resume"):
                pager(made, resume=damaged)


@pytest.mark.parametrize(
    "state",
    [{"key": "x"}, {"key": [1]}, {"at": "a"}, {"at": None}, {"ties": 5}, {"ties": [[]]}, [], None],
)
def test_a_token_that_holds_something_else_is_refused(state: Any) -> None:
    token = _token.pack("records?a=1", ORDERS[0], state)
    with pytest.raises(ConfigurationError, match="damaged"):
        pager(world(ORDERS[0], 50), resume=token)


@pytest.mark.parametrize("text", [b"[" * 100_000, b" " * _token.LARGEST + b"[1]"])
def test_a_token_that_would_exhaust_the_stack_or_the_memory_is_refused(text: bytes) -> None:
    data = zlib.compress(text)
    token = base64.urlsafe_b64encode(_token._check(data) + data).decode()
    with pytest.raises(ConfigurationError, match="damaged"):
        pager(world(ORDERS[0], 50), resume=token)


async def test_a_token_goes_on_with_another_page_size() -> None:
    made = world(ORDERS[1], 500)
    walk = pager(made, size=7)
    given = []
    async for record in walk:
        given.append(record)
        if len(given) == 333:
            break
    assert given + await pager(made, resume=walk.resume_token, size=50).to_list() == made.records


@pytest.mark.parametrize("order", ORDERS)
async def test_tokens_stay_small(order: str) -> None:
    made = world(order, 5_000)
    walk = pager(made, size=100)
    async for _ in walk:
        pass
    assert len(walk.resume_token) < 250
    async for record in walk:
        if record.key == 2_500:
            break
    assert len(walk.resume_token) < 250


async def test_orders_that_cannot_be_proved_resume_at_their_position() -> None:
    made = world(ORDERS[0], 50)
    walk: Pager[Record] = Pager(made.fetch, listing="r", order="updated_at DESC", page_size=10)
    given = []
    async for record in walk:
        given.append(record)
        if len(given) == 17:
            break
    made.create(3)
    rest = Pager(
        made.fetch, listing="r", order="updated_at DESC", page_size=10, resume=walk.resume_token
    )
    assert given + await rest.to_list() == made.records[-4::-1]


@pytest.mark.parametrize("order", ORDERS)
async def test_a_proof_that_was_lost_stays_lost_when_resumed(order: str) -> None:
    made = world(order, 60)
    made.records.insert(12, made.records.pop(40))
    made.records.insert(47, made.records.pop(20))
    walk, given = pager(made), list[str]()
    async for record in walk:
        given.append(record.id)
        if walk.report.reason != "not finished":
            break
    token = walk.resume_token
    with pytest.raises(IncompleteListingError, match="an earlier part"):
        async for record in pager(made, resume=token):
            given.append(record.id)
    assert sorted(given) == sorted(record.id for record in made.records)


async def test_a_token_of_a_walk_without_a_proof_gives_no_proof() -> None:
    made = world("created_at DESC", 30)
    walk = Pager(made.fetch, listing="records?a=1", page_size=10, complete=False)
    first = await anext(aiter(walk))
    rest = []
    with pytest.raises(IncompleteListingError, match="an earlier part"):
        async for record in pager(made, resume=walk.resume_token):
            rest.append(record)
    assert [first, *rest] == made.records[::-1]
