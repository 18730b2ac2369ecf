"""A sleep that can be cut short."""

from __future__ import annotations

import asyncio


def _wake(sleeper: asyncio.Future[None]) -> None:
    # A finalizer may settle a slot after its loop was closed. No task sleeps in that loop any more.
    if not (sleeper.done() or sleeper.get_loop().is_closed()):
        sleeper.set_result(None)


class Alarm:
    """Lets one task sleep. ``wake()`` ends the sleep, and does nothing when no task sleeps."""

    __slots__ = ("_sleeper",)

    def __init__(self) -> None:
        self._sleeper: asyncio.Future[None] | None = None

    async def sleep(self, until: float | None) -> None:
        """Sleep until the loop's clock says ``until`` (None: without end), or until ``wake()``."""
        loop = asyncio.get_running_loop()
        sleeper = self._sleeper = loop.create_future()
        timer = None if until is None else loop.call_at(until, _wake, sleeper)
        try:
            await sleeper
        finally:
            if timer is not None:
                timer.cancel()

    def wake(self) -> None:
        if self._sleeper is not None:
            _wake(self._sleeper)
