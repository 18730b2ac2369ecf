"""The event loop and the process in which a budget is used (docs/budget.md, "Event loops")."""

from __future__ import annotations

import asyncio
import os
import time

from harbour_async.errors import ConfigurationError

_LAG = 60.0
"""Seconds that a loop's clock may be behind: uvloop reads the time once in each turn."""


class LoopBinding:
    """Binds a budget to one event loop at a time. Another can follow when that one is closed."""

    __slots__ = ("_monotonic", "_pid", "loop")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        self._monotonic = False

    def holds_for(self, loop: asyncio.AbstractEventLoop) -> bool:
        # A forked child can run the loop object of its parent, so the loop alone is not enough.
        return loop is self.loop and os.getpid() == self._pid

    def bind(self, loop: asyncio.AbstractEventLoop) -> float:
        """Go on in ``loop``; the seconds that turn a time of the last loop into one of this loop.

        Raises ConfigurationError while the last loop is still open.
        """
        last, forked = self.loop, os.getpid() != self._pid
        if last is not None and not forked and not last.is_closed():
            raise ConfigurationError(
                "this budget belongs to another event loop, which is still open: make one budget "
                "for each loop, or a RedisBudget for each with the same key"
            )
        monotonic = _tells_monotonic(loop)
        # Two loops that both tell time.monotonic() need no shift. Taking the difference of two
        # readings instead would add their lag, and a slot would be free too early by that.
        # Other clocks (a test's) stand still when their loop is closed, so a slot is free late.
        same_clock = last is None or (monotonic and self._monotonic)
        shift = 0.0 if same_clock or last is None else loop.time() - last.time()
        self.loop, self._pid, self._monotonic = loop, os.getpid(), monotonic
        return shift


def _tells_monotonic(loop: asyncio.AbstractEventLoop) -> bool:
    loop_time = loop.time()  # read first, so that the true time is never earlier
    return 0.0 <= time.monotonic() - loop_time < _LAG
