"""An example in a process of its own, used as its user would use it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from attrs import frozen

from tests.budget.redis_server import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT = 60.0  # seconds: far more than anything here takes, also on a busy machine


@frozen
class Service:
    """A running example."""

    process: Process
    url: str
    stderr: Path

    async def line(self) -> str:
        """The next line of its stdout."""
        assert self.process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            return (await self.process.stdout.readline()).decode().strip()

    async def stop(self) -> int:
        """End it as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(TIMEOUT):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


def command(script: str, *args: object) -> list[str]:
    return [sys.executable, str(EXAMPLES / script), *map(str, args)]


def environment(key: str, base_url: str, **more: str) -> dict[str, str]:
    return {**os.environ, "HARBOUR_API_KEY": key, "HARBOUR_BASE_URL": base_url, **more}


@asynccontextmanager
async def running(
    script: str, *args: object, folder: Path, key: str, base_url: str, **env: str
) -> AsyncIterator[Service]:
    """The example, once its port is open; it is gone afterwards, whatever happened."""
    port, errors = free_port(), folder / f"{script}.log"
    with errors.open("a") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command(script, *args),
            env=environment(key, base_url, PORT=str(port), **env),
            cwd=folder,
            stdout=PIPE,
            stderr=stderr,
        )
    try:
        await opened(port, process, errors)
        yield Service(process, f"http://127.0.0.1:{port}", errors)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def opened(port: int, process: Process, errors: Path) -> None:
    async with asyncio.timeout(TIMEOUT):
        while process.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.05)
    raise AssertionError(errors.read_text())
