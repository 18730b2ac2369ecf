"""How much CPU does importing harbour_async take, compared with importing its dependencies?

The package loads its modules when its first name is asked for, so both are measured: the bare
import, which is what pytest does at every start, and the import that a program does.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

from benchmarks import _harness

BASE = "import aiohttp, aiolimiter, attrs, backoff, cattrs, msgspec"
BARE = "import harbour_async"
USED = "from harbour_async import HarbourSession"


# An installed package is compiled already; a package just edited is after the first run.
COMPILING = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=COMPILING)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    quick = _harness.arguments(__doc__).quick
    turns = 2 if quick else 25
    everything = (BASE, BARE, USED, "pass")
    for code in everything:
        seconds(code)  # compiled once
    runs = [[seconds(code) for code in everything] for _ in range(turns)]
    bare = statistics.median((bare - nil) / (base - nil) for base, bare, _, nil in runs)
    used = statistics.median((used - nil) / (base - nil) for base, _, used, nil in runs)
    print(f"import, medians of {turns} paired runs, the interpreter's own start taken off")
    print("  peer:", BASE)
    _harness.print_figure(BARE, bare, "≤ 1.1", bare <= 1.1)
    _harness.print_figure(USED, used, "≤ 1.15", used <= 1.15)


if __name__ == "__main__":
    main()
