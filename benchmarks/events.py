"""How much time do events add to a call, with 0, 1 and 3 listeners?

The work for the events of one call is timed by itself, because it is smaller than the noise of a
request. The ratios of whole requests, run in turn, show that nothing else got slower.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from contextlib import AsyncExitStack

from benchmarks import _harness
from benchmarks._server import served
from harbour_async import HarbourSession, Priority, RateLimit
from harbour_async._emitter import Emitter
from harbour_async.events import Event

COUNTS = (0, 1, 3)
TEMPLATE = "/verifications/{verification_id}"


class Counter:
    """A listener that does next to nothing."""

    def __init__(self) -> None:
        self.heard = 0

    def __call__(self, _: Event) -> None:
        self.heard += 1


def one_call(emitter: Emitter) -> None:
    """What ``Caller`` does for the events of a call that goes well."""
    with emitter.begin("GET", TEMPLATE, Priority.INTERACTIVE) as events:
        events.waits()
        with events.attempt(events.has_its_turn()):
            events.status = 200


def stream_us(listeners: int, times: int) -> float:
    """Microseconds of the stream's work for a call, the best of five."""
    emitter = Emitter([Counter() for _ in range(listeners)], "localhost", 443)
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(times):
            one_call(emitter)
        taken.append(time.perf_counter() - started)
    return min(taken) / times * 1e6


async def request_us(harbour: HarbourSession, times: int) -> float:
    """The median microseconds of a request."""
    taken = []
    for n in range(times):
        started = time.perf_counter()
        await harbour.verifications.get(f"VERIFICATION-{n}")
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


async def child(url: str, times: int) -> dict[str, float]:
    """All contenders in turn in one process, so that they run under the same conditions."""
    turns: dict[int, list[float]] = {count: [] for count in COUNTS}
    async with AsyncExitStack() as stack:
        sessions = {
            count: await stack.enter_async_context(
                HarbourSession(
                    "key",
                    base_url=url,
                    rate_limit=RateLimit.unlimited(),
                    on_event=[Counter() for _ in range(count)],
                )
            )
            for count in COUNTS
        }
        for _ in range(20):
            for count, harbour in sessions.items():
                turns[count].append(await request_us(harbour, times))
        stream = {f"stream_{count}": stream_us(count, times * 20) for count in COUNTS}
    alone = turns[0]
    ratios = {
        f"ratio_{count}": statistics.median(a / b for a, b in zip(turns[count], alone, strict=True))
        for count in COUNTS
    }
    return {"request": statistics.median(alone), **stream, **ratios}


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    times, runs = (5, 1) if quick else (100, 5)
    with served(1) as url:
        results = [_harness.run_child("benchmarks.events", url, times) for _ in range(runs)]
    request = _harness.median(results, "request")
    print(f"events of single gets on loopback, {runs} runs ({_harness.machine()})")
    print(f"  one get without listeners: {request:.0f} µs; its events, and what a get takes then:")
    for count in COUNTS:
        stream = _harness.median(results, f"stream_{count}")
        ratio = _harness.median(results, f"ratio_{count}")
        print(f"  {count} listeners: {stream:6.2f} µs   {ratio:.3f} of a get without listeners")
    share = _harness.median(results, "stream_0") / request * 100
    _harness.print_figure("events / a get without listeners, in %", share, "≤ 1", share <= 1)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(asyncio.run(child(sys.argv[1], int(sys.argv[2])))))
    else:
        main()
