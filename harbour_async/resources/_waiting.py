"""All who wait for verifications of one session."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from copy import copy
from typing import TYPE_CHECKING

from attrs import define

from harbour_async._lifetime import Lifetime
from harbour_async.errors import DeadlineExceededError, RequestInfo
from harbour_async.models import Verification, VerificationStatus
from harbour_async.resources._polling import Polling
from harbour_async.settings import Priority, RateLimit

if TYPE_CHECKING:
    from harbour_async.resources._sources import Sources


def finished(verification: Verification) -> bool:
    """Completed or cancelled; a status that is not known says nothing."""
    return verification.status in (VerificationStatus.COMPLETED, VerificationStatus.CANCELLED)


@define(eq=False)
class Waiter:
    """One call of ``wait_for``.

    ``looked`` once the verification was fetched for it, or could not be; ``polls`` counts how often
    it was asked for since.
    """

    verification_id: str
    until: Callable[[Verification], bool]
    priority: Priority
    answer: asyncio.Future[Verification]
    looked: bool = False
    polls: int = 0
    last_status: str | None = None

    @property
    def open(self) -> bool:
        return not self.answer.done()

    def show(self, verification: Verification) -> None:
        """A version of the verification; what ``until`` raises is this waiter's own affair."""
        if not self.open:
            return
        self.last_status = verification.status
        try:
            if self.until(verification):
                self.answer.set_result(verification)
        except Exception as error:
            self.answer.set_exception(_settable(error))

    def fail(self, error: Exception) -> None:
        if self.open:
            self.answer.set_exception(copy(error))  # or all would add to one traceback


class Waiters:
    """Those who wait, by the verification's id."""

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
        """Those that have no answer yet."""
        return [waiter for same in self._by_id.values() for waiter in same if waiter.open]

    def of(self, verification_id: str | None) -> Iterable[Waiter]:
        return self._by_id.get(verification_id or "", ())


class Waiting:
    """Lets callers wait, and has one task poll for all of them while there are any."""

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
        """The verification once ``until`` holds of it."""
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
        raise _too_late(waiter) from polling.trouble

    def _join(self, waiter: Waiter) -> Polling:
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:
            self._waiters = Waiters()  # their loop was closed under them
            self._task = None
        self._waiters.add(waiter)
        if self._polling is not None and self._task is not None and not self._task.done():
            self._polling.wake()
            return self._polling
        self._polling = Polling(self._source, self._life, self._limit, self._waiters)
        # The polling belongs to all who wait, and so to the context of none.
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
            self._waiters = Waiters()  # whoever comes next has nothing to do with that task


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
    seen = "its status could not be read" if last is None else "it is not what was waited for yet"
    error = DeadlineExceededError(f"was waited for in vain: {seen}")
    error.request = RequestInfo("GET", f"/verifications/{waiter.verification_id}")
    error.last_status = last
    error.sent = waiter.looked
    return error


def _settable(error: Exception) -> Exception:
    """A future refuses a StopIteration; so does ``await``, which makes a RuntimeError of it."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("until raised StopIteration")
    wrapped.__cause__ = error
    return wrapped
