"""When to send again, and how long to wait before. The only module that knows backoff.

backoff runs the loop of attempts; the deadline is kept here, because backoff measures it with the
wall clock and lets the last attempt overrun it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import backoff
from attrs import define

from harbour_async._wire import IDEMPOTENT
from harbour_async.errors import (
    APIConnectionError,
    APIStatusError,
    HarbourError,
    NotFoundError,
    RateLimitError,
)
from harbour_async.settings import Retry

T = TypeVar("T")

OnRetry = Callable[[Exception, float], None]
"""Called with the failure, and the seconds after which the request is sent again."""

# 5xx above 511 are those of gateways and CDNs, which have no standard.
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504, *range(520, 525), 527, 529, 530}
# The request may have been carried out: the answer was lost by a gateway or by a later fault.
_ANSWER_LOST = {500, 502, 504, 520, 522, 524, 527}


class AlreadyDeletedError(HarbourError):
    """A DELETE was not found when it was sent again, after an earlier answer had been lost."""


async def retried(
    first: HarbourError,
    attempt: Callable[[], Awaitable[T]],
    *,
    method: str,
    policy: Retry,
    deadline: float | None,
    pause: Callable[[float], float],
    closed: Callable[[], bool] = lambda: False,
    on_retry: OnRetry = lambda error, delay: None,  # noqa: ARG005
) -> T:
    """Go on after an attempt failed with ``first``, until one succeeds or none may follow.

    Raises the last error. ``deadline`` is in the loop's time: a wait that would pass it is not
    begun. ``pause`` gets the seconds for which a 429 asks the session to pause, and returns for how
    many it does; the next ``attempt`` has to respect that. Once ``closed()``, none is begun.
    """
    failures = [first]  # the first attempt that backoff sees
    del first  # otherwise its traceback and this frame would keep each other alive
    retries = _Retries(method, policy, deadline, pause, closed, on_retry)

    @backoff.on_exception(
        backoff.runtime,
        HarbourError,
        value=retries.wait,
        giveup=retries.gives_up,
        max_tries=policy.attempts,
        jitter=None,  # backoff's own would undercut Retry-After
        logger=None,
    )
    async def attempts() -> T:
        if failures:
            raise failures.pop()
        return await attempt()

    try:
        return await attempts()
    except NotFoundError as error:
        if method == "DELETE" and retries.answer_lost:
            raise AlreadyDeletedError("was not found after an answer had been lost") from error
        raise


@define(eq=False)
class _Retries:
    """Decides whether a request is sent again, and after how many seconds."""

    method: str
    policy: Retry
    deadline: float | None
    pause: Callable[[float], float]
    closed: Callable[[], bool]
    on_retry: OnRetry
    attempt: int = 0
    answer_lost: bool = False
    delay: float = 0.0
    held: float = 0.0

    def gives_up(self, error: Exception) -> bool:
        """Whether this failure is final; also sets the wait before the next attempt."""
        doublings = min(self.attempt, 64)  # a float ends at 1,023
        ceiling = min(self.policy.max_delay, self.policy.base_delay * 2.0**doublings)
        self.attempt += 1
        floor = error.retry_after if isinstance(error, APIStatusError) else None
        self.delay = max(floor or 0.0, random.uniform(0.0, ceiling))
        if isinstance(error, RateLimitError):
            self.delay = ceiling if floor is None else self.delay
            self.held = self.pause(min(self.delay, self.policy.max_retry_after))
        if _lost_answer(error):
            self.answer_lost = True
        return (
            self.closed()
            or not _may_be_sent_again(self.method, error)
            or (floor or 0.0) > self.policy.max_retry_after
            or self._too_late()
        )

    def _too_late(self) -> bool:
        if self.deadline is None:
            return False
        return asyncio.get_running_loop().time() + self.delay >= self.deadline

    def wait(self, error: Exception) -> float:
        self.on_retry(error, self.delay)
        # After a 429 the budget pauses all calls, and this one keeps its place among them. So do
        # not wait here, too, unless the budget pauses for less. (It has paused for a moment
        # already: hence the 0.01.)
        held = isinstance(error, RateLimitError) and self.held >= self.delay - 0.01
        return 0.0 if held else self.delay


def _may_be_sent_again(method: str, error: Exception) -> bool:
    idempotent = method in IDEMPOTENT
    if isinstance(error, APIConnectionError):
        return not error.final and (idempotent or not error.sent)
    if isinstance(error, APIStatusError):
        return error.status == 429 or (idempotent and error.status in _TRANSIENT)
    return False


def _lost_answer(error: Exception) -> bool:
    if isinstance(error, APIConnectionError):
        return error.sent
    return isinstance(error, APIStatusError) and error.status in _ANSWER_LOST
