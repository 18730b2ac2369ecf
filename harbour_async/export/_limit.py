"""Keep the rate limit over all runs of an export: recent sends count in the next run."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from attrs import define

from harbour_async.export._lock import Lock

NOTE_EVERY = 0.25  # seconds
_SAME = 0.02
"""Seconds: sends of two notes that are no further apart are taken for the same send."""


@define
class SentLately:
    """Notes the sends of ``budget`` while an export runs, ``ahead`` requests at a time."""

    budget: Any
    lock: Lock
    ahead: int

    @property
    def limited(self) -> bool:
        return self.budget is not None and self.budget.limit.requests is not None

    def restore(self, *notes: Iterable[float]) -> None:
        """Let the sends that earlier runs noted (seconds since 1970) count as the budget's own.

        One send may be in several notes, and in the budget too, if it is of the same session. It
        counts once; otherwise sends would multiply with each run that fails.
        """
        if not self.limited:
            return
        now, per = time.time(), self.budget.limit.per
        known: list[float] = self.budget.recent()
        missing: list[float] = []
        for note in notes:
            ages = [max(0.0, now - sent) for sent in note]
            missing += _unmatched([age for age in ages if age <= per], [*known, *missing])
        if missing:
            self.budget.remember(missing)

    def recent(self) -> list[float]:
        """The times of the sends that still count, in seconds since 1970."""
        if not self.limited:
            return []
        now = time.time()
        return [now - ago for ago in self.budget.recent()]

    def note(self) -> None:
        """Write the sends that count now to the lock file, in case this process is killed."""
        if self.limited:
            self.lock.note(self.budget.recent(), self.ahead)

    async def keep_noting(self) -> None:
        while True:
            self.note()
            await asyncio.sleep(NOTE_EVERY)


def _unmatched(ages: Iterable[float], known: Iterable[float]) -> list[float]:
    """The ages without a partner among those known; each of these is the partner of one."""
    partners, found = deque(sorted(known)), []
    for age in sorted(ages):
        while partners and partners[0] <= age - _SAME:
            partners.popleft()
        if partners and partners[0] < age + _SAME:
            partners.popleft()
        else:
            found.append(age)
    return found
