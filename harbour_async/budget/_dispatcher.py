"""Grants slots: waits out a pause, takes a token and a slot, and then chooses a waiter."""

from __future__ import annotations

import asyncio
import math

from harbour_async.budget._alarm import Alarm
from harbour_async.budget._lanes import Lanes
from harbour_async.budget._ledger import Ledger
from harbour_async.budget._pace import Pace
from harbour_async.budget._slot import Slot
from harbour_async.settings import Priority

MAX_GAP = 5
"""Tokens: free slots are spread if it takes longer than this until the next one comes back."""


class Dispatcher:
    """Grants slots to the waiters in ``lanes``.

    One task does that, and only while a call waits, so ten thousand waiters cost as many wakeups
    as one. Without waiters ``take_at_once`` gives a slot to the caller, which does not suspend.
    """

    def __init__(self, lanes: Lanes, ledger: Ledger, pace: Pace | None) -> None:
        self._lanes = lanes
        self._ledger = ledger
        self._pace = pace
        self._task: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()  # cancelled, but not done yet
        self._newcomer = Alarm()
        self._last_grant = 0.0
        self._paused_until = -math.inf
        self._restart_due = False  # after a pause the flow goes on at the pace, not in a burst

    def bind(self, loop: asyncio.AbstractEventLoop, shift: float) -> None:
        """Go on in ``loop``. The ledger is bound first. No call waits in the last loop any more."""
        self._loop = loop
        self._task = None
        self._stopping = set()
        self._newcomer = Alarm()
        self._last_grant += shift
        self._paused_until += shift
        self.replay()

    def replay(self) -> None:
        """Count the sends that the ledger knows of in the pace, too."""
        if self._pace is not None:
            self._pace.replay(self._ledger.recent())

    # -- pauses --------------------------------------------------------------------------------

    def pause_until(self, when: float) -> bool:
        """Pause until then. A pause is never shortened: False if the present one ends later."""
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
        """A slot, if no call waits, no pause lasts, and a token and a slot are free."""
        if self._lanes or now < self._paused_until:
            return None
        self._restart_after_pause()
        if self._pace is not None and not self._pace.ready():
            return None
        slot = self._ledger.take()
        if slot is not None:
            if self._pace is not None:
                self._pace.take()
                slot.when_unsent(self._token_is_back)
            self._last_grant = now
        return slot

    def start(self, newcomer: Priority) -> None:
        """Serve the lanes, which a call has joined."""
        # `done()`, not None: an eager task can be over before `create_task` returns, so what the
        # task itself would write here would be overwritten by this assignment.
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._serve(), name="harbour-budget")
            if not self._task.done():
                self._task.add_done_callback(self._ended)
        elif newcomer is Priority.INTERACTIVE:
            self._newcomer.wake()

    def stop(self) -> None:
        """Cancel the task: no call waits any more."""
        task, self._task = self._task, None
        if task is not None and task.cancel():
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def aclose(self) -> None:
        """Stop, and wait until the task has given back any slot that it was about to grant."""
        self.stop()
        if self._stopping:
            await asyncio.wait(self._stopping)

    def _token_is_back(self, slot: Slot) -> None:
        """Nothing was sent with it."""
        if slot.taken_at < self._paused_until:
            return  # tokens from before a pause would make a burst after it
        assert self._pace is not None
        self._pace.give_back()
        if self._lanes and not self._loop.is_closed():
            self.restart()  # the task may already wait for the next token; this one is there now

    def restart(self) -> None:
        """Begin again, as the task may wait for something that is there by now."""
        self.stop()
        self.start(Priority.BULK)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Other code cancelled the task ("cancel all tasks"), but calls still wait.
        if task is self._task and self._lanes and not self._loop.is_closed():
            self.start(Priority.BULK)

    async def _serve(self) -> None:
        try:
            while self._lanes:
                await self._wait_out_pause()
                # The token comes before the slot: a slot is of use to other processes, too.
                if self._pace is not None:
                    await self._pace.hold()
                    await self._spread(self._pace)
                self._grant(await self._reserve())
        except Exception as error:  # no call may wait for a task that has ended
            self._lanes.fail(error)

    async def _wait_out_pause(self) -> None:
        while wait := self.paused_for():  # noqa: ASYNC110 - a time, which may move meanwhile
            await asyncio.sleep(wait)
        self._restart_after_pause()

    async def _spread(self, pace: Pace) -> None:
        """Keep some slots free for interactive calls until the next slot comes back.

        A burst and the pace together use up the slots before the first of them comes back.
        Then every call would have to wait for it, so bulk calls are spread over that time.
        """
        spread = False
        while not self._lanes.waiting().interactive:
            _, free, next_free_at = self._ledger.outlook()
            now = self._loop.time()
            if not free or next_free_at is None or next_free_at - now < MAX_GAP * pace.interval:
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
            self._pace.drop_savings()
        return slot

    def _grant(self, slot: Slot) -> None:
        # The waiter is chosen as late as possible, so that an interactive newcomer goes first. A
        # pause may have begun while the task waited for the slot.
        now = self._loop.time()
        waiter = None if now < self._paused_until else self._lanes.pop()
        if waiter is None:
            slot.unsent()
            return
        if self._pace is not None:
            self._pace.spend()
            slot.when_unsent(self._token_is_back)
        self._last_grant = now
        waiter.set_result(slot)

    # -- forecasts -----------------------------------------------------------------------------

    def earliest(self, priority: Priority, now: float) -> float:
        """The loop time at which a call made now gets its turn, if no call before it gives up."""
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
