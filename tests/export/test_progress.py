"""The text of progress bars and lines."""

from __future__ import annotations

import io
import os
import pty
from contextlib import suppress
from typing import Any

import pytest
from rich.console import Console

from harbour_async import Budget, PagingReport, RateLimit
from harbour_async.cli._progress import Progress, at_the_limit


def shown(budget: Budget, *reports: PagingReport, **options: Any) -> list[str]:
    """The lines of progress on something that is not a terminal."""
    output = io.StringIO()
    with Progress(budget, Console(file=output, **options)) as progress:
        for report in reports:
            progress.update("verifications", report)
    return output.getvalue().splitlines()


async def test_without_a_terminal_there_are_plain_lines() -> None:
    first = PagingReport(pages=1, yielded=100, total_last=200)
    last = PagingReport(pages=2, yielded=200, total_last=200)
    lines = shown(Budget(RateLimit.unlimited()), first, last)
    assert lines[0].startswith("verifications: 100/200 records, 1 page, ")
    assert lines[-1] == "verifications: 200/200 records, 2 pages, done"


async def test_the_time_to_go_takes_the_pace_of_the_budget_into_account() -> None:
    """The first 20 go at once, and the others at 100 in a minute."""
    snapshot = Budget(RateLimit(100, per=60)).snapshot()
    assert at_the_limit(snapshot, 190) == pytest.approx(102)
    assert at_the_limit(snapshot, 20) == 0
    report = PagingReport(pages=10, yielded=1000, total_last=20_000)
    (line,) = shown(Budget(RateLimit(100, per=60)), report)
    assert line.endswith("1:42 to go")


async def test_the_time_to_go_is_true_when_the_burst_is_spent() -> None:
    """Most slots of the minute are free then, but they are not granted at once."""
    budget = Budget(RateLimit(100, per=60))
    for _ in range(20):
        (await budget.acquire()).answered()
    assert budget.snapshot().free == 80
    (line,) = shown(budget, PagingReport(pages=20, yielded=2000, total_last=3000))
    assert line.endswith("0:06 to go")


async def test_it_says_when_it_waits_for_the_budget() -> None:
    budget = Budget(RateLimit(1, per=60))
    (await budget.acquire()).answered()
    (line,) = shown(budget, PagingReport(pages=1, yielded=100, total_last=200))
    assert line.endswith("budget: waits 60 s")


async def test_it_says_when_the_server_made_it_wait() -> None:
    budget = Budget()
    budget.pause(30)
    (line,) = shown(budget, PagingReport(pages=1, yielded=100, total_last=200))
    assert line.endswith("server said wait: 30 s")


async def test_a_walk_of_unknown_length_has_no_time_to_go() -> None:
    (line,) = shown(Budget(), PagingReport(pages=1, yielded=100))
    assert line == "verifications: 100 records, 1 page, under way"


async def test_the_bars_fit_sixty_columns_in_ascii() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="ascii") as terminal:
        console = Console(file=terminal, width=60, force_terminal=True)
        with Progress(Budget(RateLimit(1, per=60)), console) as progress:
            report = PagingReport(pages=1234, yielded=123_400, total_last=200_000)
            progress.update("verifications", report)
    output = everything(master).decode("ascii")
    assert "verifications" in output
    assert "123400/200000" in output
    assert "to go" in output


def everything(master: int) -> bytes:
    """What was written to a terminal that is closed now."""
    output = b""
    with os.fdopen(master, "rb", buffering=0) as file, suppress(OSError):
        while data := file.read(4096):
            output += data
    return output
