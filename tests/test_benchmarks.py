"""Every benchmark runs. What it measures is not looked at: a test machine is no place for that."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from benchmarks.__main__ import NAMES

# Peers that only `make bench` installs; a benchmark that cannot do without them says so here.
PEERS = {"stream": ("httpx", "openapi_python_client", "orjson", "pydantic"), "latency": ("orjson",)}


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs(name: str) -> None:
    missing = [peer for peer in PEERS.get(name, ()) if find_spec(peer) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install 'harbour-async[bench]'")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", f"benchmarks.{name}", "--quick"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
