"""``kill -9`` at any byte: the same export goes on, and its file is that of an undisturbed run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.export.killing import FORMATS
from tests.export.support import names, served

KILLS = [12, 40] if os.environ.get("HARBOUR_LONG_TESTS") else [12]


@pytest.mark.parametrize("kills", KILLS)
async def test_exports_killed_at_random_moments_make_the_same_files(
    kills: int, tmp_path: Path
) -> None:
    async with served(320) as (sandbox, _):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.export.killing",
            sandbox.url, sandbox.api_key, str(tmp_path), str(kills), str(kills),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await child.communicate()
    assert child.returncode == 0
    killed = json.loads(output)
    assert all(killed[form] for form in FORMATS)
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
