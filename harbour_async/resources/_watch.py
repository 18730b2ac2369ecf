"""Changes as they happen: a walk of changes after each interval, from where the last one ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from harbour_async import _logging
from harbour_async.errors import HarbourError
from harbour_async.models import Verification
from harbour_async.pagination import Pager
from harbour_async.resources._checkpoint import is_temporary, retry_after, summary
from harbour_async.resources._loop import Loop


class Watch:
    """An endless asynchronous iterator of verifications that were updated, oldest update first.

    Each change is yielded at least once. Connection errors, 5xx, 429 and lost proofs are logged and
    waited out; any other error ends the iteration, with the ``resume_token`` on it. Leaving the
    loop stops its requests; going on afterwards misses nothing. Tasks may share it.

    changes: the walk of changes from a checkpoint, or of all of them from None.
    begin: finds the checkpoint to begin at; None if changes are watched from a given moment.
    pause: sleeps so many seconds.
    interval: seconds between the end of a walk and the next one.
    resume: a checkpoint to go on from.
    """

    def __init__(
        self,
        *,
        changes: Callable[[str | None], Pager[Verification]],
        begin: Callable[[], Awaitable[str | None]] | None,
        pause: Callable[[float], Awaitable[None]],
        interval: float,
        resume: str | None,
    ) -> None:
        self._changes = changes
        self._begin = begin if resume is None else None
        self._pause = pause
        self._interval = interval
        self._checkpoint = resume
        self._pager: Pager[Verification] | None = None
        self._records: AsyncIterator[Verification] | None = None
        # Yielded since the checkpoint, by a walk that lost its proof or may still lose it.
        self._yielded: dict[str, datetime | None] = {}
        self._due = 0.0
        self._turn = asyncio.Lock()

    @property
    def resume_token(self) -> str | None:
        """Where the watch stands: ``resume=`` goes on from there, in another process too.

        None before the first request of a watch that begins now. Where a walk lost its proof, it
        is the place where that walk began, so that nothing can be missed.
        """
        pager = self._pager
        return pager.resume_token if pager is not None and pager.sound else self._checkpoint

    def __aiter__(self) -> Loop[Verification]:
        return Loop(self)

    async def __anext__(self) -> Verification:
        async with self._turn:
            try:
                while True:
                    change = await self._next()
                    if change is not None:
                        return change
            except BaseException as error:
                self.stop()
                if isinstance(error, HarbourError):
                    error.resume_token = self.resume_token
                raise

    def stop(self) -> None:
        """Stop sending requests, unless the iteration goes on."""
        self._checkpoint = self.resume_token
        self._pager = self._records = None  # dropping an iteration stops it

    async def _next(self) -> Verification | None:
        """The next change, or None at the end of a walk, however it ended."""
        try:
            async for change in self._records or await self._start():
                if self._is_new(change):
                    return change
            self._yielded.clear()
            wait = self._interval
        except HarbourError as error:
            if not is_temporary(error):
                raise
            wait = max(self._interval, retry_after(error))
            _logging.warn("watch: %s; goes on in %.1f s", summary(error), wait)
        self.stop()
        self._due = asyncio.get_running_loop().time() + wait
        return None

    async def _start(self) -> AsyncIterator[Verification]:
        # A read that is cancelled and repeated does not shorten the interval.
        await self._pause_until_due()
        if self._begin is not None:
            self._checkpoint = await self._begin()
            self._begin = None
        self._pager = self._changes(self._checkpoint)
        self._records = aiter(self._pager)
        return self._records

    async def _pause_until_due(self) -> None:
        left = self._due - asyncio.get_running_loop().time()
        if self._due and left > 0:
            await self._pause(left)

    def _is_new(self, change: Verification) -> bool:
        if not isinstance(change, Verification):  # but what an on_invalid function returned
            return True
        key, updated = change.verification_id, change.updated_at
        if key in self._yielded and self._yielded[key] == updated:
            return False
        self._yielded[key] = updated
        return True
