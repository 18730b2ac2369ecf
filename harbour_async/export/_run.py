"""The export: walk the listing into the spool, make the file, remove the spool."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, evolve, field

from harbour_async import _logging
from harbour_async._callbacks import check_function
from harbour_async._frames import dropped_frames
from harbour_async.errors import ConfigurationError
from harbour_async.export import _disk, _lock
from harbour_async.export._checkpoint import Asked, Checkpoint, digest, load
from harbour_async.export._columns import Columns, choose
from harbour_async.export._files import Files, files_at, format_of
from harbour_async.export._limit import SentLately
from harbour_async.export._listing import Facts, Listing, facts, keeping
from harbour_async.export._make import Made, make, make_invalid, writer_of
from harbour_async.export._report import ExportReport
from harbour_async.export._spool import Spool, open_spool, resumed
from harbour_async.export._stdout import to_stdout
from harbour_async.export._walk import ExportWalk, OnProgress

_ORDER = re.compile(r" order_by=\w+ (ASC|DESC)")


async def export(
    pager: Listing,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - what everybody calls it
    fields: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    on_progress: OnProgress | None = None,
    restart: bool = False,
) -> ExportReport:
    """Write a listing to a file, which appears under its name only when it is complete.

    ::

        report = await export.export(
            harbour.verifications.list(), "verifications.parquet", exclude=["latest_response"]
        )
        print(report.rows, report.complete, report.sha256)

    After an error, a cancellation or a killed process the same call goes on where it stopped:
    received records are kept in a private spool beside ``path`` until the file is complete. If the
    walk's proof failed, the file still has everything found, and ``report.unproved`` is True.

    pager: a listing of a session, as ``verifications.list()`` gives it. Invalid records go to
        ``PATH.invalid.jsonl``, unless the pager's ``on_invalid`` is a function.
    path: the file; an existing one is replaced at the end. "-" is stdout, JSON lines only.
    format: "jsonl", "csv" or "parquet" (extra ``parquet``); None: by the suffix of ``path``.
    fields, exclude: names of fields to write, or to leave out, of spool and file; the id stays.
    on_progress: called with the walk's PagingReport (all runs together) after each page.
    restart: discard what an unfinished export to ``path`` kept.

    Raises ConfigurationError at once for arguments that cannot be used, if another export to
    ``path`` is under way, and if an unfinished one has other arguments; ExportError if writing
    fails; and what the walk raises. A note on the error says what was kept.

    See docs/export.md. Guide: "List verifications", "List webhooks", "List webhook events".
    """
    known, pager = facts(pager), keeping(pager)
    columns = choose(known.record, fields, exclude)
    if on_progress is not None:
        check_function("on_progress", on_progress)
    if str(path) == "-":
        return await to_stdout(pager, columns, format, on_progress)
    files, chosen = files_at(path), format_of(path, format)
    writer_of(chosen)
    resume = digest(pager.resume_token) if getattr(pager, "resumed", False) else None
    asked = Asked(
        known.about, pager._identity, chosen, columns.names, known.max_items, resume=resume
    )
    part = known.max_items is not None or resume is not None

    def stands(state: Checkpoint) -> None:
        if part or not state.report.complete or not _same_file(files, asked):
            _disk.remove(files.since)

    job = Job(pager, known, columns, files, asked, on_progress, stands=stands)
    return await job.run(restart=restart)


def _same_file(files: Files, asked: Asked) -> bool:
    """Whether incremental exports to the path can go on with a file of these arguments."""
    try:
        before = Asked(**json.loads(_disk.read(files.since) or b"")["asked"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
    ours, theirs = (
        (a.format, a.fields, _ORDER.sub("", a.listing, count=1)) for a in (asked, before)
    )
    return ours == theirs


@define
class Job:
    """One run of one export.

    ``merge`` is an earlier file to bring up to date, ``dedupe`` says that records may come in
    several versions. ``prepare`` is called once the lock is held, ``stands`` with the final state
    once the file is in its place.
    """

    pager: Listing
    known: Facts
    columns: Columns
    files: Files
    asked: Asked
    on_progress: OnProgress | None = None
    merge: Path | None = None
    dedupe: bool = False
    prepare: Callable[[], None] = field(default=lambda: None)
    stands: Callable[[Checkpoint], None] = field(default=lambda _state: None)
    sent_before: Sequence[float] = ()

    async def run(self, *, restart: bool) -> ExportReport:
        lock = _lock.take(self.files.lock)
        sent = SentLately(self.known.budget, lock, self.known.ahead)
        try:
            before = (self.sent_before, lock.sent, sent_before(self.files.checkpoint))
            if restart:
                self.files.discard()
            self.prepare()
            kept = resumed(self.files, self.asked)
        except BaseException:
            lock.release(remove=not lock.sent)  # the next run needs its note
            raise
        try:
            sent.restore(*before)
            with dropped_frames():
                return await self._go_on(kept, sent)
        finally:
            lock.release()

    async def _go_on(self, kept: Checkpoint | None, sent: SentLately) -> ExportReport:
        if kept is None:
            state = Checkpoint(self.asked, self.pager.resume_token)
        else:
            state = evolve(kept, runs=kept.runs + 1)
        if self._is_made(state):
            return await self._finish(Spool(self.files, state, state))
        spool = open_spool(self.files, state, kept=kept is not None)
        try:
            if not state.walked:
                await self._walk(spool, sent)
            return await self._finish(spool)
        except BaseException as error:
            error.add_note(kept_note(spool))
            raise
        finally:
            spool.close()
            if spool.saved is None:
                self.files.discard()

    def _is_made(self, state: Checkpoint) -> bool:
        """Whether an earlier run ended just after its spool of JSON lines became the target."""
        files = self.files
        if not state.walked or self.asked.format != "jsonl" or self.dedupe:
            return False
        gone = not files.spool.exists() and files.target.exists()
        return gone and files.target.stat().st_size == state.offset

    async def _walk(self, spool: Spool, sent: SentLately) -> None:
        before, max_items = spool.state, self.known.max_items
        if max_items is not None and before.yielded >= max_items:
            spool.state = evolve(before, walked=True)
            return
        pager = self.pager
        if before.runs > 1:
            pager = pager._from(before.token, before.yielded)
        walk = ExportWalk(spool, self.columns, pager, before.report, sent, self.on_progress)
        notes = asyncio.create_task(sent.keep_noting(), name="harbour-export-notes")
        try:
            await walk.run()
        finally:
            notes.cancel()
            with suppress(asyncio.CancelledError):
                await notes

    async def _finish(self, spool: Spool) -> ExportReport:
        made = await make(spool, self.columns, merge=self.merge, dedupe=self.dedupe)
        invalid = make_invalid(spool, self.columns, merge=self.merge is not None)
        self.stands(spool.state)
        self.files.discard()
        return self._report(spool.state, made, invalid)

    def _report(self, state: Checkpoint, made: Made, invalid: int) -> ExportReport:
        report = state.report
        if state.unproved:
            _logging.warn("%s is not proved complete: %s", self.files.target, report.reason)
        return ExportReport(
            path=self.files.target,
            format=self.asked.format,
            rows=made.rows,
            yielded=report.yielded,
            invalid=invalid,
            invalid_path=self.files.invalid if invalid else None,
            complete=report.complete,
            reason=report.reason,
            unproved=state.unproved,
            runs=state.runs,
            sha256=made.sha256,
            report=report,
        )


def sent_before(checkpoint: Path) -> list[float]:
    """The recent sends of earlier runs, whatever their arguments were."""
    try:
        kept = load(checkpoint)
    except ConfigurationError:  # which is reported where the checkpoint is used
        return []
    return kept.sent if kept else []


def kept_note(spool: Spool) -> str:
    """What a failed export leaves behind, and how to go on."""
    if spool.saved is None:
        return f"nothing was kept; {spool.files.target} is as it was"
    kept = spool.saved.yielded
    return (
        f"{kept} record{' is' if kept == 1 else 's are'} kept in {spool.files.spool}: run the same "
        "export again to go on from there, or with --restart (restart=True) to start again"
    )
