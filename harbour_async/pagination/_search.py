"""Finding the index of a record that has moved."""

from __future__ import annotations

from attrs import define

FASTER = 4
"""The factor by which a search takes longer steps, until it has passed what it looks for."""


@define(eq=False)
class Search:
    """Looks for the cursor's index: in longer and longer steps, then by halving.

    ``guess`` is where to look next. ``low`` and ``high`` are bounds that answers have shown. The
    list moves meanwhile, so a bound is given up as soon as a newer answer contradicts it.
    """

    size: int
    guess: int = 0
    low: int | None = None
    high: int | None = None
    step: int = 0

    def begins_beyond(self, start: int) -> None:
        """A window that starts at ``start`` begins beyond the cursor."""
        if self.low is not None and self.low > start:
            self.low, self.step = None, 0
        self.high = start
        self.step = max(1, self.size // 4, FASTER * self.step)
        self.guess = max(0, start - self.step)
        if self.low is not None:
            self.guess = max(self.guess, (self.low + start) // 2)

    def ends_before(self, end: int, total: int) -> None:
        """A window that ends at ``end`` shows nothing beyond the cursor."""
        if self.high is not None and self.high < end:
            self.high, self.step = None, 0
        self.low = end
        self.guess = max(end, min(end + self.step, total))
        if self.high is not None:
            self.guess = min(self.guess, (end + self.high) // 2)
        self.step = max(self.size, FASTER * self.step)
