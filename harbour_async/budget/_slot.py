"""The right to send one request once, and how it is given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Settler(Protocol):
    """What gave a slot, and takes it back."""

    def unsent(self, slot: Slot) -> None: ...
    def answered(self, slot: Slot) -> None: ...
    def abandoned(self, slot: Slot) -> None: ...


class Slot:
    """The right to send one request once; ``Budget.acquire`` gives it.

    Report once how the send ended, with ``answered()``, ``unsent()`` or ``abandoned()``. Later
    reports are ignored. A slot without a report stays taken.

    ::

        slot = await budget.acquire()
        try:
            ...  # one physical send
        except BaseException:
            slot.abandoned()
            raise
        slot.answered()

    taken_at: when it was taken, in seconds of the event loop's clock.
    name: its name in Redis; empty for a slot of one process.

    Guide: "Rate limits"; docs/budget.md, "The promise".
    """

    __slots__ = ("_ledger", "_on_unsent", "name", "taken_at")

    def __init__(self, ledger: Settler | None, taken_at: float = 0.0, name: str = "") -> None:
        self._ledger = ledger
        self._on_unsent: Callable[[Slot], None] | None = None
        self.taken_at: float = taken_at
        self.name: str = name

    def when_unsent(self, then: Callable[[Slot], None]) -> None:
        """Have ``then`` called with this slot after ``unsent()``, if that is the report."""
        self._on_unsent = then

    def unsent(self) -> None:
        """Report that certainly nothing was sent: it is as if the slot had not been taken."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.unsent(self)
            if self._on_unsent is not None:
                self._on_unsent(self)

    def answered(self) -> None:
        """Report an answer or a definite failure: the slot is free again in ``per`` seconds."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.answered(self)

    def abandoned(self) -> None:
        """Report that the request was sent, and given up before its answer came.

        Its bytes may still reach the server. The slot is kept for the time of the slowest answer
        so far, for one second at least, and is free again ``per`` seconds after that.
        """
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.abandoned(self)
