"""Incremental exports: what was updated since a moment, or since the last time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs
from attrs import evolve, frozen

from harbour_async._callbacks import check_function
from harbour_async._report import PagingReport
from harbour_async.errors import ConfigurationError
from harbour_async.export import _disk
from harbour_async.export._checkpoint import Asked, Checkpoint, digest, load
from harbour_async.export._columns import choose
from harbour_async.export._files import Files, files_at, format_of
from harbour_async.export._listing import Listing, facts, keeping
from harbour_async.export._make import writer_of
from harbour_async.export._report import ExportReport
from harbour_async.export._run import Job
from harbour_async.export._stdout import to_stdout
from harbour_async.settings import is_aware

LAST = "last"
LOOKBACK = timedelta(minutes=5)
"""How far ``last`` looks back, for rows that become visible after rows with a later update."""

Changes = Callable[..., Listing]


@frozen
class _Since:
    """``PATH.since.json``: how the file at PATH was made, and where the next run goes on.

    ``made_by`` identifies the run that wrote it: its moment, or a digest of its token.
    """

    asked: Asked
    start: str
    token: str
    made_by: str
    sent: list[float]


async def export_since(
    changes: Changes,
    path: str | os.PathLike[str],
    since: datetime | str,
    *,
    format: str | None = None,  # noqa: A002
    fields: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    on_progress: Callable[[PagingReport], object] | None = None,
    restart: bool = False,
) -> ExportReport:
    """Export what was updated at or after ``since``; "last" brings the file at ``path`` up to date.

    ::

        await export_since(harbour.verifications.changes, "v.csv", datetime(2026, 1, 1, tzinfo=UTC))
        await export_since(harbour.verifications.changes, "v.csv", "last")

    The file has the latest version of each record. ``PATH.since.json`` beside it is the checkpoint
    for "last"; it is written once the file is in its place, if the changes were proved complete.

    changes: a function that makes the listing, as ``session.verifications.changes`` does; called
        with the moment, and for "last" with ``resume`` and ``lookback``.
    path: the file; an existing one is replaced at the end. "-" is stdout, JSON lines only.
    since: an aware datetime, or "last".
    format: "jsonl", "csv" or "parquet" (extra ``parquet``); None: by the suffix of ``path``.
    fields, exclude: names of fields to write, or to leave out; the id stays.
    on_progress: called with the walk's PagingReport (all runs together) after each page.
    restart: discard what an unfinished export to ``path`` kept.

    Raises what ``export`` raises; and ConfigurationError if "last" finds no earlier export at
    ``path``, or one with other arguments.
    """
    last = _last(path) if since == LAST else None
    pager = keeping(_listing(changes, since, last))
    known = facts(pager)
    columns = choose(known.record, fields, exclude)
    if on_progress is not None:
        check_function("on_progress", on_progress)
    if str(path) == "-":
        return await to_stdout(pager, columns, format, on_progress)
    files, chosen = files_at(path), format_of(path, format)
    writer_of(chosen)
    asked = Asked(known.about, pager._identity, chosen, columns.names, known.max_items)
    if last is not None:
        _check_same(files, asked, last.asked)
    made_by = f"last {digest(last.token)}" if last else _moment(since).isoformat()
    start = last.start if last else made_by

    def stands(state: Checkpoint) -> None:
        if not state.unproved:
            _save(files, _Since(asked, start, state.token, made_by, state.sent))

    job = Job(
        pager,
        known,
        columns,
        files,
        evolve(asked, since=made_by),
        on_progress,
        merge=files.target if last else None,
        dedupe=True,
        prepare=lambda: _forget_finished(files, last),
        stands=stands,
        sent_before=last.sent if last else (),
    )
    return await job.run(restart=restart)


def _listing(changes: Changes, since: datetime | str, last: _Since | None) -> Listing:
    if last is None:
        return changes(_moment(since))
    return changes(datetime.fromisoformat(last.start), resume=last.token, lookback=LOOKBACK)


def _moment(since: datetime | str) -> datetime:
    if not is_aware(since):
        raise ConfigurationError(f"since must be a datetime with a time zone, or 'last': {since!r}")
    return since


def _last(path: str | os.PathLike[str]) -> _Since:
    if str(path) == "-":
        raise ConfigurationError(
            "since last needs a file: an export to stdout cannot be brought up to date"
        )
    files = files_at(path)
    text = _disk.read(files.since)
    if text is None:
        raise ConfigurationError(
            f"since last: there is no {files.since.name} beside {files.target.name}; "
            "begin with a moment, like --since 2026-01-01T00:00Z"
        )
    try:
        document = json.loads(text)
        last = _Since(Asked(**document.pop("asked")), **document)
        _moment(datetime.fromisoformat(last.start))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ConfigurationError(f"{files.since} is damaged: begin with a moment") from None
    if not files.target.exists():
        raise ConfigurationError(
            f"since last: {files.target} is gone, so it cannot be brought up to date; "
            "begin with a moment, like --since 2026-01-01T00:00Z"
        )
    return last


def _check_same(files: Files, asked: Asked, before: Asked) -> None:
    ours, theirs = (evolve(a, max_items=None) for a in (asked, before))
    if ours != theirs:
        raise ConfigurationError(
            f"{files.target} was made with other arguments ({ours.differences(theirs)}): "
            "ask for the same, or begin with a moment"
        )


def _forget_finished(files: Files, last: _Since | None) -> None:
    """Remove the checkpoint of a run that was killed after its file was in place."""
    kept = load(files.checkpoint)
    if last and kept and kept.walked and kept.asked.since == last.made_by:
        files.discard()


def _save(files: Files, since: _Since) -> None:
    document: dict[str, Any] = attrs.asdict(since)
    _disk.write_whole(files.since, json.dumps(document).encode())
