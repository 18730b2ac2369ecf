"""What does ``import harbour_async`` cost beside importing what it stands on?"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks import _harness

BASE = "import aiohttp, aiolimiter, attrs, backoff, cattrs"
OURS = "import harbour_async"


def seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    turns = 2 if quick else 15
    seconds(BASE), seconds(OURS)  # compiled once
    pairs = [(seconds(OURS), seconds(BASE), seconds("pass")) for _ in range(turns)]
    ratio = statistics.median((ours - bare) / (base - bare) for ours, base, bare in pairs)
    print(f"import, medians of {turns} paired runs, the interpreter's own start taken off")
    _harness.verdict("harbour_async / its core dependencies", ratio, "≤ 1.1", ratio <= 1.1)


if __name__ == "__main__":
    main()
