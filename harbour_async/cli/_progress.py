"""Progress of walks on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as Bars,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from harbour_async.budget import Budget
from harbour_async.pagination import PagingReport

_LINE_EVERY = 1.0  # seconds


class Progress:
    """Shows records, pages, requests left in the budget's window, and the time to go."""

    def __init__(self, budget: Budget, console: Console | None = None) -> None:
        self._budget = budget
        self._console = console or Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description:>14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("records · {task.fields[pages]} pages · {task.fields[left]} requests left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started = time.monotonic()
        self._next_line: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def update(self, name: str, report: PagingReport) -> None:
        """Tell how far the walk called ``name`` has come."""
        total = max(report.total_last or 0, report.yielded)
        left = self._budget.snapshot().free
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total, pages=0, left=left)
        self._bars.update(
            self._tasks[name], completed=report.yielded, total=total, pages=report.pages, left=left
        )
        if not self._console.is_terminal:
            self._line(name, report, total, left)

    def _line(self, name: str, report: PagingReport, total: int, left: int | None) -> None:
        now = time.monotonic()
        if now < self._next_line.get(name, 0.0) and report.yielded < total:
            return
        self._next_line[name] = now + _LINE_EVERY
        elapsed = now - self._started
        eta = elapsed / report.yielded * (total - report.yielded) if report.yielded else 0.0
        self._console.print(
            f"{name}: {report.yielded}/{total} records, {report.pages} pages, "
            f"{left} requests left, {eta:.0f} s to go",
            soft_wrap=True,
            highlight=False,
        )
