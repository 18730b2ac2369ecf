"""What completeness costs, in requests (docs/completeness.md, "What it costs")."""

from __future__ import annotations

from math import ceil
from random import Random
from statistics import mean

import pytest

from harbour_async.pagination import Pager
from tests.pagination.world import World

ORDERS = ["created_at DESC", "created_at ASC"]


def bound(records: int) -> float:
    """The requests promised for a list that does not change, with pages of 100."""
    pages = max(1, ceil(records / 100))
    return 1.16 * pages + 1 + (1 if pages <= 8 else 2 if pages <= 15 else 0)


async def requests(order: str, world: World, size: int, concurrency: int) -> int:
    pager = Pager(
        world.fetch, listing="records", order=order, page_size=size, concurrency=concurrency
    )
    given = {record.id async for record in pager}
    assert world.watched is not None
    assert world.watched <= given
    assert pager.report.complete
    return pager.report.requests


@pytest.mark.exhaustive
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("concurrency", [1, 4, 16])
@pytest.mark.parametrize("delay", [0, 3])
async def test_a_list_that_does_not_change_costs_a_sixth_more(
    order: str, concurrency: int, delay: int
) -> None:
    for count in (0, 1, 99, 100, 101, 200, 450, 799, 801, 1454, 1500, 1501, 10_000, 30_000):
        world = World(Random(count), ascending=order.endswith("ASC"), delay=delay)
        world.create(count)
        assert await requests(order, world, 100, concurrency) <= bound(count)


@pytest.mark.parametrize("order", ORDERS)
async def test_ties_in_any_order_cost_little_more(order: str) -> None:
    costs = []
    for seed in range(20):
        world = World(Random(seed), ascending=order.endswith("ASC"), ties=2 / 3, shuffled=True)
        world.create(1454)
        costs.append(await requests(order, world, 100, 4))
    assert mean(costs) <= 1.3 * 15


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("size", "dearer"), [(50, 1.3), (20, 1.6), (10, 2.0), (3, 5.0), (1, 8.0)])
async def test_smaller_pages_cost_more(order: str, size: int, dearer: float) -> None:
    world = World(Random(size), ascending=order.endswith("ASC"))
    world.create(2_000)
    assert await requests(order, world, size, 4) <= dearer * 2_000 / size


@pytest.mark.exhaustive
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    ("deleted", "created", "dearer"), [(1, 1, 1.2), (0, 5, 1.3), (5, 5, 1.3), (20, 20, 2.0)]
)
async def test_a_changing_list_costs_what_is_documented(
    order: str, concurrency: int, deleted: int, created: int, dearer: float
) -> None:
    costs = []
    for seed in range(20):
        world = World(Random(seed), ascending=order.endswith("ASC"), delay=3)
        world.create(1454)
        world.change = lambda w: w.churn(deleted, created)
        costs.append(await requests(order, world, 100, concurrency))
    assert max(costs) <= 3 * 15
    assert mean(costs) <= dearer * 15


@pytest.mark.exhaustive
@pytest.mark.parametrize("order", ORDERS)
async def test_a_single_deletion_costs_a_few_requests(order: str) -> None:
    for at_answer in range(1, 40):
        world = World(Random(at_answer), ascending=order.endswith("ASC"), delay=2)
        world.create(4000)
        world.change = lambda w, n=at_answer: w.delete(0) if len(w.totals) == n else None  # type: ignore[misc]
        assert await requests(order, world, 100, 4) <= bound(4000) + 4


@pytest.mark.exhaustive
@pytest.mark.parametrize("records", [50, 1_000, 100_000])
@pytest.mark.parametrize("changed", [0, 3, 300])
async def test_the_place_of_since_is_found_in_few_requests(records: int, changed: int) -> None:
    world = World(Random(records), ascending=True)
    world.create(records)
    since = world.records[-1].key + 1 - changed if changed < records else 1
    pager = Pager(world.fetch, listing="x", order="updated_at ASC", since=since)
    given = await pager.to_list()
    assert given == [record for record in world.records if record.key >= since]
    reading = len(given) / 80 + 1
    finding = 2 * len(bin(records // 100)) - 4
    assert pager.report.requests <= reading + finding
    world.requests.clear()
    rest = Pager(
        world.fetch, listing="x", order="updated_at ASC", since=since, resume=pager.resume_token
    )
    assert await rest.to_list() == []
    assert len(world.requests) <= 2
