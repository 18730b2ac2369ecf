"""The slots: at most ``requests`` at once, and why that keeps the promise.

A slot is free again ``per`` seconds after the answer, never before. A request that was answered
at time ``a`` arrived at the server before ``a``, whatever the network did. The next request in
its slot leaves after ``a + per``, so it arrives more than ``per`` seconds later. With one slot for
each permitted request no window of ``per`` seconds can see more of them (docs/budget.md, "The
promise").
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from harbour_async.budget._alarm import Alarm
from harbour_async.budget._slot import Slot

MIN_FLIGHT = 1.0
"""Seconds for which an aborted request may still be under way, if no answer ever took longer."""

OnPause = Callable[[float], None]
"""Is told, in loop time, until when a pause lasts that another process began."""


def guarded(per: float) -> float:
    """``per``, and a little: 100 ppm for clocks that run apart, 1 ms for a server that rounds.

    It also keeps a server that counts both ends of its window from seeing the ends coincide.
    """
    return per * 1.0001 + 0.001


class Outlook(NamedTuple):
    """A ledger at one moment; ``next_free_at`` is in loop time, None if not known yet."""

    used: int
    free: int | None
    next_free_at: float | None


class Ledger(Protocol):
    """Hands out slots. All its times are those of the loop that it was last bound to."""

    @property
    def per_process(self) -> bool:
        """Whether another process with the same ledger would have the whole limit again."""

    def bind(self, loop: asyncio.AbstractEventLoop, shift: float, on_pause: OnPause) -> None:
        """Go on in ``loop``; ``shift`` turns a time of the last loop into one of this loop.

        Nobody sleeps in the last loop any more. What was in flight there is given up.
        """

    def take(self) -> Slot | None:
        """A slot at once, or None."""

    async def reserve(self) -> Slot:
        """A slot, as soon as there is one."""

    def earliest(self, turn: int) -> float:
        """The time before which the ``turn``-th slot from now cannot be had."""

    def outlook(self) -> Outlook: ...
    def pause(self, seconds: float) -> None:
        """Tell other processes of a pause, if there are any."""

    def recent(self) -> list[float]:
        """See ``Budget.recent``."""

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """See ``Budget.remember``."""

    async def aclose(self) -> None: ...


class LocalLedger:
    """The slots of one process: requests in flight, and times at which the answered are free.

    With no more than ``connections`` in flight, a slot is taken only when a connection is there to
    use it at once.
    """

    per_process = True

    def __init__(self, requests: int, per: float, connections: int | None = None) -> None:
        self._requests = requests
        self._connections = requests if connections is None else connections
        self._per = guarded(per)
        self._in_flight: set[Slot] = set()
        self._cooling: list[float] = []  # when each answered slot is free; sorted
        self._flight = MIN_FLIGHT
        self._returned = Alarm()

    def bind(
        self,
        loop: asyncio.AbstractEventLoop,
        shift: float,
        on_pause: OnPause,  # noqa: ARG002 - no other process pauses this one
    ) -> None:
        self._time = loop.time
        self._returned = Alarm()
        self._cooling = [until + shift for until in self._cooling]
        # Their tasks died with the last loop, perhaps without a word. The requests may still be
        # under way, so each slot is kept as if its request were given up now.
        for slot in list(self._in_flight):
            slot.abandoned()

    def take(self) -> Slot | None:
        now = self._time()
        self._thaw(now)
        if self._free <= 0 or len(self._in_flight) >= self._connections:
            return None
        slot = Slot(self, now)
        self._in_flight.add(slot)
        return slot

    async def reserve(self) -> Slot:
        while (slot := self.take()) is None:
            # A slot in flight has no time yet: it rings when it is settled.
            known = self._free <= 0 and self._cooling
            await self._returned.sleep(self._cooling[0] if known else None)
        return slot

    def earliest(self, turn: int) -> float:
        # Laps: nobody is served twice by one slot within `per`.
        laps, place = divmod(turn - 1, self._requests)
        now = self._time()
        self._thaw(now)
        place -= self._free
        if place < 0:
            first = now
        elif place < len(self._cooling):
            first = self._cooling[place]
        else:
            first = now + self._per
        return first + laps * self._per

    def outlook(self) -> Outlook:
        self._thaw(self._time())
        free = self._free
        # Below zero (see `remember`) so many more have to be free before the first can be had.
        place = max(0, -free)
        next_free_at = self._cooling[place] if place < len(self._cooling) else None
        return Outlook(self._requests - free, max(0, free), next_free_at)

    @property
    def _free(self) -> int:
        return self._requests - len(self._in_flight) - len(self._cooling)

    def _thaw(self, now: float) -> None:
        if self._cooling and self._cooling[0] <= now:
            del self._cooling[: bisect_right(self._cooling, now)]

    def unsent(self, slot: Slot) -> None:
        self._in_flight.discard(slot)
        self._returned.ring()

    def answered(self, slot: Slot) -> None:
        now = self._time()
        self._flight = max(self._flight, now - slot.taken_at)
        self._cool(slot, now + self._per)

    def abandoned(self, slot: Slot) -> None:
        self._cool(slot, self._time() + self._flight + self._per)

    def _cool(self, slot: Slot, until: float) -> None:
        insort(self._cooling, until)
        # Somebody may wait for the connection, or for a slot that is free later than this one.
        if len(self._in_flight) == self._connections or self._cooling[0] == until:
            self._returned.ring()
        self._in_flight.discard(slot)

    def pause(self, seconds: float) -> None:
        """Nobody else uses this ledger."""

    def recent(self) -> list[float]:
        now = self._time()
        self._thaw(now)
        # An abandoned slot is kept longer than `per`: its request may still arrive.
        ages = [max(0.0, now + self._per - until) for until in self._cooling]
        return ages + [0.0] * len(self._in_flight)

    def remember(self, seconds_ago: Sequence[float]) -> None:
        # These may be more than `requests`, sent under a larger limit. Each of them still counts,
        # so `_free` may be below zero.
        now = self._time()
        self._cooling = sorted([*self._cooling, *(now - age + self._per for age in seconds_ago)])
        self._thaw(now)

    async def aclose(self) -> None:
        """Nothing is held."""


class UnlimitedLedger:
    """No limit: everybody gets the same slot, which remembers nothing."""

    per_process = False
    _SLOT = Slot(None)

    def bind(
        self,
        loop: asyncio.AbstractEventLoop,
        shift: float,  # noqa: ARG002 - no time is kept
        on_pause: OnPause,  # noqa: ARG002
    ) -> None:
        self._time = loop.time

    def take(self) -> Slot:
        return self._SLOT

    async def reserve(self) -> Slot:
        return self._SLOT

    def earliest(self, turn: int) -> float:  # noqa: ARG002 - there is always one more
        return self._time()

    def outlook(self) -> Outlook:
        return Outlook(used=0, free=None, next_free_at=None)

    def pause(self, seconds: float) -> None:
        """Nobody else uses this ledger."""

    def recent(self) -> list[float]:
        return []

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """Nothing counts against a limit that is not there."""

    async def aclose(self) -> None: ...
