"""Options, starting and closing."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harbour_async.sandbox import Sandbox
from tests.sandbox.client import serving


@pytest.mark.parametrize(
    "options",
    [
        {"verifications": -1},
        {"verifications": 1.5},
        {"webhooks": True},
        {"events": None},
        {"seed": "x"},
        {"ties": 0},
        {"shuffle_ties": 1},
        {"rate_limit": 0},
        {"per": 0},
        {"per": float("nan")},
        {"latency": -1},
        {"latency": (2, 1)},
        {"latency": "1"},
        {"port": 65536},
        {"keepalive_timeout": -1},
        {"api_key": ""},
        {"api_key": "a\nb"},
        {"retry_after": "minutes"},
        {"spelling": "dual"},
        {"spelling": {"GET": "dual"}},
        {"spelling": {"POST": "plural"}},
        {"spelling": ["plural"]},
        {"unknown_route": 500},
        {"errors": "old"},
        {"receipts": None},
        {"envelope": "floats"},
        {"get_webhook": "long"},
        {"events_shape": "list"},
    ],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Sandbox(**options)


@pytest.mark.parametrize("arguments", [{"times": 0}, {"status": 99}])
async def test_a_wrong_fault_is_refused_at_once(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Sandbox().fail(**arguments)


def test_options_are_keywords_only() -> None:
    with pytest.raises(TypeError):
        Sandbox(5)  # type: ignore[call-arg]


async def test_it_closes_twice_without_complaint_and_starts_only_once() -> None:
    sandbox = Sandbox(verifications=1)
    await sandbox.aclose()
    assert await sandbox.start() is sandbox
    await sandbox.aclose()
    await sandbox.aclose()
    with pytest.raises(RuntimeError, match="once"):
        await sandbox.start()


def test_a_sandbox_that_does_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = Sandbox().url
    with pytest.raises(RuntimeError, match="not running"):
        Sandbox().verification_ids()


async def test_a_taken_port_is_an_error_and_nothing_stays_open() -> None:
    async with Sandbox(verifications=1) as first:
        second = Sandbox(verifications=1, port=first.port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()


async def test_the_log_can_be_read_after_closing() -> None:
    async with serving() as client:
        await client.get("/webhooks")
    assert len(client.sandbox.arrivals) == 1


async def test_closing_does_not_wait_for_answers_that_are_held_back() -> None:
    async with asyncio.timeout(3), aiohttp.ClientSession() as http:
        sandbox = await Sandbox(verifications=1).start()
        sandbox.delay(60)
        arrived = asyncio.Event()
        sandbox.on_request(lambda _: arrived.set())
        waiting = asyncio.create_task(http.get(sandbox.url))
        await arrived.wait()
        await sandbox.aclose()
        with pytest.raises(aiohttp.ClientError):
            await waiting


async def test_idle_connections_are_closed_after_the_keepalive_timeout() -> None:
    async with serving(keepalive_timeout=0.05) as client:
        reader, writer = await asyncio.open_connection(client.sandbox.host, client.sandbox.port)
        writer.write(b"GET /v2/webhooks HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(3):
            answered = await reader.read()  # until the server hangs up
        assert answered.startswith(b"HTTP/1.1 401")
        writer.close()
        await writer.wait_closed()


async def test_the_database_can_be_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    async with serving(database=str(path)):
        pass
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM verifications").fetchone() == (12,)
    database.close()
    with pytest.raises(FileExistsError, match="exists"):
        await Sandbox(database=str(path)).start()
