"""``harbour export``: a listing, or several at once, into files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from attrs import define, field

from harbour_async.cli._export_jobs import (
    Job,
    Wanted,
    What,
    jobs_of,
    names_of,
    pairs_of,
    since_when,
)
from harbour_async.cli._progress import Progress
from harbour_async.errors import ConfigurationError, HarbourError
from harbour_async.export import ExportReport
from harbour_async.export._disk import write_whole
from harbour_async.session import HarbourSession


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
    wanted = Wanted(
        what, out, format, search, pairs_of(metadata or []), since_when(since),
        None if fields is None else names_of(fields), names_of(exclude or ""), max_items, restart,
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


async def _main(wanted: Wanted, sandbox: int | None, outcome: _Outcome) -> int:
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
                jobs = jobs_of(wanted, harbour, progress)
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
    if isinstance(first, BrokenPipeError):  # nothing may be flushed at exit
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


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)
