"""Finding the place of a record that has moved, and foreseeing where it will."""

from __future__ import annotations

import math

from attrs import define


@define
class Drift:
    """How far deletions move records forward between two answers: mean and deviation, smoothed."""

    mean: float = 0.0
    deviation: float = 0.0

    def saw(self, moved: float) -> None:
        if moved and not self.mean:
            self.mean, self.deviation = moved, moved / 2
            return
        error = moved - self.mean
        self.mean += error / 4
        self.deviation += (abs(error) - self.deviation) / 4

    @property
    def margin(self) -> int:
        """How many records before the expected place to start reading."""
        margin = self.mean + 2 * self.deviation
        return math.ceil(margin) if margin >= 0.5 else 0


@define
class Search:
    """Gallops back from a window that begins beyond the place, bisects once it is between two.

    The list moves meanwhile, so what was a bound may be none any more: it is given up as soon as
    it contradicts a newer answer.
    """

    low: int | None = None
    high: int | None = None
    place: int = 0
    step: int = 1
    tries: int = 0

    @property
    def active(self) -> bool:
        return self.high is not None

    def begins_beyond(self, start: int, guess: int) -> None:
        """A window begins beyond the place, which may be at ``guess``."""
        self.tries += 1
        self.high = start
        if self.low is not None and self.low < start:
            self.place = (self.low + start) // 2
            return
        self.low = None
        self.place = min(guess, start - self.step)
        self.step = 2 * (start - self.place)

    def ends_before(self, stop: int) -> None:
        """A window ends at or before the place."""
        self.tries += 1
        self.low = stop
        if self.high is not None and self.high <= stop:
            self.high = None
        self.place = stop + self.step if self.high is None else (stop + self.high) // 2
        self.step *= 2

    def exhausted(self, pages: int) -> bool:
        """More tries than a list that changes slowly enough to be read can need."""
        return self.tries > 10 + 2 * pages.bit_length()
