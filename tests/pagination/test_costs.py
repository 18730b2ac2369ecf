"""What completeness costs, in requests."""

from __future__ import annotations

from math import ceil
from random import Random

import pytest

from harbour_async.pagination import Pager
from tests.pagination.world import World

ORDERS = ["created_at DESC", "created_at ASC"]


async def requests(order: str, world: World, size: int, concurrency: int) -> int:
    pager = Pager(
        world.fetch, listing="records", order=order, page_size=size, concurrency=concurrency
    )
    given = {record.id async for record in pager}
    assert world.watched is not None
    assert world.watched <= given
    assert pager.report.complete
    return pager.report.requests


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 50, 99, 100])
@pytest.mark.parametrize("concurrency", [1, 4, 16])
@pytest.mark.parametrize("created", [0, 1, 4])
async def test_quiet_and_growing_lists_cost_no_request_more(
    order: str, size: int, concurrency: int, created: int
) -> None:
    """Answers in the order of their requests, as they come if nothing is overtaken."""
    ascending = order.endswith("ASC")
    for count in (0, 1, size, size + 1, 5 * size - 1, 12 * size, 30 * size + 1):
        world = World(Random(count), ascending=ascending)
        world.create(count)
        world.change = lambda w: w.create(created) if w.totals else None
        if created >= size / 2:
            continue
        cost = await requests(order, world, size, concurrency)
        # A listing that reaches into a further page while its last is read still has had its end.
        assert cost <= max(1, ceil(world.totals[-1] / size)) + ascending
        # After a page of one record, that may still be the newest: larger windows overlap then.
        if not created and not ascending and size > 1:
            assert cost == max(1, ceil(count / size))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("created", [1, 5, 20])
async def test_a_growing_list_costs_no_more_when_answers_overtake_each_other(
    order: str, created: int
) -> None:
    for seed in range(20):
        world = World(Random(seed), ascending=order.endswith("ASC"), delay=3)
        world.create(1454)
        world.change = lambda w: w.create(created) if w.totals else None
        cost = await requests(order, world, 100, 4)
        assert cost <= ceil(world.totals[-1] / 100) + 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_five_deletions_and_five_creations_a_request_cost_half_more_at_most(
    order: str, concurrency: int
) -> None:
    costs = []
    for seed in range(20):
        world = World(Random(seed), ascending=order.endswith("ASC"), delay=3)
        world.create(1454)
        world.change = lambda w: w.churn(5, 5)
        costs.append(await requests(order, world, 100, concurrency))
    assert sum(costs) / len(costs) <= 1.3 * 15


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("creations", [0, 20])
async def test_twenty_deletions_a_request_cost_three_times_as_many_at_most(
    order: str, concurrency: int, creations: int
) -> None:
    for seed in range(20):
        world = World(Random(seed), ascending=order.endswith("ASC"), delay=3)
        world.create(1454)
        world.change = lambda w: w.churn(20, creations)
        assert await requests(order, world, 100, concurrency) <= 3 * 15


@pytest.mark.parametrize("order", ORDERS)
async def test_a_single_deletion_costs_a_few_requests(order: str) -> None:
    for at_answer in range(1, 40):
        world = World(Random(at_answer), ascending=order.endswith("ASC"), delay=2)
        world.create(4000)
        world.change = lambda w, n=at_answer: w.delete(0) if len(w.totals) == n else None  # type: ignore[misc]
        cost = await requests(order, world, 100, 4)
        # Ascending, what was read since the last proof is read again: at worst all of it.
        assert cost <= (40 + 4 if order.endswith("DESC") else 2 * 40 + 10)
