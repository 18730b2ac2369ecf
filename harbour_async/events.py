"""The events that a session sends to its listeners: ``HarbourSession(on_event=...)``.

::

    def on_event(event: Event) -> None:
        if isinstance(event, CallEnded):
            print(event.method, event.template, event.status, event.duration)

A call is one request with all its attempts; each page of a listing is a call. Its events come in
this order, in the task that makes the call::

    CallStarted
        AttemptStarted, AttemptEnded    once for each time it is sent
        BudgetPaused                    after a 429
        RetryScheduled                  if it will be sent again
    CallEnded

No event holds an id, a query, a body, a header or a server's message: answers and queries hold
personal data. ``error`` is the name of the error's class.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from harbour_async.settings import Priority

# Without slots, because attrs takes four times as long to fill a frozen object that has slots.


@frozen(slots=False)
class Event:
    """The attributes of all events.

    call_id: a number that no other call of this process has.
    method: the HTTP method.
    template: the path with names in place of ids, ``/verifications/{verification_id}``; for
    ``session.request()`` only the first segment of the path.
    lane: the lane in which the call waits for the budget.
    """

    call_id: int
    method: str
    template: str
    lane: Priority


@frozen(slots=False)
class CallStarted(Event):
    """A call begins; nothing is sent yet."""


@frozen(slots=False)
class AttemptStarted(Event):
    """The budget let the call go, and it is being sent.

    attempt: 1 for the first.
    budget_wait: seconds that this attempt waited for its turn, pauses included.
    server_address, server_port: of the API.
    """

    attempt: int
    budget_wait: float
    server_address: str
    server_port: int


@frozen(slots=False)
class AttemptEnded(Event):
    """An answer came, or none will come.

    status: None without an answer.
    error: None for a success, otherwise the name of the error's class, such as "NotFoundError";
    "CancelledError" if it was cancelled, its deadline passed, or the session was closed.
    duration: seconds from AttemptStarted.
    server_address, server_port: of the API.
    """

    attempt: int
    status: int | None
    error: str | None
    duration: float
    server_address: str
    server_port: int


@frozen(slots=False)
class BudgetPaused(Event):
    """A 429 stopped all senders of the budget.

    attempt: the number of the attempt that was answered with 429.
    duration: seconds for which nothing is sent.
    """

    attempt: int
    status: int
    duration: float


@frozen(slots=False)
class RetryScheduled(Event):
    """The call failed and will be sent again.

    attempt: the number of the attempt that failed; 0 if the budget could not be reached, so that
    nothing was sent.
    status, error: why it failed, as in AttemptEnded.
    duration: seconds until it may be sent again; it waits for its turn after that.
    """

    attempt: int
    status: int | None
    error: str
    duration: float


@frozen(slots=False)
class CallEnded(Event):
    """The call is over: it succeeded, failed or was cancelled. Every CallStarted has one.

    attempt: how many attempts were sent.
    status: of the last attempt's answer, None without one.
    error: None for a success, otherwise the name of the class of the error that is raised to the
    caller. A DELETE whose answer was lost and whose repetition is answered with 404 is a success.
    duration: seconds from CallStarted.
    budget_wait: seconds of the duration in which its attempts waited for the budget.
    """

    attempt: int
    status: int | None
    error: str | None
    duration: float
    budget_wait: float


Listener = Callable[[Event], object]
