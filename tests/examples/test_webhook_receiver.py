"""The webhook receiver, as a process that gets deliveries over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp

from harbour_async.sandbox import Sandbox
from harbour_async.sandbox._arrivals import Arrival
from tests.examples.process import TIMEOUT, Service, command, environment, running

SECRET = "s" * 40


def receiving(
    sandbox: Sandbox, folder: Path, token: str = "token"
) -> AbstractAsyncContextManager[Service]:
    return running(
        "webhook_receiver.py",
        folder / token,
        folder=folder,
        key=sandbox.api_key,
        base_url=sandbox.url,
        HOOK_SECRET=SECRET,
    )


async def deliver(client: aiohttp.ClientSession, url: str, body: bytes = b"{}") -> int:
    async with client.post(url, data=body) as answer:
        return answer.status


async def changed(service: Service) -> str:
    """The next change that it handled; the server's own greeting is left out."""
    while not (line := await service.line()).startswith("VERIFICATION"):
        assert line, service.stderr.read_text()
    return line


async def test_a_delivery_with_any_body_makes_it_fetch_what_changed(tmp_path: Path) -> None:
    async with (
        Sandbox(verifications=12, rate_limit=None) as sandbox,
        receiving(sandbox, tmp_path) as service,
        aiohttp.ClientSession() as client,
    ):
        first = {(await changed(service)).split()[0] for _ in range(12)}
        assert first == set(sandbox.verification_ids())
        for body in (b"", b'{"verification_id": "forged"}', b"\xff" * 100_000):
            [key] = sandbox.insert(status="completed")
            assert await deliver(client, f"{service.url}/hooks/{SECRET}", body) == 204
            assert await changed(service) == f"{key} completed"


async def test_a_wrong_path_is_a_404_and_sends_nothing_to_harbour(tmp_path: Path) -> None:
    async with (
        Sandbox(verifications=1, rate_limit=None) as sandbox,
        receiving(sandbox, tmp_path) as service,
        aiohttp.ClientSession() as client,
    ):
        await changed(service)
        for path in ("/hooks/guess", "/hooks/" + "s" * 39, "/hooks/%C3%A9", "/", "/hooks/"):
            assert await deliver(client, service.url + path) == 404
        [key] = sandbox.insert(status="started")
        assert await deliver(client, f"{service.url}/hooks/{SECRET}") == 204
        assert await changed(service) == f"{key} started"
        assert len(sandbox.arrivals) == 2  # one when it started, one for the delivery


async def test_it_answers_at_once_while_harbour_is_slow_and_looks_again_afterwards(
    tmp_path: Path,
) -> None:
    async with Sandbox(verifications=3, rate_limit=None) as sandbox:
        go_on, asked = asyncio.Event(), asyncio.Event()

        @sandbox.on_request
        async def hold(_: Arrival) -> None:
            asked.set()
            await go_on.wait()

        async with receiving(sandbox, tmp_path) as service, aiohttp.ClientSession() as client:
            async with asyncio.timeout(TIMEOUT):
                await asked.wait()
                for _ in range(50):
                    assert await deliver(client, f"{service.url}/hooks/{SECRET}") == 204
            requests = len(sandbox.arrivals)
            go_on.set()
            assert len({await changed(service) for _ in range(3)}) == 3
            [key] = sandbox.insert(status="started")
            assert await deliver(client, f"{service.url}/hooks/{SECRET}") == 204
            assert await changed(service) == f"{key} started"
            assert len(sandbox.arrivals) - requests < 10  # fifty deliveries led to one walk


async def test_a_receiver_that_was_down_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    async with Sandbox(verifications=5, rate_limit=None) as sandbox:
        async with receiving(sandbox, tmp_path) as service:
            assert len({await changed(service) for _ in range(5)}) == 5
            async with asyncio.timeout(TIMEOUT):
                while not (tmp_path / "token").exists():
                    await asyncio.sleep(0.01)
            assert await service.stop() == 0
            assert "Traceback" not in service.stderr.read_text()
        [key] = sandbox.insert(status="started")
        async with receiving(sandbox, tmp_path) as service:
            assert await changed(service) == f"{key} started"


async def test_it_goes_on_after_its_handler_failed(tmp_path: Path) -> None:
    async with (
        Sandbox(verifications=1, rate_limit=None) as sandbox,
        receiving(sandbox, tmp_path, token="missing/token") as service,
        aiohttp.ClientSession() as client,
    ):
        first = await changed(service)
        async with asyncio.timeout(TIMEOUT):
            while "could not be handled" not in service.stderr.read_text():
                await asyncio.sleep(0.01)
        (tmp_path / "missing").mkdir()
        assert await deliver(client, f"{service.url}/hooks/{SECRET}") == 204
        assert await changed(service) == first


async def test_a_secret_that_could_be_guessed_is_refused() -> None:
    process = await asyncio.create_subprocess_exec(
        *command("webhook_receiver.py", "token"),
        env=environment("key", "http://127.0.0.1:1/v2", HOOK_SECRET="short"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"HOOK_SECRET must have" in err


async def test_changes_that_could_not_be_read_to_the_end_come_again(tmp_path: Path) -> None:
    async with Sandbox(verifications=150, rate_limit=None) as sandbox:

        @sandbox.on_request
        def refuse_the_second_page(_: Arrival) -> None:
            if len(sandbox.arrivals) == 2:
                sandbox.fail(403)

        async with receiving(sandbox, tmp_path) as service, aiohttp.ClientSession() as client:
            first = [(await changed(service)).split()[0] for _ in range(100)]
            async with asyncio.timeout(TIMEOUT):
                while sandbox.arrivals[-1].status != 403:
                    await asyncio.sleep(0.01)
            sandbox.calm()
            assert await deliver(client, f"{service.url}/hooks/{SECRET}") == 204
            again = [(await changed(service)).split()[0] for _ in range(150)]
        assert again[:100] == first
        assert set(again) == set(sandbox.verification_ids())
