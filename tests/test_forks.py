"""A session that a forked child inherits, while its event loop is open in the parent."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from harbour_async import APIConnectionError, ConfigurationError, HarbourSession, RateLimit
from harbour_async.sandbox import Sandbox
from tests.budget.forks import in_a_fork


@asynccontextmanager
async def used() -> AsyncIterator[tuple[list[HarbourSession], str]]:
    """A session with an open connection, and an id."""
    async with Sandbox(verifications=2) as sandbox:
        session = HarbourSession(
            sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited(), timeout=20
        )
        box, own_id = [session], sandbox.verification_ids()[0]
        del session
        await box[0].verifications.get(own_id)
        try:
            yield box, own_id
        finally:
            await box[0].aclose()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("same_loop", [True, False])
def test_a_forked_child_does_not_use_the_connections_of_its_parent(
    same_loop: bool, loop: asyncio.AbstractEventLoop
) -> None:
    """Two processes that read from one connection get each other's answers."""
    context = used()
    box, own_id = loop.run_until_complete(context.__aenter__())

    async def refused() -> None:
        with pytest.raises(ConfigurationError, match="make a session in the child"):
            await box[0].verifications.get(own_id)
        with pytest.raises(ConfigurationError, match="make a session in the child"):
            await box[0].verifications.list().to_list()
        with pytest.raises(ConfigurationError, match="in the process in which it was used"):
            await box[0].aclose()

    def child() -> None:
        if same_loop:
            loop.run_until_complete(refused())
        else:
            asyncio.run(refused())

    in_a_fork(child)
    loop.run_until_complete(context.__aexit__(None, None, None))


def test_the_parent_gets_answers_after_a_forked_child_dropped_the_session(
    loop: asyncio.AbstractEventLoop,
) -> None:
    context = used()
    box, own_id = loop.run_until_complete(context.__aenter__())

    def child() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            box.clear()
            gc.collect()

    in_a_fork(child)
    found = loop.run_until_complete(box[0].verifications.get(own_id))
    assert found.verification_id == own_id
    loop.run_until_complete(context.__aexit__(None, None, None))


def test_a_session_whose_loop_was_closed_before_the_fork_may_be_used_in_the_child() -> None:
    async def once() -> list[HarbourSession]:
        async with Sandbox(verifications=2) as sandbox:
            session = HarbourSession(
                sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited(), retry=1
            )
            await session.verifications.page()
            return [session]

    with warnings.catch_warnings():
        # asyncio warns of the socket that was open when the loop was closed.
        warnings.simplefilter("ignore", ResourceWarning)
        (session,) = asyncio.run(once())

        async def again() -> None:
            with pytest.raises(APIConnectionError):  # it is sent, but the server is gone
                await session.verifications.page()
            await session.aclose()

        in_a_fork(lambda: asyncio.run(again()))
        asyncio.run(again())
        gc.collect()
