"""Progress of walks on stderr: bars on a terminal, plain lines elsewhere.

The remaining time takes the budget into account. All text is ASCII, so that any terminal can show
it; rich draws the bars in ASCII where it has to.
"""

from __future__ import annotations

import asyncio
import math
import time
from types import TracebackType
from typing import Self

from attrs import define
from rich.console import Console
from rich.progress import BarColumn, Progress as Bars, TaskID, TextColumn

from harbour_async.budget import Budget, BudgetSnapshot
from harbour_async.cli._listing import plural
from harbour_async.pagination import PagingReport

_LINE_EVERY = 5.0  # seconds
_TICK = 1.0  # seconds
_NOTICEABLE = 2.0  # seconds: waiting less than this for the budget is its usual pace


@define
class _Walk:
    """One walk as shown; ``began_at`` is how many records it had when it was first shown."""

    began_at: int
    started: float
    report: PagingReport
    bar: TaskID
    next_line: float = 0.0

    @property
    def total(self) -> int | None:
        """None if it is not known."""
        last = self.report.total_last
        return None if last is None else max(last, self.report.yielded)

    @property
    def left(self) -> int:
        return (self.total or self.report.yielded) - self.report.yielded

    @property
    def ended(self) -> bool:
        return self.total is not None and not self.left

    @property
    def count(self) -> str:
        yielded = str(self.report.yielded)
        return yielded if self.total is None else f"{yielded}/{self.total}"

    def pages_left(self) -> int:
        size = self.report.yielded / self.report.pages if self.report.pages else 1
        return math.ceil(self.left / max(1.0, size))

    def at_this_speed(self, now: float) -> float:
        done = self.report.yielded - self.began_at
        return (now - self.started) / done * self.left if done > 0 else 0.0


class Progress:
    """Shows records and pages of each walk, its time to go, and when it waits for the budget."""

    def __init__(self, budget: Budget, console: Console | None = None) -> None:
        self._budget = budget
        self._console = console or Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=max(4, min(40, self._console.width - 52))),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[status]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._walks: dict[str, _Walk] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        self._tick()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._bars.stop()

    def update(self, name: str, report: PagingReport) -> None:
        """Show how far the walk called ``name`` has come."""
        if name not in self._walks:
            bar = self._bars.add_task(name, total=None, count="", status="")
            self._walks[name] = _Walk(report.yielded, time.monotonic(), report, bar)
        self._walks[name].report = report
        self._show(name)

    def _tick(self) -> None:
        """Show that walks wait: while they do, nobody calls ``update``."""
        for name, walk in self._walks.items():
            if not walk.ended:
                self._show(name)
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _show(self, name: str) -> None:
        walk, now = self._walks[name], time.monotonic()
        status = self._status(walk, now)
        done, total, count = walk.report.yielded, walk.total, walk.count
        self._bars.update(walk.bar, completed=done, total=total, count=count, status=status)
        if not self._console.is_terminal and (now >= walk.next_line or walk.ended):
            walk.next_line = now + _LINE_EVERY
            line = f"{name}: {count} records, {plural(walk.report.pages, 'page')}, {status}"
            self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _status(self, walk: _Walk, now: float) -> str:
        if walk.ended:
            return "done"
        snapshot = self._budget.snapshot()
        if snapshot.paused_for >= _NOTICEABLE:
            return f"server said wait: {snapshot.paused_for:.0f} s"
        wait = snapshot.next_free_in or 0.0
        if snapshot.free == 0 and wait >= _NOTICEABLE:
            return f"budget: waits {wait:.0f} s"
        if walk.total is None:
            return "under way"
        pages = sum(walk.pages_left() for walk in self._walks.values())
        return f"{_clock(max(walk.at_this_speed(now), at_the_limit(snapshot, pages)))} to go"


def at_the_limit(snapshot: BudgetSnapshot, requests: int) -> float:
    """How many seconds this many requests take at the budget's pace, which follows its burst."""
    limit = snapshot.limit
    if limit.requests is None:
        return 0.0
    at_once = max(0, limit.burst - snapshot.used)
    return max(0, requests - at_once) * limit.per / limit.requests


def _clock(seconds: float) -> str:
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
