"""Walk a listing into a spool, and write checkpoints while walking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from attrs import define, evolve

from harbour_async._report import PagingReport
from harbour_async.errors import IncompleteListingError
from harbour_async.export._checkpoint import together
from harbour_async.export._columns import Columns
from harbour_async.export._limit import SentLately
from harbour_async.export._listing import Listing
from harbour_async.export._spool import Spool

SAVE_EVERY = 1.0
"""Seconds between checkpoints; what came since the last one is requested again after a crash."""

OnProgress = Callable[[PagingReport], object]


@define
class ExportWalk:
    """The walk of one run, and its checkpoints, which are written while it goes on."""

    spool: Spool
    columns: Columns
    pager: Listing
    before: PagingReport
    sent: SentLately
    on_progress: OnProgress | None
    _next_save: float = 0.0
    _appending: bool = False
    _saving: asyncio.Future[None] | None = None

    async def run(self) -> None:
        try:
            unproved = await self._read()
            await self._saved()
            self._advance()
            self.spool.state = evolve(self.spool.state, unproved=unproved, walked=True)
            self._save()
            await self._saved()
        except BaseException:
            await self._save_the_rest()
            raise

    async def _read(self) -> bool:
        """Read all pages into the spool; True if the listing's proof failed."""
        pages = self.pager.pages()
        try:
            async for page in pages:
                # The token counts this page as given, so first of all it has to be in the spool.
                self._appending = True
                self.spool.append(page.items, self.columns)
                self._appending = False
                self.sent.note()
                await self._save_if_due()
                if self.on_progress is not None:
                    self.on_progress(self._report())
        except IncompleteListingError:
            return True
        finally:
            await pages.aclose()
        return False

    async def _save_if_due(self) -> None:
        if time.monotonic() >= self._next_save and (self._saving is None or self._saving.done()):
            await self._saved()
            self._advance()
            self._save()
            self._next_save = time.monotonic() + SAVE_EVERY

    def _advance(self) -> None:
        """Put the current state into the next checkpoint."""
        self.spool.state = evolve(
            self.spool.state,
            token=self.pager.resume_token,
            report=self._report(),
            sent=self.sent.recent(),
        )

    def _save(self) -> None:
        """Start writing a checkpoint in a thread, so that a slow disk does not hold up the walk."""
        work = partial(self.spool.save, self.spool.state)
        # Not a task: when a loop ends, it cancels its tasks, which would not stop the thread.
        self._saving = asyncio.get_running_loop().run_in_executor(None, work)

    async def _saved(self) -> None:
        """Wait for the last checkpoint, and raise its error if it failed."""
        if self._saving is not None:
            await asyncio.shield(self._saving)

    async def _save_the_rest(self) -> None:
        """After a failed walk, keep what was received, unless the disk fails too."""
        if self._saving is not None:
            # The thread uses the spool, which is closed after this. So wait for it even if the
            # export is cancelled again (a second Ctrl-C).
            while not self._saving.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({self._saving})
            self._saving.exception()  # the error that ended the walk is the one to be raised
        # If a page was only partly written, its bytes do not count: keep the last checkpoint.
        if not self._appending and self.spool.state.yielded:
            with suppress(OSError):
                self._advance()
                self.spool.save(self.spool.state)

    def _report(self) -> PagingReport:
        return together(self.before, self.pager.report)
