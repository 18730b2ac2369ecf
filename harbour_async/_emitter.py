"""Makes the events of each call, and hands them to the listeners."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType
from typing import Self

from harbour_async import _logging
from harbour_async._callbacks import check_function
from harbour_async._retry import AlreadyDeletedError
from harbour_async.errors import APIStatusError, ResponseTooLargeError
from harbour_async.events import (
    AttemptEnded,
    AttemptStarted,
    BudgetPaused,
    CallEnded,
    CallStarted,
    Event,
    Listener,
    RetryScheduled,
)
from harbour_async.settings import Priority

_call_ids = itertools.count(1)
_ANSWERED = (APIStatusError, ResponseTooLargeError)
_NOTHING: AbstractContextManager[object] = nullcontext()


def listeners(given: Listener | Iterable[Listener] | None) -> tuple[Listener, ...]:
    """``on_event`` as a tuple. Raises ConfigurationError for what cannot listen."""
    if given is None:
        return ()
    if callable(given) or not isinstance(given, Iterable):
        given = (given,)
    found = tuple(given)
    for listener in found:
        check_function("on_event", listener, "a function, or several in a list")
    return found


class Emitter:
    """The stream of events of one session and its views.

    Logging is always one of the listeners. Events of each call and attempt are made only if there
    is a listener for them, which is checked once a call.
    """

    def __init__(self, given: Sequence[Listener], address: str, port: int) -> None:
        self.address = address
        self.port = port
        self._users = tuple(given)
        self.all: tuple[Listener, ...] = (_logging.log, *self._users)
        self._reported: list[Listener] = []

    def begin(self, method: str, template: str, lane: Priority) -> CallEvents:
        """The events of one call."""
        listening = self.all if _logging.wants_each_call() else self._users
        return CallEvents(self, listening, (next(_call_ids), method, template, lane))

    def emit(self, to: Sequence[Listener], event: Event) -> None:
        for listener in to:
            try:
                listener(event)
            # A listener that raises CancelledError would end the call as a real cancellation does.
            except (Exception, asyncio.CancelledError):
                self._report(listener)

    def _report(self, listener: Listener) -> None:
        if any(known is listener for known in self._reported):
            return
        self._reported.append(listener)
        with suppress(Exception):  # it may be logging itself that fails
            _logging.report(listener)


class CallEvents:
    """The events of one call; a context manager around all of it.

    ``status`` is that of the last answer; the code that reads an answer sets it.
    """

    __slots__ = (
        "_attempt",
        "_began",
        "_emitter",
        "_facts",
        "_listeners",
        "_loop",
        "_waited",
        "_waits_since",
        "status",
    )

    def __init__(
        self, emitter: Emitter, to: Sequence[Listener], facts: tuple[int, str, str, Priority]
    ) -> None:
        self.status: int | None = None
        self._emitter = emitter
        self._listeners = to
        self._facts = facts
        self._loop = asyncio.get_running_loop()
        self._attempt = 0
        self._waited = 0.0
        self._waits_since: float | None = None

    def __enter__(self) -> Self:
        if self._listeners:
            self._began = self._loop.time()
            self._emit(CallStarted(*self._facts))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._listeners:
            return
        self.has_its_turn()  # or gave up waiting for it
        self._emit(
            CallEnded(
                *self._facts,
                self._attempt,
                self.status,
                _name(error),
                self._since(self._began),
                self._waited,
            )
        )

    def waits(self) -> None:
        """The call begins to wait for the budget."""
        if self._listeners:
            self._waits_since = self._loop.time()

    def has_its_turn(self) -> float:
        """The wait for the budget has ended; its seconds."""
        if self._waits_since is None:
            return 0.0
        wait, self._waits_since = self._since(self._waits_since), None
        self._waited += wait
        return wait

    def attempt(self, wait: float) -> AbstractContextManager[object]:
        """Begin one attempt, which waited ``wait`` seconds for its turn; a context around it."""
        self.status = None
        self._attempt += 1
        if not self._listeners:
            return _NOTHING
        self._emit(
            AttemptStarted(
                *self._facts,
                self._attempt,
                wait,
                self._emitter.address,
                self._emitter.port,
            )
        )
        return _Attempt(self, self._loop.time())

    def paused(self, seconds: float) -> None:
        """An attempt was answered with 429, and the budget is paused."""
        event = BudgetPaused(*self._facts, self._attempt, 429, seconds)
        self._emitter.emit(self._emitter.all, event)

    def retries(self, error: Exception, delay: float) -> None:
        """The request will be sent again because of ``error``, after ``delay`` seconds."""
        why = (_status(error), type(error).__name__)
        event = RetryScheduled(*self._facts, self._attempt, *why, delay)
        self._emitter.emit(self._emitter.all, event)

    def attempt_ended(self, error: BaseException | None, began: float) -> None:
        self.status = self.status or _status(error)
        self._emit(
            AttemptEnded(
                *self._facts,
                self._attempt,
                self.status,
                _name(error),
                self._since(began),
                self._emitter.address,
                self._emitter.port,
            )
        )

    def _emit(self, event: Event) -> None:
        self._emitter.emit(self._listeners, event)

    def _since(self, moment: float) -> float:
        # The garbage collector may end a dropped call after its loop was closed.
        return 0.0 if self._loop.is_closed() else self._loop.time() - moment


class _Attempt:
    __slots__ = ("_began", "_call")

    def __init__(self, call: CallEvents, began: float) -> None:
        self._call = call
        self._began = began

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._call.attempt_ended(error, self._began)


def _status(error: BaseException | None) -> int | None:
    return error.status if isinstance(error, _ANSWERED) else None


def _name(error: BaseException | None) -> str | None:
    """The name of the error's class; None for an error that is not raised to the user."""
    if error is None or isinstance(error, AlreadyDeletedError):
        return None
    return type(error).__name__
