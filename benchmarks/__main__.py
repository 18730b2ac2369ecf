"""``python -m benchmarks [--quick] [NAME ...]``: every benchmark, or those that are named."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a short run; its figures mean nothing"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    for name in asked.names or NAMES:
        print(f"== {name}", flush=True)
        quick = ["--quick"] if asked.quick else []
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *quick], check=True)


if __name__ == "__main__":
    main()
