"""How random tests are run, how much the tests tried, and a low price for measuring coverage."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

# The same commit gets the same examples, and a busy machine does not fail a test.
settings.register_profile(
    "tests",
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# Other examples each time, and many more of them where a test says so.
settings.register_profile("long", settings.get_profile("tests"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Pause the measurement of coverage while an exhaustive test runs.

    Such a test runs the same lines thousands of times, which ordinary tests run as well. Traced, it
    takes three times as long and adds nothing to the figure.
    """
    # Only a run that measures has imported it: the suite also runs where it is not installed.
    coverage = sys.modules.get("coverage")
    measurement = coverage.Coverage.current() if coverage else None
    if measurement is None or item.get_closest_marker("exhaustive") is None:
        return (yield)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # for its child processes
        measurement.stop()
        try:
            return (yield)
        finally:
            measurement.start()


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
