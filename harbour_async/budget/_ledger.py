"""The promise: a slot is free again ``per`` seconds after the answer, never before.

A request that was answered at ``a`` arrived at the server before ``a``, whatever the network
did. The next one in its slot leaves after ``a + per``, so it arrives more than ``per`` seconds
later. With one slot per permitted request no window of ``per`` seconds can see more of them.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right, insort
from typing import NamedTuple, Protocol

from harbour_async.budget._alarm import Alarm

MIN_FLIGHT = 1.0
"""Seconds an aborted request may still be under way, if no answer ever took longer."""


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
    """Hands out slots. Its times are those of ``loop.time()``."""

    def bind(self, loop: asyncio.AbstractEventLoop) -> None: ...
    def take(self) -> Slot | None:
        """A slot at once, or None."""

    async def reserve(self) -> Slot:
        """A slot, as soon as there is one."""

    def earliest(self, turn: int) -> float:
        """Not before this time can the ``turn``-th slot from now be had."""

    def outlook(self) -> Outlook: ...
    async def aclose(self) -> None: ...


class Settler(Protocol):
    """Takes back the slots it gave."""

    def unsent(self, slot: Slot) -> None: ...
    def answered(self, slot: Slot) -> None: ...
    def abandoned(self, slot: Slot) -> None: ...


class Slot:
    """The right to one physical send; say once how that ended. Later words are ignored."""

    __slots__ = ("_ledger", "name", "taken_at")

    def __init__(self, ledger: Settler | None, taken_at: float = 0.0, name: str = "") -> None:
        self._ledger = ledger
        self.taken_at = taken_at
        self.name = name

    def unsent(self) -> None:
        """Certainly nothing left: the slot is free again at once."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.unsent(self)

    def answered(self) -> None:
        """The answer, or a certain failure, is here: free ``per`` seconds from now."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.answered(self)

    def abandoned(self) -> None:
        """Sent, and given up without an answer: kept for ``per`` seconds after it must be there.

        The bytes may reach the server after the abort. They are allowed the time of the slowest
        answer seen so far, and never less than ``MIN_FLIGHT``.
        """
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.abandoned(self)


class LocalLedger:
    """The slots of one process: requests in flight, and times at which answered ones are free.

    With no more than ``connections`` in flight, a slot is taken only when a connection is there to
    use it at once.
    """

    def __init__(self, requests: int, per: float, connections: int | None = None) -> None:
        self._requests = requests
        self._connections = requests if connections is None else connections
        self._per = guarded(per)
        self._in_flight = 0
        self._cooling: list[float] = []  # sorted
        self._flight = MIN_FLIGHT
        self._returned = Alarm()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._time = loop.time

    def take(self) -> Slot | None:
        now = self._time()
        self._thaw(now)
        if not self._free or self._in_flight >= self._connections:
            return None
        self._in_flight += 1
        return Slot(self, now)

    async def reserve(self) -> Slot:
        while (slot := self.take()) is None:
            await self._returned.sleep(
                self._cooling[0] if not self._free and self._cooling else None
            )
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
        now = self._time()
        self._thaw(now)
        next_free_at = self._cooling[0] if self._cooling else None
        return Outlook(self._requests - self._free, self._free, next_free_at)

    @property
    def _free(self) -> int:
        return self._requests - self._in_flight - len(self._cooling)

    def _thaw(self, now: float) -> None:
        if self._cooling and self._cooling[0] <= now:
            del self._cooling[: bisect_right(self._cooling, now)]

    def unsent(self, slot: Slot) -> None:  # noqa: ARG002 - all local slots are alike
        self._in_flight -= 1
        self._returned.ring()

    def answered(self, slot: Slot) -> None:
        now = self._time()
        self._flight = max(self._flight, now - slot.taken_at)
        self._cool(now + self._per)

    def abandoned(self, slot: Slot) -> None:  # noqa: ARG002 - as above
        self._cool(self._time() + self._flight + self._per)

    def _cool(self, until: float) -> None:
        insort(self._cooling, until)
        # Somebody may wait for the connection, or for a slot that is free later than this one.
        if self._in_flight == self._connections or self._cooling[0] == until:
            self._returned.ring()
        self._in_flight -= 1

    async def aclose(self) -> None:
        """Nothing is held."""


class UnlimitedLedger:
    """No limit: everybody gets the same slot, which remembers nothing."""

    _SLOT = Slot(None)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._time = loop.time

    def take(self) -> Slot:
        return self._SLOT

    async def reserve(self) -> Slot:
        return self._SLOT

    def earliest(self, turn: int) -> float:  # noqa: ARG002 - there is always one more
        return self._time()

    def outlook(self) -> Outlook:
        return Outlook(used=0, free=None, next_free_at=None)

    async def aclose(self) -> None: ...
