"""Keep the rate limit over all runs of an export: recent sends count in the next run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from attrs import define

from harbour_async.export._lock import Lock

NOTE_EVERY = 0.25  # seconds
_SAME = 0.02
"""Seconds: sends noted by two exports that are no further apart are taken for the same send."""


@define
class SentLately:
    """Notes the sends of ``budget`` while an export runs, ``ahead`` requests at a time."""

    budget: Any
    lock: Lock
    ahead: int

    @property
    def limited(self) -> bool:
        return self.budget is not None and self.budget.limit.requests is not None

    def restore(self, times: Iterable[float]) -> None:
        """Let sends of earlier runs (seconds since 1970) count as the budget's own.

        Two exports of one session note the same sends, so those it knows are left out.
        """
        if not self.limited:
            return
        now, per = time.time(), self.budget.limit.per
        known = sorted(self.budget.recent())
        missing = []
        for ago in sorted(max(0.0, now - sent) for sent in times):
            match = next((k for k in known if abs(k - ago) < _SAME), None)
            if match is not None:
                known.remove(match)
            elif ago <= per:
                missing.append(ago)
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
