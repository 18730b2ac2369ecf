"""Thousands of calls that are cancelled at random, and the checks that follow.

``python -m tests.budget.storm 20000`` runs a long one with each task factory there is.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import NamedTuple

from harbour_async.budget import Budget, Slot
from harbour_async.budget._ledger import LocalLedger
from harbour_async.errors import DeadlineExceededError
from harbour_async.settings import Priority, RateLimit
from tests.budget.servers import most_in_window
from tests.virtual_time import FACTORIES, run

LIMIT = RateLimit(10, per=2.0, burst=3)
CONCURRENT = 12
"""Calls that are under way at once."""


class Storm(NamedTuple):
    """The counts. ``granted_too_late`` calls were cancelled after their grant was made."""

    sent: int
    cancelled: int
    granted_too_late: int
    expired: int
    most_in_window: int


class _CountingLedger(LocalLedger):
    given_back = 0

    def unsent(self, slot: Slot) -> None:
        self.given_back += 1
        super().unsent(slot)


class _Traffic:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        assert LIMIT.requests is not None
        self.ledger = _CountingLedger(LIMIT.requests, LIMIT.per)
        self.budget = Budget(LIMIT, ledger=self.ledger)
        self.arrivals: list[float] = []
        self.unsent = self.expired = 0

    async def call(self) -> None:
        loop, rng = asyncio.get_running_loop(), self.rng
        deadline = loop.time() + rng.uniform(0.1, 4.0) if rng.random() < 0.2 else None
        try:
            slot = await self.budget.acquire(rng.choice(list(Priority)), deadline=deadline)
        except DeadlineExceededError:
            self.expired += 1
            return
        if rng.random() < 0.4:
            self.unsent += 1
            slot.unsent()
            return
        self.arrivals.append(loop.time())
        try:
            await asyncio.sleep(rng.choice([0.0, 0.01, 0.3]))
        except asyncio.CancelledError:
            slot.abandoned()
            raise
        slot.answered()

    async def run(self, calls: int) -> int:
        """Make so many calls, and cancel some at random; how many were cancelled."""
        alive: list[asyncio.Task[None]] = []
        everything: list[asyncio.Task[None]] = []
        while len(everything) < calls:
            while len(alive) < CONCURRENT and len(everything) < calls:
                alive.append(asyncio.create_task(self.call()))
                everything.append(alive[-1])
            if self.rng.random() < 0.02:
                self.budget.pause(self.rng.uniform(0.1, 1.0))
            await self._sleep_until_a_grant()
            for _ in range(self.rng.randrange(8)):  # in the ticks around a grant
                if alive and self.rng.random() < 0.5:
                    self.rng.choice(alive).cancel()
                await asyncio.sleep(0)
            alive = [task for task in alive if not task.done()]
        async with asyncio.timeout(3600.0):
            results = await asyncio.gather(*everything, return_exceptions=True)
        unexpected = [
            result
            for result in results
            if result is not None and not isinstance(result, asyncio.CancelledError)
        ]
        assert not unexpected, unexpected[0]
        return sum(result is not None for result in results)

    async def _sleep_until_a_grant(self) -> None:
        """Sleep until about the next grant."""
        wait = self.budget.snapshot().estimated_wait
        await asyncio.sleep(self.rng.choice([0.0, wait, wait, wait * self.rng.random()]))


def storm(calls: int, seed: int, *, eager: bool) -> Storm:
    """Raises AssertionError if a call hangs, or a slot, a turn or a task is lost."""

    async def main() -> Storm:
        traffic = _Traffic(seed)
        cancelled = await traffic.run(calls)
        await asyncio.sleep(10 * LIMIT.per)
        snapshot = traffic.budget.snapshot()
        assert (snapshot.used, snapshot.waiting) == (0, (0, 0))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return Storm(
            sent=len(traffic.arrivals),
            cancelled=cancelled,
            granted_too_late=traffic.ledger.given_back - traffic.unsent,
            expired=traffic.expired,
            most_in_window=most_in_window(traffic.arrivals, LIMIT.per),
        )

    return run(main, eager=eager)


def main() -> None:
    calls = int(sys.argv[1])
    for name, eager in FACTORIES.items():
        print(sys.version.split()[0], name, storm(calls, seed=1, eager=eager))


if __name__ == "__main__":
    main()
