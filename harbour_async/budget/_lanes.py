"""The calls that wait, and which of them is next."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

from harbour_async._frames import separate
from harbour_async.budget._snapshot import Waiting
from harbour_async.settings import Priority

if TYPE_CHECKING:
    from harbour_async.budget._slot import Slot

_Lane: TypeAlias = "OrderedDict[asyncio.Future[Slot], float]"  # waiter → deadline

BULK_SHARE = 5
"""While both lanes wait, one grant in this many is bulk's, so that bulk never starves."""


class Lanes:
    """Two queues of waiters: interactive before bulk, first come first served in each.

    Joining, leaving and serving are O(1): a waiter that gives up leaves its queue at once,
    also from the middle of ten thousand. (docs/budget.md, "Bursts, pace and lanes")
    """

    __slots__ = ("_bulk", "_interactive", "_overtaken")

    def __init__(self) -> None:
        self._interactive: _Lane = OrderedDict()
        self._bulk: _Lane = OrderedDict()
        self._overtaken = 0  # interactive grants in a row while bulk waited

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def waiting(self) -> Waiting:
        return Waiting(interactive=len(self._interactive), bulk=len(self._bulk))

    def push(
        self, priority: Priority, waiter: asyncio.Future[Slot], deadline: float | None
    ) -> None:
        lane = self._bulk if priority is Priority.BULK else self._interactive
        lane[waiter] = math.inf if deadline is None else deadline

    def discard(self, waiter: asyncio.Future[Slot]) -> None:
        self._interactive.pop(waiter, None)
        self._bulk.pop(waiter, None)

    def pop(self) -> asyncio.Future[Slot] | None:
        """The next waiter that still waits."""
        while self:
            lane = self._next_lane()
            waiter, _ = lane.popitem(last=False)
            # A cancelled waiter stays here until its task runs, which removes it. A slot given
            # to it in between would be lost.
            if not waiter.done():
                self._count(lane)
                return waiter
        return None

    def _next_lane(self) -> _Lane:
        bulk_is_due = not self._interactive or self._overtaken >= BULK_SHARE - 1
        return self._bulk if self._bulk and bulk_is_due else self._interactive

    def _count(self, granted: _Lane) -> None:
        # Interactive grants made while no bulk waited do not count against bulk's share.
        self._overtaken = self._overtaken + 1 if granted is self._interactive and self._bulk else 0

    def ahead_of(self, priority: Priority) -> int:
        """How many are served before a call made now, if none gives up and none comes later."""
        interactive, bulk = self.waiting()
        if priority is Priority.BULK:
            # `bulk + 1` grants of bulk are still to come, each after at most BULK_SHARE - 1
            # interactive ones, less those that were already made for the first of them.
            overtaking = (BULK_SHARE - 1) * (bulk + 1) - self._overtaken
            return bulk + min(interactive, overtaking)
        # After each BULK_SHARE - 1 interactive grants one of bulk's comes in between.
        return interactive + min(bulk, (self._overtaken + interactive) // (BULK_SHARE - 1))

    def hopeless(self, earliest: float) -> list[asyncio.Future[Slot]]:
        """Those whose deadline comes before ``earliest``."""
        lanes = (self._interactive, self._bulk)
        return [waiter for lane in lanes for waiter, end in lane.items() if end < earliest]

    def clear(self) -> None:
        """Forget all waiters: their event loop is closed."""
        self._interactive.clear()
        self._bulk.clear()

    def fail(self, error: Exception) -> None:
        """End every wait with ``error``."""
        while (waiter := self.pop()) is not None:
            waiter.set_exception(separate(error))
