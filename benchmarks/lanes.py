"""Does an endpoint of a service stay fast while the same process exports everything?

A service with one session answers ``GET /one`` with a ``verifications.get``. It is asked at random
moments: while it does nothing else, beside an export in the bulk lane, and beside one in the
interactive lane, which is first come, first served. The export always wants more than the limit.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks import _harness
from benchmarks._plot import bars
from benchmarks._server import served
from harbour_async import HarbourSession, Priority, RateLimit, export

# The guide's 100 requests, in 3 seconds in place of 60: so there is time for a 99th percentile.
# Waits are a matter of turns: one of 30 ms here is one of 600 ms at the guide's pace.
LIMIT = RateLimit(100, per=3.0)
TURN = 3.0 / 100
PEOPLE = 0.25  # what they ask for, in parts of the limit

RECORDS = 100_000_000  # more than any run can export
CASES = {
    "alone": "alone",
    "lanes": "beside an export, with lanes",
    "without": "beside an export, without lanes",
}
PLOT = Path(__file__).parent.parent / "docs" / "lanes.svg"


async def serve(case: str, url: str) -> None:
    """The service: prints its port once the export is under way and its burst is over."""
    async with HarbourSession("key", base_url=url, rate_limit=LIMIT) as harbour:

        async def one(_: web.Request) -> web.Response:
            v = await harbour.verifications.get("VERIFICATION-1")
            return web.json_response({"id": v.verification_id})

        app = web.Application()
        app.router.add_get("/one", one)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        with tempfile.TemporaryDirectory() as folder:
            if case != "alone":
                priority = Priority.BULK if case == "lanes" else Priority.INTERACTIVE
                pager = harbour.verifications.list(priority=priority)
                settled = asyncio.Event()
                task = asyncio.create_task(
                    export.export(
                        pager,
                        Path(folder) / "verifications.jsonl",
                        fields=["status"],
                        on_progress=lambda report: settled.set() if report.pages > 100 else None,
                    )
                )
                await settled.wait()
            print(runner.addresses[0][1], flush=True)
            await asyncio.to_thread(sys.stdin.read)
            if case != "alone":
                assert not task.done()
                task.cancel()
                await asyncio.wait([task])
        await runner.cleanup()


@contextmanager
def service(case: str, url: str) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.lanes", case, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/one"
            process.stdin.close()  # ends it
            assert process.wait(30) == 0
        finally:
            process.kill()


async def ask(url: str, times: int, seed: int) -> list[float]:
    """Seconds that each request took. Requests do not wait for each other."""
    took: list[float] = []
    rng = random.Random(seed)

    async def request() -> None:
        began = time.perf_counter()
        async with http.get(url) as answer:
            assert answer.status == 200
            await answer.read()
        took.append(time.perf_counter() - began)

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        for _ in range(times):
            group.create_task(request())
            await asyncio.sleep(rng.expovariate(PEOPLE / TURN))
    return took


def measure(times: int, rounds: int) -> dict[str, list[float]]:
    """The cases in turn, so that conditions are the same, with the same moments in a round."""
    took: dict[str, list[float]] = {case: [] for case in CASES}
    with served(RECORDS) as url:
        for seed in range(rounds):
            for case in CASES:
                with service(case, url) as endpoint:
                    took[case] += asyncio.run(ask(endpoint, times, seed))
    return took


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    times, rounds = (5, 1) if quick else (200, 4)
    took = measure(times, rounds)
    title = f"Answer time of an endpoint, limit 100 per 3 s ({os.cpu_count()} shared CPUs)"
    print(f"{times * rounds} requests a case, {TURN * 1e3:.0f} ms a turn ({_harness.machine()})")
    rows: dict[str, float] = {}
    p50, p99 = {}, {}
    for case, meaning in CASES.items():
        centiles = statistics.quantiles(took[case], n=100, method="inclusive")
        p50[case], p99[case] = centiles[49], centiles[98]
        rows |= {f"{meaning}, p50": p50[case] * 1e3, f"{meaning}, p99": p99[case] * 1e3}
        print(
            f"  {meaning:<32} p50 {p50[case] * 1e3:7.1f} ms ({p50[case] / TURN:5.2f} turns)"
            f"   p99 {p99[case] * 1e3:7.1f} ms ({p99[case] / TURN:5.2f} turns)"
        )
    for name, figure in (("p50", p50), ("p99", p99)):
        print(
            f"  {name}: with lanes / alone {figure['lanes'] / figure['alone']:.2f}, "
            f"without / alone {figure['without'] / figure['alone']:.2f}, "
            f"without / with lanes {figure['without'] / figure['lanes']:.2f}"
        )
    if not quick:
        bars(PLOT, title, rows, ours="beside an export, with lanes", unit="ms")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run(serve(*sys.argv[1:]))
    else:
        main()
