"""Finding the place of a record that has moved, and foreseeing where it will."""

from __future__ import annotations

import math

from attrs import define

WIDEST = 40
"""The widest margin: of a window of 100, more than half should be new."""


@define
class Drift:
    """How far deletions move records to the front from one answer to the next, smoothed.

    Records created in front move others back, which only lets the reader see some of them again.
    """

    mean: float = 0.0
    deviation: float = 0.0

    def saw(self, moved: float) -> None:
        moved = max(0, moved)
        if moved and not self.deviation:
            self.mean, self.deviation = moved, moved / 2
            return
        error = moved - self.mean
        self.mean += error / 4
        self.deviation += (abs(error) - self.deviation) / 4

    @property
    def margin(self) -> int:
        """How many records before the expected place to start reading."""
        margin = self.mean + 2 * self.deviation
        return min(math.ceil(margin), WIDEST) if margin >= 0.5 else 0


@define
class Search:
    """Looks for a place that is not where it was foreseen: near a guess first, then galloping away
    from a window that missed it, or halving what is left between two.

    The list moves meanwhile, so what was a bound may be none any more: it is given up as soon as
    it contradicts a newer answer.
    """

    active: bool = False
    place: int = 0
    low: int | None = None
    high: int | None = None
    step: int = 1
    tries: int = 0

    def begin(self, guess: int) -> None:
        self.tries += 1
        self.active = True
        self.place = guess

    def begins_beyond(self, start: int, guess: int) -> None:
        """A window begins beyond the place."""
        self.begin(min(guess, start - self.step))
        self.high = start
        if self.low is not None and self.low < start:
            self._between(self.low, start, guess)
        else:
            self.low = None
            self.step = 2 * (start - self.place)

    def ends_before(self, stop: int, guess: int) -> None:
        """A window ends at or before the place."""
        self.begin(max(guess, stop + self.step))
        self.low = stop
        if self.high is not None and self.high > stop:
            self._between(stop, self.high, guess)
        else:
            self.high = None
            self.step = 2 * (self.place - stop)

    def _between(self, low: int, high: int, guess: int) -> None:
        self.place = guess if low < guess < high else (low + high) // 2

    def exhausted(self, pages: int) -> bool:
        """More tries than a list that changes slowly enough to be read can need."""
        return self.tries > 10 + 2 * pages.bit_length()
