"""The services in front of Harbour, each as a process that clients speak to over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harbour_async.sandbox import Sandbox
from harbour_async.sandbox._arrivals import Arrival
from tests.examples.process import TIMEOUT, Service, running

EXPORTING = ["fastapi_service.py", "aiohttp_service.py"]
ALL = [*EXPORTING, "litestar_service.py"]

SHOWN = ["created_at", "result", "status", "updated_at", "verification_id", "verification_type"]


def serving(
    script: str, sandbox: Sandbox, folder: Path, **env: str
) -> AbstractAsyncContextManager[Service]:
    key, url = sandbox.api_key, sandbox.url
    return running(script, folder=folder, key=key, base_url=url, **env)


async def get(client: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with client.get(url) as answer:
        return answer.status, await answer.json(content_type=None) if answer.ok else None


@pytest.mark.parametrize("script", ALL)
async def test_a_record_is_shown_and_an_unknown_one_is_a_404(script: str, tmp_path: Path) -> None:
    async with Sandbox(verifications=120, rate_limit=None) as sandbox:
        mine = {"verification_metadata": {"internal_id": "mine"}}
        keys = sandbox.insert(2, status="completed", result="verified", **mine)
        async with (
            serving(script, sandbox, tmp_path) as service,
            aiohttp.ClientSession() as client,
        ):
            status, record = await get(client, f"{service.url}/verifications/{keys[0]}")
            assert status == 200
            assert (record["verification_id"], record["status"]) == (keys[0], "completed")
            assert record["created_at"].startswith("2023-")
            listed = await get(client, f"{service.url}/people/mine/verifications")
            assert {row["verification_id"] for row in listed[1]} == set(keys)
            assert record in listed[1] or script == "litestar_service.py"  # lists leave fields out
            assert (await get(client, f"{service.url}/verifications/nobody"))[0] == 404
            assert sorted(record) == SHOWN or script == "litestar_service.py"  # it shows all fields


@pytest.mark.parametrize("script", EXPORTING)
async def test_the_message_of_a_harbour_error_is_not_passed_on(script: str, tmp_path: Path) -> None:
    async with Sandbox(verifications=1, rate_limit=None) as sandbox:
        sandbox.fail(403, body="the records of Jane Doe", times=None)
        async with (
            serving(script, sandbox, tmp_path) as service,
            aiohttp.ClientSession() as client,
            client.get(f"{service.url}/verifications/some") as answer,
        ):
            assert answer.status == 502
            assert "Jane" not in await answer.text()


@pytest.mark.parametrize("script", EXPORTING)
async def test_requests_go_before_an_export_in_the_same_process(
    script: str, tmp_path: Path
) -> None:
    """Four requests, one after the other, each while pages of the export wait for their turn.

    If turns were first come, first served, each would have to wait for four pages.
    """
    async with Sandbox(verifications=4_000) as sandbox:  # 40 pages, of which 20 go at once
        target = tmp_path / "export.jsonl"
        async with (
            serving(script, sandbox, tmp_path, EXPORT_PATH=str(target)) as service,
            aiohttp.ClientSession() as client,
        ):
            async with client.put(f"{service.url}/export") as answer:
                assert answer.status == 202
            async with asyncio.timeout(TIMEOUT):
                while len(sandbox.arrivals) < 20:
                    await asyncio.sleep(0.01)
            before = len(sandbox.arrivals)
            one = sandbox.verification_ids()[0]
            for _ in range(4):
                assert (await get(client, f"{service.url}/verifications/{one}"))[0] == 200
            pages = sum(a.path == "/verifications" for a in sandbox.arrivals[before:])
            assert pages <= 8
            assert await state(client, service) == "running"
        assert sandbox.rejections == 0


@pytest.mark.parametrize("script", EXPORTING)
async def test_sigterm_ends_an_export_and_the_next_one_goes_on_from_there(
    script: str, tmp_path: Path
) -> None:
    target = tmp_path / "export.jsonl"
    async with Sandbox(verifications=900, rate_limit=None) as sandbox:
        for stopped in (True, False):
            async with (
                serving(script, sandbox, tmp_path, EXPORT_PATH=str(target)) as service,
                aiohttp.ClientSession() as client,
            ):
                sandbox.reset_log()
                if stopped:
                    sandbox.on_request(hold_from_the_sixth_on(sandbox))
                async with client.put(f"{service.url}/export") as answer:
                    assert answer.status == 202
                async with asyncio.timeout(TIMEOUT):
                    while stopped and len(sandbox.arrivals) < 6:
                        await asyncio.sleep(0.01)
                    while not stopped and await state(client, service) == "running":
                        await asyncio.sleep(0.05)
                assert await state(client, service) == ("running" if stopped else "done")
                await client.close()  # otherwise the service waits for its idle connection
                assert await service.stop() in (0, -15)  # uvicorn ends by the signal it was sent
                assert "Traceback" not in service.stderr.read_text()
                assert target.exists() is not stopped
                sandbox.calm()
        assert len(sandbox.arrivals) < 9  # the whole export takes ten
    assert len(target.read_text().splitlines()) == 900


async def state(client: aiohttp.ClientSession, service: Service) -> str:
    status, answer = await get(client, f"{service.url}/export")
    assert status == 200
    return str(answer["state"])


def hold_from_the_sixth_on(sandbox: Sandbox) -> Callable[[Arrival], Awaitable[None]]:
    async def hold(_: Arrival) -> None:
        if len(sandbox.arrivals) >= 6:
            await asyncio.Event().wait()

    return hold


@pytest.mark.parametrize("script", EXPORTING)
@pytest.mark.parametrize("path", ["/verifications/one", "/people/one/verifications"])
async def test_a_client_that_hangs_up_cancels_its_call_to_harbour(
    script: str, path: str, tmp_path: Path
) -> None:
    async with (
        silent() as api,
        running(script, folder=tmp_path, key="key", base_url=api.url) as service,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode())
        async with asyncio.timeout(9):  # its own deadline is ten seconds
            await api.asked.wait()
            writer.close()
            await api.hung_up.wait()
        assert api.connections == 1


class Silent:
    """Stands for Harbour, and never answers."""

    def __init__(self) -> None:
        self.connections = 0
        self.asked, self.hung_up = asyncio.Event(), asyncio.Event()
        self.url = ""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await reader.read()  # until the client is gone
        self.hung_up.set()
        writer.close()


@asynccontextmanager
async def silent() -> AsyncIterator[Silent]:
    api = Silent()
    server = await asyncio.start_server(api.connected, "127.0.0.1", 0)
    async with server:
        api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2"
        yield api
