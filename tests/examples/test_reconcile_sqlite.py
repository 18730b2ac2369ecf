"""The example that keeps an SQLite table in step, run as a user would run it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import closing
from pathlib import Path

import pytest

from examples.reconcile_sqlite import keep_in_step
from harbour_async import HarbourSession, IncompleteListingError, RateLimit
from harbour_async.sandbox import Sandbox
from harbour_async.sandbox._arrivals import Arrival

EXAMPLE = Path(__file__).parents[2] / "examples" / "reconcile_sqlite.py"


async def started(sandbox: Sandbox, path: Path) -> Process:
    env = {**os.environ, "HARBOUR_API_KEY": sandbox.api_key, "HARBOUR_BASE_URL": sandbox.url}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), str(path), env=env, stdout=PIPE, stderr=PIPE
    )


async def run(sandbox: Sandbox, path: Path) -> str:
    process = await started(sandbox, path)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().strip()


def table(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as database:
        return dict(database.execute("SELECT id, status FROM verifications"))


async def listed(sandbox: Sandbox) -> dict[str, str]:
    limit = RateLimit.unlimited()
    async with HarbourSession(sandbox.api_key, base_url=sandbox.url, rate_limit=limit) as session:
        return {v.verification_id: str(v.status) async for v in session.verifications.list()}


async def test_the_table_is_kept_in_step_deletions_included(tmp_path: Path) -> None:
    path = tmp_path / "harbour.db"
    async with Sandbox(verifications=450, rate_limit=None) as sandbox:
        assert await run(sandbox, path) == "450 missing"
        assert table(path) == await listed(sandbox)
        assert await run(sandbox, path) == ""
        sandbox.delete(20)
        sandbox.update(sandbox.verification_ids()[7], status="completed", result="rejected")
        sandbox.insert(5)
        assert await run(sandbox, path) == "1 changed, 20 extra, 5 missing"
        assert table(path) == await listed(sandbox)


async def test_the_run_after_a_killed_one_does_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "harbour.db"
    async with Sandbox(verifications=900, rate_limit=None) as sandbox:
        process = await started(sandbox, path)

        @sandbox.on_request
        async def crash(_: Arrival) -> None:
            if len(sandbox.arrivals) >= 6:
                while not (path.exists() and table(path)):
                    await asyncio.sleep(0.01)
                process.send_signal(signal.SIGKILL)
                await process.wait()

        await process.communicate()
        assert process.returncode == -signal.SIGKILL
        sandbox.calm()
        assert 0 < len(table(path)) < 900
        sandbox.delete([next(iter(table(path)))])
        assert "1 extra" in await run(sandbox, path)
        assert table(path) == await listed(sandbox)


async def test_an_unproved_listing_deletes_nothing_and_writes_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "harbour.db"
    async with Sandbox(verifications=230, rate_limit=None) as sandbox:
        await run(sandbox, path)
        [gone, *_] = sandbox.delete(10)
        [new] = sandbox.insert()
        limit = RateLimit.unlimited()
        async with HarbourSession(
            sandbox.api_key, base_url=sandbox.url, rate_limit=limit
        ) as harbour:
            pager = harbour.verifications.list(complete=False)
            monkeypatch.setattr(harbour.verifications, "list", lambda: pager)
            with pytest.raises(ExceptionGroup) as caught:
                await keep_in_step(harbour, str(path))
        assert caught.group_contains(IncompleteListingError)
        assert {gone, new} <= set(table(path))
