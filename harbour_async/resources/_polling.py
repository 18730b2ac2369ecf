"""How verifications are polled for all calls that wait for them.

A few verifications are fetched singly. For more there is a walk of changes, which serves all calls,
and now and then each of them is fetched: a walk of changes shows no deletions, and nothing that a
server changes without moving ``updated_at`` on.
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
from harbour_async.resources._checkpoint import is_temporary, retry_after, summary
from harbour_async.resources._many import FEW, Refused
from harbour_async.settings import Priority, RateLimit

if TYPE_CHECKING:
    from harbour_async.resources._sources import Sources
    from harbour_async.resources._waiting import Waiter, Waiters

FIRST_PAUSE = 1.0
GROWTH = 1.5
LONGEST_PAUSE = 30.0
"""Seconds; each pause is up to a quarter longer or shorter, at random."""

SHARE = 0.5
"""The part of the rate limit that polling may use."""


class Polling:
    """Polls for ``waiters`` until none of them is open any more.

    The next poll is due after the pause of the waiter with the fewest polls, but not before the
    ``SHARE`` of the limit allows as many requests as the last one took. A new waiter is asked for
    at once, beside that; while polls fail it keeps to that share, too, and to ``Retry-After``.
    """

    def __init__(self, source: Sources, life: Lifetime, limit: RateLimit, waiters: Waiters) -> None:
        self.last_error: HarbourError | None = None
        self._source = source
        self._life = life
        self._waiters = waiters
        self._gap = limit.per / limit.requests / SHARE if limit.requests else 0.0
        self._arrival: asyncio.Future[None] | None = None
        self._due = 0.0
        self._earliest = 0.0  # the next poll for all may not begin before this
        self._failures = 0
        self._checkpoint: str | None = None
        # Requests: of this round, of the walks since all were fetched, and of fetching all.
        self._spent = self._walked = self._fetch_cost = 0

    async def run(self) -> None:
        """Raises the errors that end every wait."""
        await asyncio.sleep(0)  # calls that begin in the same turn of the loop share the first poll
        while self._waiters.open():
            await self._round()
            await self._sleep()

    def wake(self) -> None:
        """Poll for a waiter that was added."""
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def _sleep(self) -> None:
        """Sleep until the next poll is due, or a waiter is added."""
        waiting = self._waiters.open()
        all_fetched = all(each.fetched for each in waiting)
        if waiting and (all_fetched or self._failures):
            self._arrival = asyncio.get_running_loop().create_future()
            if self._failures:  # a new waiter is no reason to ask a server that fails more often
                await self._life.pause(self._earliest - _now())
            await self._life.pause(self._due - _now(), self._arrival)

    async def _round(self) -> None:
        self._spent = 0
        try:
            all_polled = await self._poll()
        except HarbourError as error:
            if not is_temporary(error):
                raise
            self._back_off(error)
        else:
            self._failures, self.last_error = 0, None
            self._set_due(all_polled)

    def _back_off(self, error: HarbourError) -> None:
        least = max(retry_after(error), self._gap * self._spent)
        wait = max(_pause(self._failures), least)
        self._failures += 1
        self.last_error = error
        self._earliest, self._due = _now() + least, _now() + wait
        if isinstance(error, IncompleteListingError):
            self._checkpoint = None  # find a new one, and fetch all
        _logging.warn("wait_for: %s; polls again in %.1f s", summary(error), wait)

    def _set_due(self, all_polled: bool) -> None:
        waiting = self._waiters.open()
        for each in waiting:
            each.polls += all_polled
        pause = _pause(min((each.polls for each in waiting), default=0))
        free = _now() + self._gap * self._spent
        due = max(_now() + pause, free)
        if all_polled:
            self._earliest, self._due = free, due
        else:
            self._due = max(self._earliest, min(self._due, due))

    async def _poll(self) -> bool:
        """Poll; whether that was for all waiters, and not for the new ones alone."""
        waiting = self._waiters.open()
        few = len({each.verification_id for each in waiting}) <= FEW
        new = [each for each in waiting if not each.fetched]
        if not few and self._checkpoint is None:
            # The checkpoint comes first: a later change is seen when all are fetched, or by a walk.
            self._spent += 1
            self._checkpoint = await self._source.from_now_on(self._lane())
            await self._fetch_all(waiting)
        elif 0 < len(new) < len(waiting) and _now() < self._due:
            await self._fetch(new)
            return False
        elif few:
            self._checkpoint = None
            await self._fetch(waiting)
        elif self._walked * 2 >= self._fetch_cost:
            await self._fetch_all(waiting)
        else:
            await self._fetch(new)
            await self._walk()
        return True

    def _lane(self) -> Priority:
        urgent = any(each.priority is Priority.INTERACTIVE for each in self._waiters.open())
        return Priority.INTERACTIVE if urgent else Priority.BULK

    async def _fetch_all(self, waiting: list[Waiter]) -> None:
        before = self._spent
        await self._fetch(waiting)
        self._fetch_cost, self._walked = self._spent - before, 0

    async def _fetch(self, waiting: Iterable[Waiter]) -> None:
        """Fetch what they wait for. An error goes to these waiters only, not to later ones."""
        asking: dict[str, list[Waiter]] = {}
        for each in waiting:
            asking.setdefault(each.verification_id, []).append(each)
        temporary: list[HarbourError] = []

        def refused(asked: str, error: HarbourError) -> None:
            if isinstance(error, SessionClosedError):
                raise error
            if is_temporary(error):
                temporary.append(error)
                return
            for each in asking[asked]:
                each.fail(error)

        many = self._source.many(asking, self._lane(), refused)
        try:
            async for record in many:
                self._show(record)
        finally:
            self._spent += many.requests
        for asked in many.missing:
            await self._fetch_missing(asked, refused)
        if temporary:
            raise temporary[-1]
        for same in asking.values():
            for each in same:
                each.fetched = True

    async def _fetch_missing(self, asked: str, refused: Refused) -> None:
        """Fetch one that a walk did not show, for the API's own error."""
        self._spent += 1
        try:
            self._show(await self._source.get(asked, self._lane()))
        except HarbourError as error:
            refused(asked, error)

    async def _walk(self) -> None:
        pager = self._source.changes(self._checkpoint, self._lane(), on_invalid="keep")
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
            # The single object may be readable.
            for each in self._waiters.of(record.record_id):
                each.fetched = False
            return
        for each in self._waiters.of(record.verification_id):
            each.show(record)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pause(polls: int) -> float:
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH ** min(polls, 20))
    return pause * random.uniform(0.75, 1.25)
