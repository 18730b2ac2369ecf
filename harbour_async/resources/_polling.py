"""How verifications are polled for all who wait for them.

A few verifications are fetched singly. For more there is a walk of changes, which answers all, and
now and then a look at each of them: deletions are not among the changes, nor is anything that a
server does without moving ``updated_at`` on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

from harbour_async import _logging
from harbour_async._lifetime import Lifetime
from harbour_async.errors import HarbourError, IncompleteListingError, SessionClosedError
from harbour_async.models import InvalidRecord, Verification
from harbour_async.resources._checkpoint import outline, passes, told_to_wait
from harbour_async.resources._many import FEW, Refused
from harbour_async.settings import Priority, RateLimit

if TYPE_CHECKING:
    from harbour_async.resources._waiting import Waiter, Waiters
    from harbour_async.resources.verifications import Verifications


FIRST_PAUSE = 1.0
GROWTH = 1.5
LONGEST_PAUSE = 30.0
"""Seconds; each pause is up to a quarter longer or shorter, at random."""

SHARE = 0.5
"""The part of the limit that polling may use."""


class Polling:
    """Polls for ``waiters`` until none of them is open any more.

    The next poll is due after the pause of whoever has been polled for the fewest times, but not
    before the last one is paid for out of the ``SHARE`` of the limit.
    """

    def __init__(
        self, source: Verifications, life: Lifetime, limit: RateLimit, waiters: Waiters
    ) -> None:
        self.trouble: HarbourError | None = None
        self._source = source
        self._life = life
        self._waiters = waiters
        self._gap = limit.per / limit.requests / SHARE if limit.requests else 0.0
        self._arrival: asyncio.Future[None] | None = None
        self._due = 0.0
        self._failures = 0
        self._checkpoint: str | None = None
        # Requests: of this round, of walks since the last look at everybody, and of that look.
        self._spent = self._walked = self._look_cost = 0

    async def run(self) -> None:
        """Raises what must be raised to all who wait."""
        await asyncio.sleep(0)  # those who come in the same turn share the first look
        while self._waiters.open():
            await self._round()
            await self._rest()

    def wake(self) -> None:
        """Somebody new has come."""
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def _rest(self) -> None:
        """Until the next poll is due, or somebody new has come."""
        waiting = self._waiters.open()
        all_looked = all(each.looked for each in waiting)
        if waiting and (all_looked or self._failures):
            self._arrival = asyncio.get_running_loop().create_future()
            await self._life.pause(self._due - _now(), self._arrival)

    async def _round(self) -> None:
        self._spent = 0
        try:
            all_polled = await self._ask()
        except HarbourError as error:
            if not passes(error):
                raise
            self._be_patient(error)
        else:
            self._failures, self.trouble = 0, None
            self._set_due(all_polled)

    def _be_patient(self, error: HarbourError) -> None:
        wait = max(_pause(self._failures), told_to_wait(error), self._gap * self._spent)
        self._failures += 1
        self.trouble = error
        self._due = _now() + wait
        if isinstance(error, IncompleteListingError):
            self._checkpoint = None  # a new one, and a look at everybody
        _logging.warn("wait_for: %s; polls again in %.1f s", outline(error), wait)

    def _set_due(self, all_polled: bool) -> None:
        waiting = self._waiters.open()
        for each in waiting:
            each.polls += all_polled
        pause = _pause(min((each.polls for each in waiting), default=0))
        due = _now() + max(pause, self._gap * self._spent)
        self._due = due if all_polled else min(self._due, due)

    async def _ask(self) -> bool:
        """Whether all who wait were polled for, and not the new ones alone."""
        waiting = self._waiters.open()
        few = len({each.verification_id for each in waiting}) <= FEW
        new = [each for each in waiting if not each.looked]
        if not few and self._checkpoint is None:
            # First the checkpoint: what changes later is seen by the look, or else by a walk.
            self._spent += 1
            self._checkpoint = await self._source._from_now_on(self._lane())
            await self._look_at_all(waiting)
        elif 0 < len(new) < len(waiting) and _now() < self._due:
            await self._look(new)
            return False
        elif few:
            self._checkpoint = None
            await self._look(waiting)
        elif self._walked * 2 >= self._look_cost:
            await self._look_at_all(waiting)
        else:
            await self._look(new)
            await self._walk()
        return True

    def _lane(self) -> Priority:
        urgent = any(each.priority is Priority.INTERACTIVE for each in self._waiters.open())
        return Priority.INTERACTIVE if urgent else Priority.BULK

    async def _look_at_all(self, waiting: list[Waiter]) -> None:
        before = self._spent
        await self._look(waiting)
        self._look_cost, self._walked = self._spent - before, 0

    async def _look(self, waiting: Iterable[Waiter]) -> None:
        """Fetch what they wait for. A refusal is for those who had come before it was asked for."""
        asking: dict[str, list[Waiter]] = {}
        for each in waiting:
            asking.setdefault(each.verification_id, []).append(each)
        passing: list[HarbourError] = []

        def refused(asked: str, error: HarbourError) -> None:
            if isinstance(error, SessionClosedError):
                raise error
            if passes(error):
                passing.append(error)
                return
            for each in asking[asked]:
                each.fail(error)

        many = self._source._many(asking, self._lane(), refused)
        try:
            async for record in many:
                self._show(record)
        finally:
            self._spent += many.requests
        for asked in many.missing:
            await self._look_singly(asked, refused)
        if passing:
            raise passing[-1]
        for same in asking.values():
            for each in same:
                each.looked = True

    async def _look_singly(self, asked: str, refused: Refused) -> None:
        """What a walk did not show is asked for once more, for the API's own error."""
        self._spent += 1
        try:
            self._show(await self._source.get(asked, priority=self._lane(), timeout=None))
        except HarbourError as error:
            refused(asked, error)

    async def _walk(self) -> None:
        pager = self._source._changes_from(self._checkpoint, self._lane(), on_invalid="keep")
        try:
            async for record in pager:
                self._show(record)
        finally:
            self._spent += pager.report.requests
            self._walked += pager.report.requests
            if pager.sound:
                self._checkpoint = pager.resume_token

    def _show(self, record: Verification | InvalidRecord) -> None:
        if isinstance(record, InvalidRecord):
            # It may be readable as a single object.
            for each in self._waiters.of(record.record_id):
                each.looked = False
            return
        for each in self._waiters.of(record.verification_id):
            each.show(record)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pause(polls: int) -> float:
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH ** min(polls, 20))
    return pause * random.uniform(0.75, 1.25)
