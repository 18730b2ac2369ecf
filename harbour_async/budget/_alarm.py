"""A sleep that can be cut short."""

from __future__ import annotations

import asyncio


def _ring(bell: asyncio.Future[None]) -> None:
    # A slot may be settled after its loop was closed, by a finalizer. Nobody sleeps there any more.
    if not (bell.done() or bell.get_loop().is_closed()):
        bell.set_result(None)


class Alarm:
    """At most one task sleeps. ``ring()`` wakes it, and does nothing when nobody sleeps."""

    __slots__ = ("_bell",)

    def __init__(self) -> None:
        self._bell: asyncio.Future[None] | None = None

    async def sleep(self, until: float | None) -> None:
        """Sleep until the loop's clock says ``until`` (None: for ever), or until ``ring()``."""
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
