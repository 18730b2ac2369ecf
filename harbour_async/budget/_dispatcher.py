"""Who may send now: first the pause, then the pace, then a slot, then the next in the lanes."""

from __future__ import annotations

import asyncio
import math

from harbour_async.budget._alarm import Alarm
from harbour_async.budget._lanes import Lanes
from harbour_async.budget._ledger import Ledger
from harbour_async.budget._pace import Pace
from harbour_async.budget._slot import Slot
from harbour_async.settings import Priority

DROUGHT = 5
"""Tokens: free slots are spread if it takes longer than this until the next one comes back."""


class Dispatcher:
    """Grants slots to the waiters in ``lanes``.

    One task does that, and only while somebody waits: ten thousand waiters cost as many wakeups
    as one. Without waiters ``take_at_once`` grants, in the caller's own step.
    """

    def __init__(self, lanes: Lanes, ledger: Ledger, pace: Pace | None) -> None:
        self._lanes = lanes
        self._ledger = ledger
        self._pace = pace
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()  # dismissed, but not over yet
        self._newcomer = Alarm()
        self._last_grant = 0.0
        self._paused_until = -math.inf
        self._restart_due = False  # after a pause the flow goes on at the pace, not in a burst

    def bind(self, loop: asyncio.AbstractEventLoop, shift: float) -> None:
        """Go on in ``loop``, after the ledger. Nobody waits in the last loop any more."""
        self._loop = loop
        self._task = None
        self._ending = set()
        self._newcomer = Alarm()
        self._last_grant += shift
        self._paused_until += shift
        self.replay()

    def replay(self) -> None:
        """Let the pace know of the sends that the ledger knows of."""
        if self._pace is not None:
            self._pace.replay(self._ledger.recent())

    # -- pauses --------------------------------------------------------------------------------

    def pause_until(self, when: float) -> bool:
        """Whether that is later than the pause so far, which is never shortened."""
        if when <= self._paused_until:
            return False
        self._paused_until = when
        self._restart_due = True
        return True

    def paused_for(self) -> float:
        return max(0.0, self._paused_until - self._loop.time())

    def _restart_after_pause(self) -> None:
        if self._restart_due:
            self._restart_due = False
            if self._pace is not None:
                earned = (self._loop.time() - self._paused_until) / self._pace.interval
                self._pace.restart(1 + earned)

    # -- granting ------------------------------------------------------------------------------

    def take_at_once(self, now: float) -> Slot | None:
        """A slot, if nothing at all stands in the way."""
        if self._lanes or now < self._paused_until:
            return None
        self._restart_after_pause()
        if self._pace is not None and not self._pace.ready():
            return None
        slot = self._ledger.take()
        if slot is not None:
            if self._pace is not None:
                self._pace.take()
            self._last_grant = now
        return slot

    def call(self, newcomer: Priority) -> None:
        """Somebody joined the lanes."""
        # `done()`, not None: an eager task can be over before `create_task` returns, so what the
        # task itself would write here would be overwritten by this assignment.
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._serve(), name="harbour-budget")
            if not self._task.done():
                self._task.add_done_callback(self._ended)
        elif newcomer is Priority.INTERACTIVE:
            self._newcomer.ring()

    def dismiss(self) -> None:
        """Nobody waits any more."""
        task, self._task = self._task, None
        if task is not None and task.cancel():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def aclose(self) -> None:
        """Stop, and wait until every slot on its way to a task was given back to the ledger."""
        self.dismiss()
        if self._ending:
            await asyncio.wait(self._ending)

    def take_back(self, slot: Slot) -> None:
        """Undo a grant whose waiter was cancelled before it could run."""
        slot.unsent()
        if self._pace is not None:
            self._pace.give_back()
        if self._lanes:  # the task may already wait for the next token; this one is there now
            self.restart()

    def restart(self) -> None:
        """Let the task look again at everything that it may wait for."""
        self.dismiss()
        self.call(Priority.BULK)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Somebody else cancelled the task ("cancel all tasks"), but a waiter is left.
        if task is self._task and self._lanes and not self._loop.is_closed():
            self.call(Priority.BULK)

    async def _serve(self) -> None:
        try:
            while self._lanes:
                await self._sit_out_pause()
                # The token comes before the slot: a slot is of use to other processes, too.
                if self._pace is not None:
                    await self._pace.hold()
                    await self._spread(self._pace)
                self._grant(await self._reserve())
        except Exception as error:  # nobody may wait for a task that is gone
            self._lanes.fail(error)

    async def _sit_out_pause(self) -> None:
        while wait := self.paused_for():  # noqa: ASYNC110 - a time, which may move meanwhile
            await asyncio.sleep(wait)
        self._restart_after_pause()

    async def _spread(self, pace: Pace) -> None:
        """Let bulk leave something for the interactive calls of the next minute.

        A burst and the pace together use up the slots before the first of them comes back.
        Then everybody would wait for it, so bulk spreads what is left over that time instead.
        """
        spread = False
        while not self._lanes.waiting().interactive:
            _, free, next_free_at = self._ledger.outlook()
            now = self._loop.time()
            if not free or next_free_at is None or next_free_at - now < DROUGHT * pace.interval:
                break
            until = self._last_grant + (next_free_at - self._last_grant) / (free + 1)
            if until <= now:
                break
            await self._newcomer.sleep(until)
            spread = True
        if spread:
            pace.restart(1)

    async def _reserve(self) -> Slot:
        began = self._loop.time()
        slot = await self._ledger.reserve()
        if self._pace is not None and self._loop.time() - began > self._pace.interval:
            self._pace.calm()
        return slot

    def _grant(self, slot: Slot) -> None:
        # Who gets the slot is chosen as late as possible, so that an interactive newcomer is in
        # time. A pause may have begun while the slot was waited for.
        now = self._loop.time()
        waiter = None if now < self._paused_until else self._lanes.pop()
        if waiter is None:
            slot.unsent()
            return
        if self._pace is not None:
            self._pace.spend()
        self._last_grant = now
        waiter.set_result(slot)

    # -- forecasts -----------------------------------------------------------------------------

    def earliest(self, priority: Priority, now: float) -> float:
        """Loop time of the turn of one that comes now, if nobody before it gives up."""
        turn = self._lanes.ahead_of(priority) + 1
        start = max(now, self._paused_until)
        if self._pace is None:
            return start
        if self._loop.is_closed():
            paced = start  # aiolimiter cannot be asked outside of an open loop
        elif self._restart_due:
            paced = start + (turn - 1) * self._pace.interval
        else:
            paced = now + self._pace.wait(turn)
        return max(start, paced, self._ledger.earliest(turn))
