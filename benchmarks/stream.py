"""How much CPU does a typed stream take, compared with untyped, pydantic and generated clients?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import _harness
from benchmarks._plot import bars
from benchmarks._server import served

SPECIFICATION = Path(__file__).with_name("openapi.json")

# ours, peer, goal, what it means
GOALS = [
    ("typed", "untyped", 0.75, "typed / aiohttp + orjson.loads, records dropped"),
    ("typed_kept", "untyped_kept", 0.45, "the same, all records kept until the end"),
    ("proved", "untyped", 1.0, "proved complete / untyped plain pages, dropped"),
    ("typed_all", "untyped_all", 1.3, "typed, every field and payload read, dropped"),
    ("typed_all_kept", "untyped_all_kept", 1.3, "the same, all records kept"),
    ("typed", "pydantic", 0.2, "typed / httpx + pydantic"),
    ("typed", "generated", 0.2, "typed / openapi-python-client"),
]
CONTENDERS = {
    "typed": "harbour_async, plain pages",
    "proved": "harbour_async, proved complete",
    "untyped": "aiohttp + orjson.loads",
    "pydantic": "httpx + pydantic",
    "generated": "openapi-python-client",
    "typed_all": "harbour_async, all fields read",
    "untyped_all": "aiohttp + orjson, all fields read",
    "typed_kept": "harbour_async, kept",
    "untyped_kept": "aiohttp + orjson, kept",
    "typed_all_kept": "harbour_async, all fields read, kept",
    "untyped_all_kept": "aiohttp + orjson, all fields read, kept",
}
PLOT = Path(__file__).parent.parent / "docs" / "stream.svg"


def generate(folder: Path) -> None:
    """Generate a client with openapi-python-client from a minimal document."""
    target = folder / "harbour_listing_client"
    config = folder / "config.yml"
    config.write_text("package_name_override: harbour_listing_client\npost_hooks: []\n")
    generator = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    paths = ["--path", SPECIFICATION, "--config", config, "--output-path", target]
    subprocess.run(
        [*generator, *map(str, paths)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def measure(records: int, times: int) -> dict[str, list[_harness.Figures]]:
    with served(records) as url, tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        return _harness.rounds(
            "benchmarks._streams", list(CONTENDERS), url, records, folder, times=times
        )


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    records, times = (500, 1) if quick else (50_000, 7)
    results = measure(records, times)
    title = f"CPU per record, {records:,} records ({_harness.machine()})"
    cpu = {
        label: _harness.median(results[name], "cpu") / records * 1e6
        for name, label in CONTENDERS.items()
    }
    print(title)
    for label, microseconds in cpu.items():
        print(f"  {label:<36} {microseconds:8.2f} µs")
    if not quick:
        bars(PLOT, title, cpu, ours="harbour_async", unit="µs")
    print(f"ratios, medians of {times} paired rounds")
    for ours, peer, goal, meaning in GOALS:
        ratio = _harness.median_ratio(results, ours, peer, "cpu")
        _harness.print_figure(meaning, ratio, f"≤ {goal}", ratio <= goal)


if __name__ == "__main__":
    main()
