"""Four processes on one Redis budget, against a server that counts strictly."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harbour_async.sandbox import Sandbox
from tests.budget.redis_server import needs_redis, redis_server
from tests.examples.process import TIMEOUT, command, environment


@asynccontextmanager
async def started(verifications: int) -> AsyncIterator[tuple[Sandbox, Process]]:
    async with Sandbox(verifications=verifications, rate_limit=40, per=1.0) as sandbox:
        with redis_server() as redis:
            process = await asyncio.create_subprocess_exec(
                *command("worker_processes.py", f"redis://127.0.0.1:{redis}/0", "40/1"),
                env=environment(sandbox.api_key, sandbox.url),
                stdout=PIPE,
                stderr=PIPE,
            )
            try:
                async with asyncio.timeout(TIMEOUT):
                    yield sandbox, process
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.communicate()


@needs_redis
async def test_four_processes_fetch_each_record_once_and_keep_to_one_limit() -> None:
    async with started(90) as (sandbox, process):
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        assert sum(int(line.split()[0]) for line in out.decode().splitlines()) == 90
        singles = Counter(a.path for a in sandbox.arrivals if a.path != "/verifications")
        assert set(singles.values()) == {1}
        assert sandbox.rejections == 0
        assert sandbox.max_in_window(1.0) <= 40


@needs_redis
async def test_sigterm_ends_all_processes_without_a_message() -> None:
    async with started(400) as (sandbox, process):
        while sum(a.path != "/verifications" for a in sandbox.arrivals) < 5:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()  # the workers hold stderr open, too
        assert process.returncode == 143
        assert err == b""
        assert len(sandbox.arrivals) < 400
