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

MIN_TRANSIT = 1.0
"""Seconds for which an aborted request may still be under way, if no answer ever took longer."""

OnPause = Callable[[float], None]
"""Called with the loop time until which a pause of another process lasts."""


def guarded(per: float) -> float:
    """``per`` and a margin: 100 ppm for clocks that drift apart, 1 ms for a server that rounds.

    Without it, a server that counts both ends of its window could see one request at each end.
    """
    return per * 1.0001 + 0.001


class Outlook(NamedTuple):
    """A ledger at one moment; ``next_free_at`` is in loop time, None if not known yet."""

    used: int
    free: int | None
    next_free_at: float | None


class Ledger(Protocol):
    """Keeps the slots of a budget: which are taken, and when each of them is free again.

    ``Budget(ledger=...)`` takes one; only the budget calls its methods. Durations are seconds, and
    moments are in the time of the event loop that it was last bound to.

    Guide: "Rate limits"; docs/budget.md, "The promise".
    """

    @property
    def per_process(self) -> bool:
        """Whether each process with such a ledger has the whole limit for itself."""

    def bind(self, loop: asyncio.AbstractEventLoop, shift: float, on_pause: OnPause) -> None:
        """Go on in ``loop``; ``shift`` turns a time of the last loop into one of this loop.

        No task sleeps in the last loop any more. Requests that were in flight there count as
        abandoned. ``on_pause`` is called when another process begins a pause.
        """

    def take(self) -> Slot | None:
        """A slot, or None if none can be had without waiting."""

    async def reserve(self) -> Slot:
        """A slot, as soon as one is free."""

    def earliest(self, turn: int) -> float:
        """The time before which the ``turn``-th slot from now cannot be had."""

    def outlook(self) -> Outlook:
        """The slots as they are now, for forecasts and ``Budget.snapshot``."""

    def pause(self, seconds: float) -> None:
        """Tell other processes of a pause, if there are any."""

    def recent(self) -> list[float]:
        """See ``Budget.recent``."""

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """See ``Budget.remember``."""

    async def aclose(self) -> None:
        """Release connections and tasks, if there are any."""


class LocalLedger:
    """The slots of one process: requests in flight, and when the slots of answered ones are free.

    No more than ``connections`` requests are in flight, so a slot is taken only when a connection
    can use it at once.
    """

    per_process = True

    def __init__(self, requests: int, per: float, connections: int | None = None) -> None:
        self._requests = requests
        self._connections = requests if connections is None else connections
        self._per = guarded(per)
        self._in_flight: set[Slot] = set()
        self._cooling: list[float] = []  # when each answered slot is free; sorted
        self._slowest = MIN_TRANSIT
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
        # Their tasks ended with the last loop, perhaps without a report. The requests may still be
        # under way, so each slot is kept as if its request were abandoned now.
        for slot in list(self._in_flight):
            slot.abandoned()

    def take(self) -> Slot | None:
        now = self._time()
        self._drop_cooled(now)
        if self._free <= 0 or len(self._in_flight) >= self._connections:
            return None
        slot = Slot(self, now)
        self._in_flight.add(slot)
        return slot

    async def reserve(self) -> Slot:
        while (slot := self.take()) is None:
            # It is not known when a request in flight is answered; its slot wakes this task then.
            known = self._free <= 0 and self._cooling
            await self._returned.sleep(self._cooling[0] if known else None)
        return slot

    def earliest(self, turn: int) -> float:
        # One slot serves one request within `per`, so a further round of slots comes `per` later.
        rounds, place = divmod(turn - 1, self._requests)
        now = self._time()
        self._drop_cooled(now)
        place -= self._free
        if place < 0:
            first = now
        elif place < len(self._cooling):
            first = self._cooling[place]
        else:
            first = now + self._per
        return first + rounds * self._per

    def outlook(self) -> Outlook:
        self._drop_cooled(self._time())
        free = self._free
        # Below zero (see `remember`), so many slots have to come back before one is free.
        place = max(0, -free)
        next_free_at = self._cooling[place] if place < len(self._cooling) else None
        return Outlook(self._requests - free, max(0, free), next_free_at)

    @property
    def _free(self) -> int:
        return self._requests - len(self._in_flight) - len(self._cooling)

    def _drop_cooled(self, now: float) -> None:
        if self._cooling and self._cooling[0] <= now:
            del self._cooling[: bisect_right(self._cooling, now)]

    def unsent(self, slot: Slot) -> None:
        self._in_flight.discard(slot)
        self._returned.wake()

    def answered(self, slot: Slot) -> None:
        now = self._time()
        self._slowest = max(self._slowest, now - slot.taken_at)
        self._cool(slot, now + self._per)

    def abandoned(self, slot: Slot) -> None:
        self._cool(slot, self._time() + self._slowest + self._per)

    def _cool(self, slot: Slot, until: float) -> None:
        insort(self._cooling, until)
        # A task may wait for the connection, or for a slot that is free later than this one.
        if len(self._in_flight) == self._connections or self._cooling[0] == until:
            self._returned.wake()
        self._in_flight.discard(slot)

    def pause(self, seconds: float) -> None:
        """Do nothing: no other process uses this ledger."""

    def recent(self) -> list[float]:
        now = self._time()
        self._drop_cooled(now)
        # An abandoned slot is kept longer than `per`: its request may still arrive.
        ages = [max(0.0, now + self._per - until) for until in self._cooling]
        return ages + [0.0] * len(self._in_flight)

    def remember(self, seconds_ago: Sequence[float]) -> None:
        # These may be more than `requests`, sent under a larger limit. Each of them still counts,
        # so `_free` may be below zero.
        now = self._time()
        self._cooling = sorted([*self._cooling, *(now - age + self._per for age in seconds_ago)])
        self._drop_cooled(now)

    async def aclose(self) -> None:
        """Do nothing: there are no connections and no tasks."""


class UnlimitedLedger:
    """No limit: every call gets the same slot, which has no state."""

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
        """Do nothing: no other process uses this ledger."""

    def recent(self) -> list[float]:
        return []

    def remember(self, seconds_ago: Sequence[float]) -> None:
        """Do nothing: without a limit nothing is counted."""

    async def aclose(self) -> None: ...
