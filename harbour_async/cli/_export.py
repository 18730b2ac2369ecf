"""``harbour export``: a listing, or several at once, into files."""

from __future__ import annotations

import asyncio
import enum
import errno
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import define, field

from harbour_async.cli._progress import Progress
from harbour_async.errors import ConfigurationError, HarbourError
from harbour_async.export import ExportError, ExportReport, export as run_export
from harbour_async.export._columns import choose
from harbour_async.export._disk import write_whole
from harbour_async.export._events import AllEvents
from harbour_async.export._files import FORMATS
from harbour_async.export._since import LAST, export_since
from harbour_async.models import Verification, Webhook
from harbour_async.session import HarbourSession

_RECORDS = {"verifications": Verification, "webhooks": Webhook}


class What(enum.StrEnum):
    """What can be exported."""

    VERIFICATIONS = "verifications"
    WEBHOOKS = "webhooks"
    EVENTS = "events"
    ALL = "all"


@define
class _Wanted:
    """The command's options, checked."""

    what: What
    out: str
    format: str | None
    search: str | None
    metadata: dict[str, str]
    since: datetime | str | None
    fields: list[str] | None
    exclude: list[str]
    max_items: int | None
    restart: bool

    def __attrs_post_init__(self) -> None:
        what = self.what
        if self.metadata and what is not What.VERIFICATIONS:
            raise ConfigurationError("--metadata works for verifications only")
        if self.search is not None and what is What.EVENTS:
            raise ConfigurationError("--search does not work for events")
        if self.since is not None and what is not What.VERIFICATIONS:
            raise ConfigurationError("--since works for verifications only: of nothing else the "
                                     "API says when it was updated")  # fmt: skip
        if what is What.ALL and self.out == "-":
            raise ConfigurationError("all makes several files: --out names a folder for them")


@define
class _Outcome:
    """What came of the exports, failed ones included."""

    reports: dict[str, ExportReport] = field(factory=dict)
    errors: list[BaseException] = field(factory=list)
    notes: list[str] = field(factory=list)


def export(
    what: Annotated[What, typer.Argument(help="What to export; all makes a folder of files.")],
    out: Annotated[
        str, typer.Option(help="The file, .jsonl, .csv or .parquet; - for stdout; all: a folder.")
    ],
    format: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option(help="jsonl, csv or parquet, if the suffix does not say.")
    ] = None,
    search: Annotated[str | None, typer.Option(help="Only what the API finds for this.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="Only with this metadata; repeatable.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN|last",
            help="Only what was updated since, like 2026-01-01T00:00Z; "
            "last brings the file up to date.",
        ),
    ] = None,
    fields: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these fields, and the id.")
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(metavar="A,B", help="Not these, like latest_response.")
    ] = None,
    max_items: Annotated[int | None, typer.Option(min=1, help="At most so many records.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an unfinished export kept.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(help="Write counts, report and SHA-256 here, as JSON.")
    ] = None,
    sandbox: Annotated[
        int | None,
        typer.Option(min=0, max=1_000_000, help="Export so many made-up records; needs no key."),
    ] = None,
) -> None:
    """Export a listing into a file that is whole when it appears.

    Whatever interrupts it, the same command goes on where it stopped. Exit code 3 means done, but
    not proved complete, or with invalid records beside the file.
    """
    wanted = _Wanted(
        what, out, format, search, _pairs(metadata or []), _since(since),
        None if fields is None else _names(fields), _names(exclude or ""), max_items, restart,
    )  # fmt: skip
    outcome = _Outcome()
    try:
        code = asyncio.run(_main(wanted, sandbox, outcome))
    except KeyboardInterrupt:
        code = 130
    if code:
        _say("harbour: interrupted", *outcome.notes)
        raise typer.Exit(code)
    raise typer.Exit(_conclude(outcome, manifest))


async def _main(wanted: _Wanted, sandbox: int | None, outcome: _Outcome) -> int:
    """143 if somebody asked the process to end, 0 otherwise."""
    task = asyncio.current_task()
    assert task is not None
    asked_to_end: list[int] = []

    def end() -> None:
        asked_to_end.append(143)
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    try:
        async with _session(sandbox) as harbour:
            with Progress(harbour.budget) as progress:
                jobs = _jobs(wanted, harbour, progress)
                await asyncio.gather(*(_one(outcome, name, job) for name, job in jobs.items()))
    except asyncio.CancelledError:
        if not asked_to_end:
            raise
    return asked_to_end[0] if asked_to_end else 0


@asynccontextmanager
async def _session(sandbox: int | None) -> AsyncIterator[HarbourSession]:
    async with AsyncExitStack() as stack:
        if sandbox is None:
            harbour = HarbourSession()
        else:
            from harbour_async.sandbox import Sandbox

            server = await stack.enter_async_context(Sandbox(verifications=sandbox, webhooks=25))
            harbour = HarbourSession(server.api_key, base_url=server.url)
        yield await stack.enter_async_context(harbour)


Job = Callable[[], Coroutine[Any, Any, ExportReport]]


