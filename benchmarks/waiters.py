"""Requests of waiters that share their polling, compared with waiters that poll separately.

Run: ``python -m benchmarks.waiters``. Virtual time, an API in memory with a limit of 100 requests a
minute, and the pauses of ``wait_for`` for both. One verification after the other is completed
within half an hour.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from benchmarks._harness import arguments
from harbour_async import Verification
from harbour_async.resources import Verifications
from harbour_async.resources._polling import FIRST_PAUSE, GROWTH, LONGEST_PAUSE
from harbour_async.resources._waiting import finished
from tests.fake_api import FakeApi
from tests.virtual_time import run

HALF_AN_HOUR = 1800.0

Wait = Callable[[Verifications, str], Awaitable[Verification]]


class Outcome(NamedTuple):
    requests: int
    busiest_minute: int
    delay: float
    """Median seconds from the completion to the answer."""


async def shared(verifications: Verifications, key: str) -> Verification:
    return await verifications.wait_for(key, timeout=None)


async def alone(verifications: Verifications, key: str) -> Verification:
    pause = FIRST_PAUSE
    while not finished(verification := await verifications.get(key)):
        await asyncio.sleep(pause * random.uniform(0.75, 1.25))
        pause = min(LONGEST_PAUSE, pause * GROWTH)
    return verification


async def measure(wait: Wait, waiters: int, others: int) -> Outcome:
    api = FakeApi()
    sent: list[float] = []
    loop = asyncio.get_running_loop()
    api.trouble = lambda _: sent.append(loop.time())
    api.insert(others, "completed")
    ids = api.insert(waiters)
    ends: dict[str, float] = {}
    delays: list[float] = []
    verifications = api.verifications

    def complete(key: str) -> None:
        api.update(key, status="completed")
        ends[key] = loop.time()

    async def one(key: str) -> None:
        await wait(verifications, key)
        delays.append(loop.time() - ends[key])

    for key in ids:
        loop.call_later(random.uniform(0, HALF_AN_HOUR), complete, key)
    await asyncio.gather(*map(one, ids))
    busiest = max(sum(0 <= moment - start < 60 for moment in sent) for start in sent[::50])
    return Outcome(len(sent), busiest, sorted(delays)[len(delays) // 2])


def main() -> None:
    sizes = [(20, 100)] if arguments(__doc__).quick else [(10, 2000), (100, 2000), (1000, 1000)]
    print(
        f"{'waiters':>8} {'records':>8} {'':8}{'requests':>9} {'busiest minute':>15} {'delay':>7}"
    )
    for waiters, others in sizes:
        for name, wait in (("shared", shared), ("alone", alone)):
            random.seed(7)
            outcome = run(lambda wait=wait, n=waiters, m=others: measure(wait, n, m))  # type: ignore[misc]
            print(
                f"{waiters:8,} {waiters + others:8,} {name:8}{outcome.requests:9,}"
                f" {outcome.busiest_minute:12,} {outcome.delay:5.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
