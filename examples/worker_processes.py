"""Four worker processes on one rate limit, shared through Redis.

    $ pip install 'harbour-async[redis]'
    $ HARBOUR_API_KEY=... python examples/worker_processes.py redis://localhost:6379/0 [100/60]

Fetches each verification on its own and prints how many have which status. The limit, requests per
seconds, holds for all processes together, also for those on other machines with the same Redis.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from multiprocessing.queues import SimpleQueue

from harbour_async import HarbourSession, NotFoundError, Priority, RateLimit, RedisBudget

PROCESSES = 4
TASKS = 8  # in each process

Results = SimpleQueue[Counter[str]]


@asynccontextmanager
async def opened(redis: str, limit: RateLimit) -> AsyncIterator[HarbourSession]:
    # Budgets with the same key share one limit, and must all be given the same one.
    async with (
        RedisBudget.from_url(redis, limit, key="production") as budget,
        HarbourSession(budget=budget) as harbour,
    ):
        yield harbour


async def list_ids(redis: str, limit: RateLimit) -> list[str]:
    async with opened(redis, limit) as harbour:
        return [v.verification_id async for v in harbour.verifications.list()]


def worker(redis: str, limit: RateLimit, ids: list[str], results: Results) -> None:
    """The work of one process. It opens its own session: sessions cannot be passed to a process."""
    with suppress(asyncio.CancelledError, KeyboardInterrupt):
        results.put(asyncio.run(fetch_all(redis, limit, ids)))


async def fetch_all(redis: str, limit: RateLimit, ids: list[str]) -> Counter[str]:
    # SIGTERM ends a process as Ctrl-C does: its calls are cancelled, its slots given back. Slots of
    # a process that is killed come back by themselves, after a while.
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    statuses: Counter[str] = Counter()
    async with opened(redis, limit) as session, asyncio.TaskGroup() as group:
        # No user waits for these calls: so no deadline, and interactive calls go first.
        harbour = session.with_options(priority=Priority.BULK, timeout=None)
        todo = iter(ids)  # the tasks share it; each id goes to one of them
        for _ in range(TASKS):
            group.create_task(fetch(harbour, todo, statuses))
    return statuses


async def fetch(harbour: HarbourSession, todo: Iterator[str], statuses: Counter[str]) -> None:
    for verification_id in todo:
        try:
            v = await harbour.verifications.get(verification_id)
        except NotFoundError:
            statuses["deleted meanwhile"] += 1
        else:
            statuses[str(v.status)] += 1


def main(redis: str, limit: RateLimit) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that "finally" runs
    ids = asyncio.run(list_ids(redis, limit))
    context = multiprocessing.get_context("spawn")  # a fork would share sockets with its parent
    results: Results = context.SimpleQueue()
    processes = [
        context.Process(target=worker, args=(redis, limit, ids[n::PROCESSES], results))
        for n in range(PROCESSES)
    ]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
    if any(process.exitcode for process in processes):
        sys.exit("a worker failed; what it fetched is not counted")
    statuses: Counter[str] = sum((results.get() for _ in processes), Counter())
    print(*(f"{count} {status}" for status, count in sorted(statuses.items())), sep="\n")


if __name__ == "__main__":
    requests, _, seconds = (sys.argv[2] if len(sys.argv) > 2 else "100/60").partition("/")
    main(sys.argv[1], RateLimit(int(requests), per=float(seconds)))
