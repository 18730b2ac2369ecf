"""Options, starting and closing."""

from __future__ import annotations

import asyncio
import sqlite3
import time
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
        {"host": ""},
        {"database": None},
        {"clock": "sun"},
        {"api_key": ""},
        {"api_key": "a\nb"},
        {"api_key": " a"},
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


@pytest.mark.parametrize(
    "arguments",
    [
        {"times": 0}, {"times": 1.5}, {"times": "1"}, {"status": 99}, {"status": "503"},
        {"method": 1}, {"path": "webhooks"}, {"headers": ["a"]}, {"headers": {"Retry-After": 1}},
        {"headers": {"a": "b\r\nc: d"}},
    ],
)  # fmt: skip
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


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["verifications", "webhooks", "events"])
async def test_a_start_that_is_cancelled_stops_making_records(kind: str) -> None:
    endless: dict[str, Any] = {kind: 10**12}
    starting = asyncio.create_task(Sandbox(**endless).start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


def test_a_sandbox_that_is_not_running_says_so() -> None:
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


async def test_a_database_file_keeps_everything_between_runs(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.sqlite")
    url = {"destination_url": "https://x.org"}
    async with serving(database=path) as client:
        deleted = client.sandbox.delete(2)
        inserted = client.sandbox.insert(3)
        key = (await client.send("POST", "/webhooks", json=url)).json["webhook_id"]
        hook = (await client.get(f"/webhooks/{key}")).json
        ids = client.sandbox.verification_ids()
    async with serving(database=path, verifications=50, webhooks=9) as client:
        assert client.sandbox.verification_ids() == ids
        assert set(inserted) < set(ids)
        assert not set(deleted) & set(ids)
        assert (await client.get(f"/webhooks/{key}")).json == hook
        assert len(client.sandbox.webhook_ids()) == 3
        [newest] = client.sandbox.insert()
        again = (await client.send("POST", "/webhooks", json=url)).json["webhook_id"]
        assert client.sandbox.verification_ids() == [newest, *ids]
        assert client.sandbox.webhook_ids()[:2] == [again, key]


async def test_a_database_that_was_filled_in_part_is_filled_again(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.sqlite")
    async with serving(database=path) as client:
        ids = client.sandbox.verification_ids()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 0")
    database.execute("DELETE FROM webhooks")
    database.commit()
    database.close()
    async with serving(database=path) as client:
        assert client.sandbox.verification_ids() == ids
        assert len(client.sandbox.webhook_ids()) == 2


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("my notes\n" * 100)
    other = tmp_path / "other.sqlite"
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE verifications (mine)")
    database.close()
    for path in (text, other, tmp_path / "nowhere" / "file"):
        before = path.read_bytes() if path.exists() else None
        with pytest.raises(OSError, match="cannot be the sandbox's database"):
            await Sandbox(database=str(path)).start()
        assert (path.read_bytes() if path.exists() else None) == before


async def test_a_damaged_database_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    async with Sandbox(database=str(path)):
        pass
    content = bytearray(path.read_bytes())
    content[8_192::97] = bytes(len(content[8_192::97]))
    path.write_bytes(content)
    with pytest.raises(OSError, match="cannot be the sandbox's database"):
        await Sandbox(database=str(path)).start()


async def test_two_sandboxes_do_not_share_a_database_file(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.sqlite")
    async with Sandbox(verifications=1, database=path):
        with pytest.raises(OSError, match="locked"):
            await Sandbox(database=path).start()
    async with Sandbox(database=path) as sandbox:
        assert len(sandbox.verification_ids()) == 1


async def test_the_machines_clock_dates_what_happens_after_the_start() -> None:
    before = time.time() * 1000
    async with serving(clock="machine") as client:
        [old, *_] = client.sandbox.verification_ids()
        assert int(old.split("-")[1].split("_")[0]) < before
        [new] = client.sandbox.insert()
        record = (await client.get(f"/verifications/{new}")).json
        assert before - 1 <= record["created_at"] <= time.time() * 1000 + 1
        assert client.sandbox.now == record["created_at"]


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")])
async def test_it_listens_on_the_given_host_and_port(host: str, shown: str) -> None:
    async with serving(host=host) as client:
        assert client.sandbox.url == f"http://{shown}:{client.sandbox.port}/v2"
        assert (await client.get("/webhooks")).status == 200


async def test_closing_ends_open_connections_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    sandbox = await Sandbox(verifications=1, rate_limit=None).start()
    idle, idle_writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    half, half_writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    half_writer.write(b"GET /v2/webhooks HTTP/1.1\r\nHost:")
    held, held_writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    sandbox.delay(60)
    arrived = asyncio.Event()
    sandbox.on_request(lambda _: arrived.set())
    held_writer.write(b"GET /v2/webhooks HTTP/1.1\r\nHost: x\r\n\r\n")
    await arrived.wait()
    async with asyncio.timeout(10):
        await asyncio.gather(sandbox.aclose(), sandbox.aclose())
        assert [await reader.read() for reader in (idle, half, held)] == [b""] * 3
    for writer in (idle_writer, half_writer, held_writer):
        writer.close()
        await writer.wait_closed()
    assert asyncio.all_tasks() == before


async def test_many_requests_at_once_are_all_answered() -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        Sandbox(verifications=300, rate_limit=None, latency=(0, 0.05)) as sandbox,
        aiohttp.ClientSession(connector=connector, headers={"x-api-key": sandbox.api_key}) as http,
    ):

        async def one(number: int) -> int:
            query = {"page": number % 3 + 1, "size": 100}
            async with http.get(f"{sandbox.url}/verifications", params=query) as response:
                return len((await response.json())["items"])

        counts = await asyncio.gather(*map(one, range(300)))
    assert counts == [100] * 300
    assert len(sandbox.arrivals) == 300


async def test_a_callback_can_follow_every_answer() -> None:
    seen: list[tuple[str, int | None]] = []
    async with serving() as client:
        client.sandbox.on_answer(lambda arrival: seen.append((arrival.path, arrival.status)))
        await client.get("/nowhere")
        await client.get("/webhooks")
        client.sandbox.drop(times=2)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await client.get("/webhooks")
        client.sandbox.calm()
        await client.get("/webhooks")
    assert seen == [("/nowhere", 404), ("/webhooks", 200), *[("/webhooks", None)] * 2]
