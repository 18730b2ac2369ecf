"""One API call: retry around budget around transport, under one deadline."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve, frozen

from harbour_async import _wire
from harbour_async._emitter import CallEvents, Emitter
from harbour_async._lifetime import Call, Lifetime
from harbour_async._retry import retried
from harbour_async.errors import (
    APIConnectionError,
    ConfigurationError,
    DeadlineExceededError,
    DecodeError,
    HarbourError,
    SessionClosedError,
)
from harbour_async.settings import (
    Inherit,
    Priority,
    Retry,
    Seconds,
    Timeout,
    is_duration,
    seconds,
)

if TYPE_CHECKING:
    from harbour_async._keys import Keys, Secret
    from harbour_async._transport import Answer
    from harbour_async._wire import Request
    from harbour_async.budget import Budget

T = TypeVar("T")


class _SourceError(Exception):
    """Carries what the caller's source of keys raised past everything that retries."""

    def __init__(self, error: Exception) -> None:
        self.error = error


@frozen(eq=False)
class Caller:
    """What the resources send their requests through; views of a session have their own."""

    life: Lifetime
    budget: Budget
    keys: Keys
    emitter: Emitter
    timeout: Timeout
    retry: Retry
    priority: Priority | None = None
    read_only: bool = False

    def evolve(self, timeout: Timeout, retry: Retry, priority: Priority | None) -> Caller:
        """The same calls with other defaults."""
        return evolve(self, timeout=timeout, retry=retry, priority=priority)

    def lane(self, given: Priority | Inherit, default: Priority) -> Priority:
        """The lane of a call: its own, the view's, or that of its kind."""
        lane = (self.priority or default) if isinstance(given, Inherit) else given
        if not isinstance(lane, Priority):
            raise ConfigurationError(f"priority must be a Priority, not {lane!r}")
        return lane

    def deadline(self, timeout: Seconds | Inherit | None) -> float | None:
        """When a call that begins now has to end, in the loop's time."""
        limit = self.timeout.total if isinstance(timeout, Inherit) else time_limit(timeout)
        return None if limit is None else asyncio.get_running_loop().time() + limit

    async def call(
        self,
        request: Request,
        read: Callable[[Call], T],
        *,
        priority: Priority,
        deadline: float | None,
    ) -> T:
        """What ``read`` makes of the successful answer.

        ``deadline`` is in the loop's time and covers everything: waiting for the budget, every
        attempt and every pause. Raises the error of the last attempt, DeadlineExceededError or
        SessionClosedError; each says which request it is about. A call begins and ends here.
        """
        if self.read_only and request.method != "GET":
            raise ConfigurationError(f"this session is read-only: {request.info} was not sent")
        with self.emitter.begin(request.method, request.template, priority) as events:
            return await self._carry_out(Call(request, priority, deadline), events, read)

    async def _carry_out(self, call: Call, events: CallEvents, read: Callable[[Call], T]) -> T:
        first: list[HarbourError] = []  # the error of the first attempt, if it failed
        failure: Exception
        try:
            async with asyncio.timeout_at(call.deadline) as call.guard:
                self.life.enter(call)
                try:
                    # What succeeds at once, and most does, does not pay for retrying.
                    try:
                        await self._attempt(call, events)
                    except HarbourError as error:
                        first.append(error)
                    if first:
                        await self._retry(first.pop(), call, events)
                finally:
                    self.life.leave(call)
                return read(call)
        except HarbourError as error:
            failure = named(error, call)
        except _SourceError as wrapped:
            failure = wrapped.error
        except TimeoutError:  # the guard's own
            failure = named(self._cut_short(), call)
        # Raised out here, so that it has no context.
        try:
            raise failure
        finally:
            del failure  # or it and this frame would keep each other

    def _retry(self, first: HarbourError, call: Call, events: CallEvents) -> Awaitable[None]:
        return retried(
            first,
            lambda: self._attempt(call, events),
            method=call.request.method,
            policy=self.retry,
            deadline=call.deadline,
            pause=lambda seconds: self._pause(seconds, events),
            on_retry=events.retries,
            closed=lambda: self.life.closed,
        )

    async def _attempt(self, call: Call, events: CallEvents) -> None:
        """One attempt begins and ends here; raises APIStatusError for an answer other than 2xx."""
        self.life.check_open()
        events.waits()
        slot = await self.budget.acquire(call.priority, deadline=call.deadline)
        wait = events.has_its_turn()
        try:
            self.life.check_open()  # it may have been closed meanwhile
            secret = self.keys.fixed or await self._asked_key()
            attempt = events.attempt(wait)
        except BaseException:
            slot.unsent()
            raise
        with attempt:
            answer = None
            try:
                answer = await self.life.transport.send(
                    call.request, secret, slot, self.timeout, call.begin_attempt()
                )
            finally:
                call.end_attempt(turned_away=answer is not None and answer.status == 429)
            events.status = answer.status
            if not 200 <= answer.status < 300:
                raise self._error_from(call.request, answer)
        call.answer = answer

    def _pause(self, seconds: float, events: CallEvents) -> float:
        self.budget.pause(seconds)
        paused = self.budget.snapshot().paused_for
        events.paused(paused)
        return paused

    async def _asked_key(self) -> Secret:
        try:
            return await self.keys.ask()
        except StopAsyncIteration as error:
            # To the loop over a listing it would be the listing's end.
            stop = RuntimeError("the source of the API key raised StopAsyncIteration")
            stop.__cause__ = error
            raise _SourceError(stop) from None
        except Exception as error:
            raise _SourceError(error) from None

    def _error_from(self, request: Request, answer: Answer) -> HarbourError:
        return _wire.error_from(
            request,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            redact=self.keys.redact,
        )

    def _cut_short(self) -> HarbourError:
        if self.life.closed:
            return SessionClosedError("the session was closed while this call was under way")
        return DeadlineExceededError("was not finished in its time")


def named(error: HarbourError, call: Call) -> HarbourError:
    """The error with the request it is about, and what is known of all its attempts."""
    error.request = call.request.info
    error.attempts = call.attempts
    if isinstance(error, SessionClosedError | DeadlineExceededError):
        error.sent = call.sent
    elif isinstance(error, APIConnectionError):
        error.sent = error.sent or call.sent
    elif isinstance(error, DecodeError):
        error.status = call.answer.status
        error.content_type = _wire.content_type(call.answer.headers)
        error.size = len(call.answer.body)
        # A parser's error may quote the body, and its frames hold it.
        error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


def time_limit(timeout: Seconds | None, name: str = "timeout") -> float | None:
    """A call's own limit in seconds."""
    limit = seconds(timeout)
    if limit is not None and not (is_duration(limit) or limit == math.inf):
        raise ConfigurationError(f"{name} must be above zero seconds, or None, not {timeout!r}")
    return limit
