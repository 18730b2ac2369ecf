"""What the ledger sends to Redis while its budget is being closed, with a fake store."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from typing import Any, cast

import pytest

from harbour_async.budget import Budget
from harbour_async.budget.redis._fallback import FallbackLedger
from harbour_async.budget.redis._ledger import RedisLedger
from harbour_async.budget.redis._store import RedisStore, Reply
from harbour_async.errors import APIConnectionError, HarbourError, SessionClosedError
from harbour_async.settings import RateLimit
from tests.virtual_time import virtual_time

LIMIT = RateLimit(10, per=0.5, burst=10)


class FakeStore:
    """Grants one slot when it is told to, and notes which slots are held."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()
        self.held: set[str] = set()
        self.error: HarbourError | None = None

    def connect(self) -> None:
        """Do nothing."""

    async def take(self, name: str, **_: Any) -> Reply:
        self.asked.set()
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        self.held.add(name)
        return Reply(granted=True, used=1, next_free=None, paused=0.0)

    async def settle(self, holds: Sequence[tuple[str, float]]) -> None:
        await asyncio.sleep(0)
        self.held.difference_update(name for name, _ in holds)

    async def aclose(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("cancelled", [False, True])
async def test_closing_gives_back_a_slot_that_redis_grants_at_that_moment(
    steps: int, cancelled: bool
) -> None:
    store = FakeStore()
    ledger = RedisLedger(cast(RedisStore, store), LIMIT, attempt=1.0, max_pause=20.0)
    budget = Budget(LIMIT, ledger=ledger)
    waiting = asyncio.create_task(budget.acquire())
    await store.asked.wait()
    store.answers.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    if cancelled:
        waiting.cancel()
        await asyncio.wait([waiting])
    await budget.aclose()
    try:
        slot = await waiting
    except (SessionClosedError, asyncio.CancelledError):
        assert not store.held
    else:
        assert store.held == {slot.name}


async def test_an_error_of_redis_after_its_call_was_cancelled_is_not_reported() -> None:
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    store = FakeStore()
    store.error = APIConnectionError("not available", sent=False)
    ledger = RedisLedger(cast(RedisStore, store), LIMIT, attempt=1.0, max_pause=20.0)
    async with Budget(LIMIT, ledger=ledger) as budget:
        waiting = asyncio.create_task(budget.acquire())
        await store.asked.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        store.answers.set()
    gc.collect()
    assert reported == []


@virtual_time
async def test_a_share_is_used_only_when_what_was_sent_before_has_surely_arrived_and_aged() -> None:
    """A request may take as long as an attempt to arrive; it counts for a window from then on."""
    store = FakeStore()
    store.answers.set()
    ledger = RedisLedger(cast(RedisStore, store), LIMIT, attempt=30.0, max_pause=20.0)
    budget = Budget(LIMIT, ledger=FallbackLedger(ledger, LIMIT, processes=1))
    await budget.acquire()
    store.error = APIConnectionError("not available", sent=False)
    began = asyncio.get_running_loop().time()
    await budget.acquire()
    assert asyncio.get_running_loop().time() - began >= 30.0 + LIMIT.per
