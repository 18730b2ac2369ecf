"""The budget over real sockets, against the sandbox with a small window.

Run: ``python -m benchmarks.budget_sockets``. The last part needs redis-server.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks._harness import arguments, machine
from harbour_async import HarbourSession, Priority, RateLimit
from harbour_async.budget import RedisBudget
from harbour_async.sandbox import Sandbox
from tests.budget.redis_server import BINARY, redis_server

LIMIT = RateLimit(60, per=2.0, burst=12)
LATENCY = 0.03
WORKERS = 8
PROCESSES = 4

Call = Callable[[], Awaitable[object]]


def sandbox() -> Sandbox:
    return Sandbox(verifications=10, rate_limit=LIMIT.requests, per=LIMIT.per, latency=LATENCY)


async def any_id(harbour: HarbourSession) -> str:
    page = await harbour.verifications.page(1, size=1)
    return page.items[0].verification_id


async def saturate(call: Call, seconds: float) -> list[float]:
    """Repeat ``call`` in every worker; how long each took, waiting for its turn included."""
    end = time.monotonic() + seconds
    took: list[float] = []

    async def worker() -> None:
        while (began := time.monotonic()) < end:
            await call()
            took.append(time.monotonic() - began)

    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    return took


def report(name: str, server: Sandbox) -> None:
    """Print the counts; ``use`` is the part of the limit used in whole windows."""
    assert LIMIT.requests is not None
    times = [arrival.time for arrival in server.arrivals]
    windows = int((times[-1] - times[0]) / LIMIT.per)
    counted = sum(at < times[0] + windows * LIMIT.per for at in times)
    print(
        f"{name}: {len(times)} requests, {server.rejections} rejections, at most "
        f"{server.max_in_window(LIMIT.per)} in {LIMIT.per:g} s (limit {LIMIT.requests}), "
        f"use {counted / (windows * LIMIT.requests):.1%}"
    )


async def one_session(seconds: float) -> None:
    async with (
        sandbox() as server,
        HarbourSession(server.api_key, base_url=server.url, rate_limit=LIMIT) as harbour,
    ):
        some = await any_id(harbour)
        await saturate(lambda: harbour.verifications.get(some, priority=Priority.BULK), seconds)
        report("one session", server)


async def beside_an_export(seconds: float) -> None:
    async with (
        sandbox() as server,
        HarbourSession(server.api_key, base_url=server.url, rate_limit=LIMIT) as harbour,
    ):
        some = await any_id(harbour)
        waits: list[float] = []

        async def person() -> None:
            while True:
                await asyncio.sleep(0.29)
                began = time.monotonic()
                await harbour.verifications.get(some)
                waits.append(time.monotonic() - began - LATENCY)

        caller = asyncio.create_task(person())
        await saturate(lambda: harbour.verifications.get(some, priority=Priority.BULK), seconds)
        caller.cancel()
        assert LIMIT.requests is not None
        tokens = [wait * LIMIT.requests / LIMIT.per for wait in waits]
        print(
            f"interactive calls beside an export: {len(tokens)} waited "
            f"{statistics.median(tokens):.1f} tokens (median), {max(tokens):.1f} (longest); "
            f"{server.rejections} rejections"
        )


async def worker_process(server_url: str, api_key: str, redis_url: str, *, seconds: float) -> None:
    async with (
        RedisBudget.from_url(redis_url, LIMIT, key="benchmark") as budget,
        HarbourSession(api_key, base_url=server_url, budget=budget) as harbour,
    ):
        some = await any_id(harbour)
        await saturate(lambda: harbour.verifications.get(some, priority=Priority.BULK), seconds)


async def many_processes(seconds: float) -> None:
    if BINARY is None:
        print("processes sharing a RedisBudget: skipped, there is no redis-server")
        return
    with redis_server() as port:
        async with sandbox() as server:
            command = [sys.executable, "-m", "benchmarks.budget_sockets", "--worker"]
            options = [server.url, server.api_key, f"redis://127.0.0.1:{port}/0", str(seconds)]
            processes = [
                await asyncio.create_subprocess_exec(*command, *options) for _ in range(PROCESSES)
            ]
            codes = [await process.wait() for process in processes]
            assert not any(codes), codes
            report(f"{PROCESSES} processes sharing a RedisBudget", server)


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        *where, duration = sys.argv[2:]
        asyncio.run(worker_process(*where, seconds=float(duration)))
        return
    seconds = (1.1 if arguments(__doc__).quick else 10.5) * LIMIT.per
    print(f"{machine()}; {LIMIT.requests} per {LIMIT.per:g} s, answers take {LATENCY * 1e3:g} ms")
    for part in (one_session, beside_an_export, many_processes):
        asyncio.run(part(seconds))


if __name__ == "__main__":
    main()
