"""Every benchmark runs. Its figures are not checked: a test machine is too busy to measure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.__main__ import NAMES


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", f"benchmarks.{name}", "--quick"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
