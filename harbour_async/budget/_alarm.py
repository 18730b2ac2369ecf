"""A sleep that can be cut short."""

from __future__ import annotations

import asyncio


def _ring(bell: asyncio.Future[None]) -> None:
    if not bell.done():
        bell.set_result(None)


class Alarm:
    """At most one sleeper; ``ring()`` wakes it, and is forgotten when nobody sleeps."""

    __slots__ = ("_bell",)

    def __init__(self) -> None:
        self._bell: asyncio.Future[None] | None = None

    async def sleep(self, until: float | None) -> None:
        """Until the loop's clock says ``until`` (None: for ever), or until ``ring()``."""
        loop = asyncio.get_running_loop()
        bell = self._bell = loop.create_future()
        timer = None if until is None else loop.call_at(until, _ring, bell)
        try:
            await bell
        finally:
            if timer is not None:
                timer.cancel()

    def ring(self) -> None:
        if self._bell is not None:
            _ring(self._bell)
