"""A session's life: the calls under way, the event loop they run in, and the end of both."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from harbour_async._transport import AttemptState, Transport
from harbour_async.errors import ConfigurationError, SessionClosedError

if TYPE_CHECKING:
    from harbour_async._transport import Answer
    from harbour_async._wire import Request
    from harbour_async.settings import Priority

_END_TIMEOUT = 1.0
"""Seconds that woken calls get to end. Only code of the user can make one take longer."""


class Call:
    """One call: its request, lane and deadline (in the loop's time), and how far it has come.

    ``guard`` is the timeout around all of it. It fires at the deadline, and when the session is
    closed: that wakes the call wherever it waits.
    """

    __slots__ = (
        "_sent",
        "_state",
        "answer",
        "attempts",
        "began",
        "deadline",
        "guard",
        "priority",
        "request",
    )

    answer: Answer
    guard: asyncio.Timeout

    def __init__(self, request: Request, priority: Priority, deadline: float | None) -> None:
        self.request: Request = request
        self.priority: Priority = priority
        self.deadline: float | None = deadline
        self.attempts: int = 0
        self.began: float = asyncio.get_running_loop().time()
        self._state: AttemptState | None = None
        self._sent = False

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return asyncio.get_running_loop().time() - self.began

    @property
    def on_its_way(self) -> bool:
        """Whether an attempt is under way of which bytes may have left."""
        return self._state is not None and self._state.sent

    @property
    def sent(self) -> bool:
        """Whether any attempt may have reached the API without being turned away."""
        return self._sent or self.on_its_way

    def begin_attempt(self) -> AttemptState:
        self.attempts += 1
        self._state = AttemptState()
        return self._state

    def end_attempt(self, *, turned_away: bool) -> None:
        self._sent |= self.on_its_way and not turned_away
        self._state = None

    def wake(self) -> None:
        if not self.guard.expired():
            self.guard.reschedule(asyncio.get_running_loop().time())


class Lifetime:
    """Opens the transport at the first call, and closes it after the last."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.closed: bool = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        self._calls: set[Call] = set()
        self._pauses: set[asyncio.Future[None]] = set()
        self._idle: asyncio.Future[None] | None = None

    @property
    def abandoned(self) -> bool:
        """Whether connections stay open if the session is dropped now."""
        return self.transport.opened and not self.closed

    @property
    def inherited(self) -> bool:
        """Whether this process is a forked child, and the connections are still its parent's."""
        return self._pid != os.getpid() and self._loop is not None and not self._loop.is_closed()

    def check_open(self) -> None:
        if self.closed:
            raise SessionClosedError("this HarbourSession is closed: make a new one")

    def claim(self) -> None:
        """Raise SessionClosedError, or ConfigurationError in a second event loop or a fork."""
        self.check_open()
        loop = asyncio.get_running_loop()
        # A forked child can run the loop object of its parent, so the loop alone is not enough.
        if loop is not self._loop or os.getpid() != self._pid:
            self._move_to(loop)

    def enter(self, call: Call) -> None:
        """Begin a call; raises what ``claim`` raises."""
        self.claim()
        self._calls.add(call)

    def leave(self, call: Call) -> None:
        self._calls.discard(call)
        if self._idle is not None and not self._calls and not self._idle.done():
            self._idle.set_result(None)

    async def pause(self, seconds: float, early: asyncio.Future[None] | None = None) -> None:
        """Sleep between calls; ``early`` ends the sleep when it is done.

        Raises SessionClosedError as soon as the session is closed.
        """
        self.claim()
        loop = asyncio.get_running_loop()
        woken = loop.create_future() if early is None else early
        timer = loop.call_later(max(0.0, seconds), _wake_up, woken)
        self._pauses.add(woken)
        try:
            await woken
        finally:
            timer.cancel()
            self._pauses.discard(woken)
        self.check_open()

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.inherited:
            # Two processes that read from one connection get each other's answers.
            raise ConfigurationError(
                "this session was used before this process was forked, and its connections belong "
                "to the parent process: make a session in the child, inside the function that "
                "asyncio.run() is given"
            )
        if self._loop is not None and not self._loop.is_closed():
            raise ConfigurationError(
                "this session belongs to another event loop, which is still open: make one "
                "session for each loop, inside the function that asyncio.run() is given"
            )
        if self._loop is not None:
            # asyncio warns of sockets that were open when their loop was closed. It is right to.
            self.transport.abandon()
            self._calls.clear()
            self._pauses.clear()
        self._loop, self._pid = loop, os.getpid()

    async def aclose(self, grace: float | None = None) -> None:
        """Refuse new calls, wake those that wait, and close the connections.

        Calls that are on their way get ``grace`` seconds to finish.
        """
        loop = asyncio.get_running_loop()
        if self.inherited:
            raise ConfigurationError("close this session in the process in which it was used")
        if self._loop is not None and self._loop is not loop and not self._loop.is_closed():
            raise ConfigurationError("close this session in the event loop in which it was used")
        self.closed = True
        if self._loop is not loop:
            self.transport.abandon()
            return
        for woken in self._pauses:
            _wake_up(woken)
        try:
            if grace:
                self._wake(lambda call: not call.on_its_way)
                await self._until_idle(grace)
        finally:
            self._wake(lambda _: True)
            await self._until_idle(_END_TIMEOUT)
            await self.transport.aclose()

    def _wake(self, which: Callable[[Call], bool]) -> None:
        for call in self._calls:
            if which(call):
                call.wake()

    async def _until_idle(self, seconds: float) -> None:
        if self._calls:
            if self._idle is None or self._idle.done():
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._idle], timeout=seconds)


def _wake_up(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
