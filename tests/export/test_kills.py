"""After ``kill -9`` at any moment the same export goes on, and makes the same file in the end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from harbour_async.sandbox import Sandbox
from tests.export.killing import FORMATS
from tests.export.support import names, served


async def killed(server: Sandbox, folder: Path, *args: object) -> dict[str, int]:
    """How often exports of each format were killed; what they made is in the folder."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.export.killing",
        server.url, server.api_key, str(folder), *map(str, args),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await child.communicate()
    assert child.returncode == 0
    found: dict[str, int] = json.loads(output)
    return found


KILLS = [12, 40] if os.environ.get("HARBOUR_LONG_TESTS") else [12]


@pytest.mark.parametrize("kills", KILLS)
async def test_exports_killed_at_random_moments_make_the_same_files(
    kills: int, tmp_path: Path
) -> None:
    async with served(320) as (sandbox, _):
        found = await killed(sandbox, tmp_path, kills, kills)
    assert all(found[form] for form in FORMATS)
    made = [path for path in tmp_path.iterdir() if path.name.startswith("done-")]
    assert names(tmp_path) == sorted(
        [*(path.name for path in made), *(f"whole.{form}" for form in FORMATS)]
    )
    for path in made:
        whole = tmp_path / f"whole{path.suffix}"
        if path.suffix == ".parquet":
            read = pyarrow.parquet.read_table
            assert read(path).equals(read(whole))
        else:
            assert path.read_bytes() == whole.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


async def test_exports_that_are_killed_and_go_on_respect_the_limit_over_all_runs(
    tmp_path: Path,
) -> None:
    """A new process would send a burst at once if it did not know what earlier ones sent."""
    async with Sandbox(verifications=900, rate_limit=10, per=1.0) as sandbox:
        found = await killed(sandbox, tmp_path, 1, 5, 10)
        assert found["jsonl"] >= 3
        assert sandbox.rejections == 0
        assert sandbox.max_in_window(1.0) <= 10
