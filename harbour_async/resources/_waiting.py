"""The calls of one session that wait for verifications."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from attrs import define, field

from harbour_async._frames import separate
from harbour_async._lifetime import Lifetime
from harbour_async.errors import ConfigurationError, DeadlineExceededError, RequestInfo
from harbour_async.models import Verification, VerificationStatus
from harbour_async.resources._polling import Polling
from harbour_async.settings import Priority, RateLimit

if TYPE_CHECKING:
    from harbour_async.resources._sources import Sources


def finished(verification: Verification) -> bool:
    """Whether it is completed or cancelled. An unknown status counts as not finished."""
    return verification.status in (VerificationStatus.COMPLETED, VerificationStatus.CANCELLED)


@define(eq=False)
class Waiter:
    """One call of ``wait_for``.

    ``fetched`` is True once the verification was fetched for this call, or could not be; ``polls``
    counts the polls since.
    """

    verification_id: str
    until: Callable[[Verification], bool]
    priority: Priority
    answer: asyncio.Future[Verification]
    fetched: bool = False
    polls: int = 0
    last_status: str | None = None
    context: contextvars.Context = field(factory=contextvars.copy_context)
    """The caller's, for ``until``: the polling runs in none of its waiters'."""

    @property
    def open(self) -> bool:
        return not self.answer.done()

    def show(self, verification: Verification) -> None:
        """Take a version of the verification. What ``until`` raises goes to this waiter only."""
        if not self.open:
            return
        self.last_status = verification.status
        try:
            met = self.context.run(self.until, verification)
            if inspect.isawaitable(met):
                raise _not_awaited(met)
            if met:
                self.answer.set_result(verification)
        except asyncio.CancelledError:  # as of a future that ``until`` asks
            self.answer.cancel()
        except Exception as error:
            self.answer.set_exception(_settable(error))

    def fail(self, error: Exception) -> None:
        if self.open:
            self.answer.set_exception(separate(error))


class Waiters:
    """The waiters, by the verification's id."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[Waiter]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def add(self, waiter: Waiter) -> None:
        self._by_id.setdefault(waiter.verification_id, []).append(waiter)

    def remove(self, waiter: Waiter) -> None:
        same = self._by_id.get(waiter.verification_id, [])
        if waiter in same:
            same.remove(waiter)
        if not same:
            self._by_id.pop(waiter.verification_id, None)

    def open(self) -> list[Waiter]:
        """The waiters without an answer."""
        return [waiter for same in self._by_id.values() for waiter in same if waiter.open]

    def of(self, verification_id: str | None) -> Iterable[Waiter]:
        return self._by_id.get(verification_id or "", ())


class SharedWait:
    """Lets calls wait. While there are any, one task polls for all of them."""

    def __init__(self, source: Sources, life: Lifetime, limit: RateLimit) -> None:
        self._source = source
        self._life = life
        self._limit = limit
        self._waiters = Waiters()
        self._polling: Polling | None = None
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self,
        verification_id: str,
        *,
        until: Callable[[Verification], bool],
        priority: Priority,
        timeout: float | None,
    ) -> Verification:
        """Wait until ``until(verification)`` is true; that verification."""
        self._life.claim()
        answer: asyncio.Future[Verification] = asyncio.get_running_loop().create_future()
        waiter = Waiter(verification_id, until, priority, answer)
        polling = self._join(waiter)
        try:
            async with asyncio.timeout(timeout) as guard:
                return await answer
        except TimeoutError:
            if not guard.expired():
                raise  # the waiter's own ``until`` raised it
        finally:
            self._leave(waiter)
        raise _too_late(waiter) from polling.last_error

    def _join(self, waiter: Waiter) -> Polling:
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:
            self._waiters = Waiters()  # their loop was closed
            self._task = None
        self._waiters.add(waiter)
        if self._polling is not None and self._task is not None and not self._task.done():
            self._polling.wake()
            return self._polling
        self._polling = Polling(self._source, self._life, self._limit, self._waiters)
        # The task polls for all calls, so it does not run in the context of one of them.
        self._task = loop.create_task(
            _run(self._polling, self._waiters), context=contextvars.Context()
        )
        return self._polling

    def _leave(self, waiter: Waiter) -> None:
        self._waiters.remove(waiter)
        if waiter.answer.done() and not waiter.answer.cancelled():
            waiter.answer.exception()  # marks it as seen
        if not self._waiters and self._task is not None:
            self._task.cancel()
            self._task = None
            self._waiters = Waiters()  # the next call gets a task of its own


async def _run(polling: Polling, waiters: Waiters) -> None:
    try:
        await polling.run()
    except Exception as error:
        for each in waiters.open():
            each.fail(error)
    finally:
        for each in waiters.open():  # cancelled from outside, as at the end of a loop
            each.answer.cancel()


def _too_late(waiter: Waiter) -> DeadlineExceededError:
    last = waiter.last_status
    why = "its status could not be read" if last is None else "the condition was not met"
    error = DeadlineExceededError(f"the wait timed out: {why}")
    error.request = RequestInfo("GET", f"/verifications/{waiter.verification_id}")
    error.last_status = last
    error.sent = waiter.fetched
    return error


def _not_awaited(met: Awaitable[object]) -> ConfigurationError:
    """Of an ``until`` that proves to be asynchronous: what it returns would be taken for true."""
    if inspect.iscoroutine(met):
        met.close()  # so that Python does not warn of it
    return ConfigurationError("until must be an ordinary function: it returned an awaitable")


def _settable(error: Exception) -> Exception:
    """The error, or a RuntimeError in place of a StopIteration, which a future does not accept."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("until raised StopIteration")
    wrapped.__cause__ = error
    return wrapped
