"""Where the cursor stands by index, and how the list moves under it."""

from __future__ import annotations

import math
from itertools import groupby

from attrs import Factory, define

from harbour_async.pagination._snapshot import Snapshot

WIDEST = 40
"""The widest margin: of a window of 100, more than half should be new."""


@define(eq=False)
class Drift:
    """How far deletions move records to the front from one request to the next, smoothed.

    Records that are created in front move others back. That costs some records seen twice, and
    needs no margin.
    """

    mean: float = 0.0
    deviation: float = 0.0

    def saw(self, moved: float) -> None:
        moved = max(0.0, moved)
        if moved and not self.deviation:
            self.mean, self.deviation = moved, moved / 2
            return
        error = moved - self.mean
        self.mean += error / 4
        self.deviation += (abs(error) - self.deviation) / 4

    @property
    def margin(self) -> int:
        """How many records before the expected place the next window should begin."""
        margin = self.mean + 2 * self.deviation
        return min(math.ceil(margin), WIDEST) if margin >= 0.5 else 0


@define(eq=False)
class Place:
    """The index of the first record beyond the cursor, by the latest answer that showed it.

    known: whether an answer has shown the index; until then it is a token's, or 0.
    still: how many answers in a row found it where it was expected.
    group: how many records may share a key, by the last few answers.
    """

    index: int
    known: bool
    still: int = 0
    group: int = 1
    drift: Drift = Factory(Drift)
    _number: int = 0

    def saw(self, snapshot: Snapshot, position: int) -> None:
        """The cursor stands just before this position of a snapshot."""
        # An answer to an earlier request than the latest shows an older state of the list.
        if self.known and snapshot.number > self._number:
            moved = self.index - (snapshot.start + position)
            self.drift.saw(moved / (snapshot.number - self._number))
            self.still = self.still + 1 if moved == 0 and self._number else 0
        self.known = True
        self._number = max(self._number, snapshot.number)
        keys = snapshot.keys
        distinct = len(set(keys)) == len(keys)
        group = 1 if distinct else max(len(list(equal)) for _, equal in groupby(keys))
        self.group = max(group, self.group * 3 // 4)

    def is_latest(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot was asked for when all others read so far had been answered."""
        return snapshot.alone and snapshot.number > self._number
