"""What a session tells its listeners: ``HarbourSession(on_event=...)``.

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

# Without slots, because attrs fills a frozen object that has some in four times the time.


@frozen(slots=False)
class Event:
    """What all events say.

    call_id: a number that no other call of this process has.
    template: the path with names in place of ids, ``/verifications/{verification_id}``; of what
    ``session.request()`` sends, the first segment.
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
    """The call got its turn, and is being sent.

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
    """An answer is here, or none will come.

    status: None without an answer.
    error: None for a success, else "NotFoundError" and the like; "CancelledError" if it was left,
    came to its deadline, or the session was closed.
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

    attempt: the one that was answered with 429.
    duration: seconds for which nothing is sent.
    """

    attempt: int
    status: int
    duration: float


@frozen(slots=False)
class RetryScheduled(Event):
    """The call failed and will be sent again.

    attempt: the one that failed; 0 if the budget could not be asked, and nothing was sent.
    status, error: why.
    duration: seconds until it may be sent again; it waits for its turn after that.
    """

    attempt: int
    status: int | None
    error: str
    duration: float


@frozen(slots=False)
class CallEnded(Event):
    """The call is over, however that came about. Every CallStarted has one.

    attempt: how often it was sent.
    status: of the last answer, None without one.
    error: None for a success, else the class of what is raised to the caller. A DELETE that found
    nothing any more, after an answer had been lost, is a success.
    duration: seconds from CallStarted.
    budget_wait: seconds of these that all attempts waited for their turn.
    """

    attempt: int
    status: int | None
    error: str | None
    duration: float
    budget_wait: float


Listener = Callable[[Event], object]
