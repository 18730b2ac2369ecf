"""A long walk remembers little of each page."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from harbour_async._rows import Rows
from harbour_async.pagination import Pager

COUNT = 200_000
PAGES = COUNT // 100


class Thing:
    """A record whose instances in memory can be counted."""

    alive = 0

    def __init__(self) -> None:
        Thing.alive += 1

    def __del__(self) -> None:
        Thing.alive -= 1


@pytest.mark.parametrize("complete", [True, False])
async def test_no_reference_is_kept_to_a_record_that_was_yielded(complete: bool) -> None:
    async def fetch(page: int, size: int) -> Rows[Thing]:
        indices = range((page - 1) * size, min(50, page * size))
        return Rows(
            [Thing() for _ in indices], [f"{i}" for i in indices], [-i for i in indices], 50
        )

    async for thing in Pager(
        fetch, listing="things", page_size=10, concurrency=1, complete=complete
    ):
        before = Thing.alive
        del thing
        assert Thing.alive == before - 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("order", ["created_at DESC", "created_at ASC"])
async def test_a_long_walk_remembers_ten_bytes_a_record(order: str, complete: bool) -> None:
    sign = 1 if order.endswith("ASC") else -1

    async def fetch(page: int, size: int) -> Rows[Thing]:
        indices = range((page - 1) * size, min(COUNT, page * size))
        ids = [f"{i:036}" for i in indices]
        return Rows([Thing() for _ in indices], list(ids), [sign * i for i in indices], COUNT)

    pager = Pager(fetch, listing="things", order=order, complete=complete)
    given = most_alive = 0
    gc.collect()
    tracemalloc.start()
    try:
        async for page in pager.pages():
            given += len(page.items)
            most_alive = max(most_alive, Thing.alive)
        remembered, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert given == COUNT
    assert pager.report.complete is complete
    assert pager.report.requests <= 1.16 * PAGES + 1
    assert most_alive <= 7 * 100  # pages ahead of the reader, and the reader's own
    per_page = remembered / PAGES
    assert per_page < 1_000