async def _one(outcome: _Outcome, name: str, job: Job) -> None:
    """One export to its end; another's failure does not stop it."""
    try:
        outcome.reports[name] = await job()
    except HarbourError as error:
        outcome.errors.append(error)
        outcome.notes += getattr(error, "__notes__", ())
    except asyncio.CancelledError as error:
        outcome.notes += getattr(error, "__notes__", ())
        raise


def _jobs(wanted: _Wanted, harbour: HarbourSession, progress: Progress) -> dict[str, Job]:
    if wanted.what is not What.ALL:
        return {wanted.what.value: _job(wanted.what.value, wanted, harbour, progress)}
    folder = Path(wanted.out)
    names = _RECORDS if wanted.format is None else dict(_RECORDS)
    choices = {name: _of_record(wanted, name) for name in names}
    _make_folder(folder)
    suffix = wanted.format or "jsonl"
    if suffix not in FORMATS:
        raise ConfigurationError(f"--format must be one of {', '.join(FORMATS)}, not {suffix!r}")
    jobs = {}
    for name, (fields, exclude) in choices.items():
        each = _Wanted(
            What(name), str(folder / f"{name}.{suffix}"), suffix, wanted.search, {}, None,
            fields, exclude, wanted.max_items, wanted.restart,
        )  # fmt: skip
        jobs[name] = _job(name, each, harbour, progress)
    return jobs


def _make_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"--out {folder} is a file: all needs a folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{folder}: {error.strerror}", error.errno) from error


def _of_record(wanted: _Wanted, name: str) -> tuple[list[str] | None, list[str]]:
    """Of the fields asked for those that this record has; each must be in one of them."""
    every = {n: choose(record).names for n, record in _RECORDS.items()}
    for asked in (*(wanted.fields or ()), *wanted.exclude):
        if not any(asked in names for names in every.values()):
            raise ConfigurationError(f"neither verifications nor webhooks have a field {asked!r}")
    own = every[name]
    fields = None if wanted.fields is None else [f for f in wanted.fields if f in own]
    return fields, [f for f in wanted.exclude if f in own]


def _job(name: str, wanted: _Wanted, harbour: HarbourSession, progress: Progress) -> Job:
    chosen: dict[str, Any] = {
        "format": wanted.format,
        "fields": wanted.fields,
        "exclude": wanted.exclude,
        "restart": wanted.restart,
        "on_progress": partial(progress.update, name),
    }
    if wanted.since is not None:
        verifications: Any = harbour.verifications
        changes = partial(
            verifications.changes, **_filters(wanted), max_items=wanted.max_items,
            on_invalid="keep",
        )  # fmt: skip
        return partial(export_since, changes, wanted.out, wanted.since, **chosen)
    return partial(run_export, _listing(wanted, harbour), wanted.out, **chosen)


def _listing(wanted: _Wanted, harbour: HarbourSession) -> Any:
    if wanted.what is What.EVENTS:
        return AllEvents(harbour.webhooks, max_items=wanted.max_items)
    if wanted.what is What.WEBHOOKS:
        return harbour.webhooks.list(search=wanted.search, max_items=wanted.max_items)
    return harbour.verifications.list(**_filters(wanted), max_items=wanted.max_items)


def _filters(wanted: _Wanted) -> dict[str, Any]:
    return {"search": wanted.search, "metadata": wanted.metadata or None}


def _conclude(outcome: _Outcome, manifest: Path | None) -> int:
    """Say what came of it; the exit code."""
    for name, report in outcome.reports.items():
        _say(*_summary(name, report))
    if outcome.errors:
        return _failed(outcome)
    if manifest is not None:
        write_whole(Path(os.path.realpath(manifest)), _manifest(outcome.reports))
    owed = any(report.unproved or report.invalid for report in outcome.reports.values())
    return 3 if owed else 0


def _failed(outcome: _Outcome) -> int:
    first = outcome.errors[0]
    if isinstance(first, ExportError) and first.errno == errno.EPIPE:
        # Whoever read has had enough. Nothing may be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    _say(*(f"harbour: {error}" for error in outcome.errors), *outcome.notes)
    return 2 if isinstance(first, ConfigurationError) else 1


def _summary(name: str, report: ExportReport) -> Iterable[str]:
    target = "stdout" if report.path is None else str(report.path)
    proof = "proved complete" if report.complete else f"not proved complete: {report.reason}"
    requests = report.report.requests
    yield f"{name}: {report.rows} records in {target}, {requests} requests, {proof}"
    if report.invalid:
        where = report.invalid_path or "not written"
        yield f"{name}: {report.invalid} invalid records ({where})"


def _manifest(reports: dict[str, ExportReport]) -> bytes:
    if len(reports) == 1:
        document = next(iter(reports.values())).manifest()
    else:
        document = {
            "complete": all(report.complete for report in reports.values()),
            "yielded": sum(report.yielded for report in reports.values()),
            "invalid": sum(report.invalid for report in reports.values()),
            "exports": {name: report.manifest() for name, report in reports.items()},
        }
    return json.dumps(document, indent=2).encode() + b"\n"


def _since(text: str | None) -> datetime | str | None:
    if text is None or text == LAST:
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"--since must be last, or a moment with its zone like 2026-01-01T00:00Z, not {text!r}"
        )
    return moment


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"--metadata must be like key=value, not {pair!r}")
        pairs[name] = value
    return pairs


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)
