"""Runs contenders in turn, each in a fresh process, and prints medians of paired ratios.

A machine's speed drifts. So every round runs all contenders one after the other, ratios are taken
within a round, where the drift is small, and the result is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence

Figures = Mapping[str, float]


def arguments(about: str | None) -> argparse.Namespace:
    """Whether ``--quick`` was given: a run of seconds, whose figures mean nothing."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--quick", action="store_true", help="a short run; its figures mean nothing"
    )
    return parser.parse_args()


def machine() -> str:
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPUs"
    )


def run_child(module: str, *args: object) -> Figures:
    """The JSON figures that ``python -m module args`` prints on its last line."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, args)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def rounds(
    module: str, contenders: Sequence[str], *args: object, times: int
) -> dict[str, list[Figures]]:
    """``times`` rounds of all contenders; several come after one that is not counted."""
    results: dict[str, list[Figures]] = {name: [] for name in contenders}
    for _ in range(times + (times > 1)):
        for name in contenders:
            results[name].append(run_child(module, name, *args))
    return {name: runs[-times:] for name, runs in results.items()}


def median_ratio(
    results: Mapping[str, Sequence[Figures]], ours: str, peer: str, figure: str
) -> float:
    return statistics.median(
        a[figure] / b[figure] for a, b in zip(results[ours], results[peer], strict=True)
    )


def median(results: Sequence[Figures], figure: str) -> float:
    return statistics.median(run[figure] for run in results)


def print_figure(name: str, ratio: float, goal: str, met: bool) -> None:
    print(f"  {name:<58} {ratio:6.2f}   goal {goal:<8} {'met' if met else 'MISSED'}")
