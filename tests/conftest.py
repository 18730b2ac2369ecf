"""Counts what the tests tried, and prints the sums at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

_PREFIX = "tried: "


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Iterator[Counter[str]]:
    """What a test has tried, by kind: ``tried["faults"] += 1``.

    The counts travel with the test's report, so they arrive from other processes too.
    """
    counts: Counter[str] = Counter()
    yield counts
    for kind, number in counts.items():
        record_property(_PREFIX + kind, number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    sums: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                for name, number in report.user_properties:
                    if name.startswith(_PREFIX):
                        sums[name.removeprefix(_PREFIX)] += number
    if sums:
        said = ", ".join(f"{number:,} {kind}" for kind, number in sorted(sums.items()))
        terminalreporter.write_line(f"tried: {said}")
