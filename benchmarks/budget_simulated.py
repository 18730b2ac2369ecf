"""Four limiters, each set to "100 per 60 s", with the same simulated networks and strict server.

Run: ``python -m benchmarks.budget_simulated`` (20 seeds, 3 hours each, in virtual time).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import product
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

from aiolimiter import AsyncLimiter
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, memory
from limits.aio.strategies import MovingWindowRateLimiter
from pyrate_limiter import InMemoryBucket, Limiter, Rate, SingleBucketFactory

from benchmarks._harness import arguments, machine
from harbour_async.budget import Budget
from harbour_async.settings import Priority
from tests.budget.servers import NETWORKS, Release, most_in_window, saturate
from tests.virtual_time import run

REQUESTS, PER = 100, 60.0
Acquire = Callable[[], Awaitable[Release]]


def nothing() -> None:
    """The other limiters are not told about answers."""


def ours() -> Acquire:
    budget = Budget()

    async def acquire() -> Release:
        return (await budget.acquire(Priority.BULK)).answered

    return acquire


def aiolimiter() -> Acquire:
    limiter = AsyncLimiter(REQUESTS, PER)

    async def acquire() -> Release:
        await limiter.acquire()
        return nothing

    return acquire


class _Bucket(InMemoryBucket):
    def now(self) -> int:
        return round(asyncio.get_running_loop().time() * 1000)


def pyrate_limiter() -> Acquire:
    bucket = _Bucket([Rate(REQUESTS, int(PER * 1000))])
    # Its leaking thread runs in real time, so it is switched off, and each acquire leaks instead.
    limiter = Limiter(SingleBucketFactory(bucket, schedule_leak=False))

    async def acquire() -> Release:
        bucket.leak(bucket.now())
        await limiter.try_acquire_async("harbour")
        return nothing

    return acquire


class _Inline(ThreadPoolExecutor):
    """Runs the work of `limits` at once, because threads do not run in virtual time."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*args, **options))
        return done


def limits() -> Acquire:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Inline())
    limiter = MovingWindowRateLimiter(MemoryStorage())
    item = RateLimitItemPerMinute(REQUESTS)

    async def acquire() -> Release:
        with mock.patch.object(memory, "time", SimpleNamespace(time=loop.time)):
            while not await limiter.hit(item, "harbour"):
                reset = (await limiter.get_window_stats(item, "harbour")).reset_time
                await asyncio.sleep(max(0.0, reset - loop.time()) + 0.001)
        return nothing

    return acquire


LIMITERS = {
    "harbour_async": ours,
    "aiolimiter": aiolimiter,
    "PyrateLimiter": pyrate_limiter,
    "limits": limits,
}


class Outcome(NamedTuple):
    rejections: int
    most: int
    use: float


def strict_server(arrivals: list[float], seconds: float) -> Outcome:
    """Admits ``REQUESTS`` in any ``PER`` seconds; those it turns away do not count."""
    admitted: deque[float] = deque()
    rejections = served = 0
    for arrival in sorted(arrivals):
        while admitted and admitted[0] < arrival - PER:
            admitted.popleft()
        if len(admitted) >= REQUESTS:
            rejections += 1
            continue
        admitted.append(arrival)
        served += arrival < seconds
    return Outcome(rejections, most_in_window(arrivals, PER), served / (seconds / PER * REQUESTS))


def simulate(case: tuple[str, str, int, float]) -> Outcome:
    limiter, network, seed, seconds = case

    async def main() -> list[float]:
        return await saturate(LIMITERS[limiter](), NETWORKS[network], seconds, seed)

    return strict_server(run(main), seconds)


def table(workers: Executor, seeds: int, seconds: float) -> None:
    print(f"{'':14}{'network':9}{'rejections':>11}{'most in 60 s':>14}{'least use':>11}")
    for limiter, network in product(LIMITERS, NETWORKS):
        cases = [(limiter, network, seed, seconds) for seed in range(seeds)]
        outcomes = list(workers.map(simulate, cases))
        rejections = sum(outcome.rejections for outcome in outcomes)
        most = max(outcome.most for outcome in outcomes)
        use = min(outcome.use for outcome in outcomes)
        print(f"{limiter:14}{network:9}{rejections:11,}{most:14}{use:11.2%}", flush=True)


def main() -> None:
    quick = arguments(__doc__).quick
    seeds, hours = (1, 0.1) if quick else (20, 3.0)
    print(f"{machine()}; {seeds} seeds of {hours:g} simulated hours, {REQUESTS} per {PER:g} s")
    with ProcessPoolExecutor() as workers:
        table(workers, seeds, hours * 3600.0)


if __name__ == "__main__":
    main()
