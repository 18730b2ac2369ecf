"""How long do one ``get`` and a thousand at once take, compared with bare aiohttp and orjson?"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from benchmarks import _harness
from benchmarks._server import served
from harbour_async import HarbourSession, RateLimit

Get = Callable[[int], Awaitable[Any]]


async def ours(url: str, stack: AsyncExitStack) -> Get:
    harbour = await stack.enter_async_context(
        HarbourSession("key", base_url=url, rate_limit=RateLimit.unlimited())
    )
    return lambda n: harbour.verifications.get(f"VERIFICATION-{n}")


async def bare(url: str, stack: AsyncExitStack) -> Get:
    import orjson

    http = await stack.enter_async_context(aiohttp.ClientSession(headers={"x-api-key": "key"}))

    async def get(n: int) -> Any:
        async with http.get(f"{url}/verifications/VERIFICATION-{n}") as answer:
            return orjson.loads(await answer.read())

    return get


async def one_at_a_time(get: Get, times: int) -> float:
    """The median latency in seconds."""
    taken = []
    for n in range(times):
        started = time.perf_counter()
        await get(n)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


async def all_at_once(get: Get, times: int) -> float:
    """Answers per second."""
    started = time.perf_counter()
    await asyncio.gather(*(get(n) for n in range(times)))
    return times / (time.perf_counter() - started)


async def child(url: str, times: int) -> dict[str, float]:
    """Both contenders in turn in one process, so that they run under the same conditions."""
    async with AsyncExitStack() as stack:
        gets = {"ours": await ours(url, stack), "bare": await bare(url, stack)}
        for get in gets.values():
            await one_at_a_time(get, 50)
        p50 = {name: await one_at_a_time(get, times) for name, get in gets.items()}
        rate = {name: await all_at_once(get, times) for name, get in gets.items()}
    return {
        "latency": p50["ours"] / p50["bare"],
        "throughput": rate["ours"] / rate["bare"],
        "p50_us": p50["ours"] * 1e6,
    }


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    times, turns = (50, 1) if quick else (1_000, 7)
    with served(1) as url:
        runs = [_harness.run_child("benchmarks.latency", url, times) for _ in range(turns)]
    print(f"single gets on loopback, medians of {turns} runs ({_harness.machine()})")
    latency = _harness.median(runs, "latency")
    throughput = _harness.median(runs, "throughput")
    print(f"  one get: {_harness.median(runs, 'p50_us'):.0f} µs")
    _harness.print_figure("p50 latency / bare aiohttp + orjson", latency, "≤ 1.25", latency <= 1.25)
    _harness.print_figure(
        f"throughput of {times} at once / bare", throughput, "≥ 0.8", throughput >= 0.8
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(asyncio.run(child(sys.argv[1], int(sys.argv[2])))))
    else:
        main()
