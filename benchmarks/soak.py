"""Do client and server agree on every record and write, while one answer in 20 is damaged?

200 tasks walk, get and write through one session for three minutes. The server counts requests and
what it did for them; afterwards its counts are compared with the client's.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from attrs import define, field

from benchmarks import _harness
from harbour_async import HarbourError, HarbourSession, RateLimit, Retry
from harbour_async.sandbox import Sandbox

TASKS = 200
RECORDS = 600
LIMIT = RateLimit(200, per=1.0, burst=200)
FAULTS = 0.05
Counts = dict[str, object]


# -- the server, in a process of its own -------------------------------------------------------


async def serve() -> None:
    """Print the server's address; answer each line on stdin with its counts."""
    chance = random.Random(0)
    faults = 0
    async with Sandbox(
        verifications=RECORDS, webhooks=0, rate_limit=LIMIT.requests, per=LIMIT.per
    ) as sandbox:
        spoil: list[Callable[[], None]] = [
            lambda: sandbox.fail(503),
            lambda: sandbox.fail(500),
            lambda: sandbox.fail(502, body="<html>Bad gateway</html>"),
            lambda: sandbox.fail(429, headers={"Retry-After": "0"}),
            lambda: sandbox.drop(when="before"),
            lambda: sandbox.drop(when="during"),
            lambda: sandbox.drop(when="after"),
            lambda: sandbox.delay(0.5),
        ]

        @sandbox.on_request
        def sometimes(_: object) -> None:
            nonlocal faults
            if chance.random() < FAULTS:
                faults += 1
                chance.choice(spoil)()

        print(json.dumps({"url": sandbox.url, "key": sandbox.api_key}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        counts = {
            "requests": len(sandbox.arrivals),
            "faults": faults,
            "over the limit": sandbox.rejections,
            "most in a window": sandbox.max_in_window(),
        }
        sandbox.calm()
        sandbox.rate_limit = None
        print(json.dumps(counts), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


@contextmanager
def served() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.soak", "serve"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        try:
            yield server
        finally:
            server.kill()


def told(server: subprocess.Popen[str]) -> dict[str, str]:
    assert server.stdout is not None
    said: dict[str, str] = json.loads(server.stdout.readline())
    return said


# -- the client --------------------------------------------------------------------------------


@define
class Soak:
    """What the tasks did, and the answers that they got."""

    harbour: HarbourSession
    stable: list[str]
    doomed: list[str]
    done: Counter[str] = field(factory=Counter)
    errors: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)
    created: list[str] = field(factory=list)
    unsure: list[str] = field(factory=list)
    deleted: list[str] = field(factory=list)
    _chance: random.Random = field(factory=lambda: random.Random(1))

    async def task(self, until: float) -> None:
        kinds = [self.get, self.walk, self.create, self.delete]
        while time.monotonic() < until:
            kind = self._chance.choices(kinds, (70, 6, 14, 10))[0]
            try:
                await kind()
            except HarbourError as error:
                self.errors[type(error).__name__] += 1
            self.done[kind.__name__] += 1

    async def get(self) -> None:
        asked = self._chance.choice(self.stable)
        if (await self.harbour.verifications.get(asked)).verification_id != asked:
            self.wrong.append(f"get of {asked}")

    async def walk(self) -> None:
        """Check that records that exist throughout come exactly once, and that none comes twice."""
        pager = self.harbour.verifications.list()
        found = Counter([record.verification_id async for record in pager])
        if max(found.values()) > 1 or not found.keys() >= set(self.stable):
            self.wrong.append("walk")

    async def create(self) -> None:
        url = f"https://soak.example/{self._chance.getrandbits(64):x}"
        self.unsure.append(url)
        await self.harbour.webhooks.create(url)
        self.unsure.remove(url)
        self.created.append(url)

    async def delete(self) -> None:
        if self.doomed:
            doomed = self.doomed.pop()
            await self.harbour.verifications.delete(doomed)
            self.deleted.append(doomed)


async def soak(
    url: str, key: str, seconds: float, counts: Callable[[], Awaitable[Counts]]
) -> Counts:
    retry = Retry(4, base_delay=0.05, max_delay=1.0)
    options = {"rate_limit": LIMIT, "retry": retry, "timeout": 120, "base_url": url}
    async with HarbourSession(key, **options) as harbour:  # type: ignore[arg-type]
        ids = [record.verification_id async for record in harbour.verifications.list()]
        run = Soak(harbour, ids[: RECORDS // 2], ids[RECORDS // 2 :])
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(run.task(began + seconds))
            await asyncio.sleep(seconds / 3)
            warm = peak_kib()
        server = await counts()
        growth = (peak_kib() - warm) / 1024
        left = {record.verification_id async for record in harbour.verifications.list()}
        made = Counter([hook.destination_url async for hook in harbour.webhooks.list()])
    lost = [url for url in run.created if made[url] != 1]
    twice = [url for url, times in made.items() if times > 1]
    unknown = [url for url in made if url not in {*run.created, *run.unsure}]
    undead = [id_ for id_ in run.deleted if id_ in left]
    gone = [id_ for id_ in run.stable if id_ not in left]
    return {
        **server,
        "calls": sum(run.done.values()),
        "typed errors": dict(run.errors),
        "wrong": len([*run.wrong, *lost, *twice, *unknown, *undead, *gone]),
        "growth": growth,
    }


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    seconds = 3 if quick else 180
    with served() as server:
        at = told(server)

        async def counts() -> Counts:
            assert server.stdin is not None
            server.stdin.write("\n")
            server.stdin.flush()
            return {**await asyncio.to_thread(told, server)}

        found = asyncio.run(soak(at["url"], at["key"], seconds, counts))
    print(f"{TASKS} tasks for {seconds} s ({_harness.machine()})")
    print(
        f"  {found['calls']:,} calls, {found['requests']:,} requests, {found['faults']:,} faults, "
        f"errors after all retries: {found['typed errors']}"
    )
    most = float(str(found["most in a window"]))
    over, wrong = float(str(found["over the limit"])), float(str(found["wrong"]))
    growth = float(str(found["growth"]))
    _harness.print_figure("records or writes not accounted for", wrong, "0", wrong == 0)
    _harness.print_figure(
        f"most requests in {LIMIT.per:g} s", most, f"≤ {LIMIT.requests}", over == 0
    )
    _harness.print_figure("growth of the peak memory (MiB)", growth, "≤ 10", growth <= 10)
    if wrong or over:
        sys.exit("the counts of client and server differ")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
