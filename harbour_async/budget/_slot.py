"""The right to send one request once, and how it is given back."""

from __future__ import annotations

from typing import Protocol


class Settler(Protocol):
    """Takes back the slots that it gave."""

    def unsent(self, slot: Slot) -> None: ...
    def answered(self, slot: Slot) -> None: ...
    def abandoned(self, slot: Slot) -> None: ...


class Slot:
    """The right to one physical send. Say once how the send ended; later calls are ignored."""

    __slots__ = ("_ledger", "name", "taken_at")

    def __init__(self, ledger: Settler | None, taken_at: float = 0.0, name: str = "") -> None:
        self._ledger = ledger
        self.taken_at: float = taken_at
        self.name: str = name

    def unsent(self) -> None:
        """Nothing was sent for certain: the slot is free again at once."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.unsent(self)

    def answered(self) -> None:
        """The answer, or a certain failure, is here: the slot is free ``per`` seconds from now."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.answered(self)

    def abandoned(self) -> None:
        """The request was sent and given up without an answer.

        Its bytes may still reach the server. They are allowed the time of the slowest answer so
        far, and at least ``MIN_FLIGHT`` seconds; the slot is free ``per`` seconds after that.
        """
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.abandoned(self)
