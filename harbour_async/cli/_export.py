"""``harbour export``: a listing, or several at once, into files."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from attrs import define, field

from harbour_async.cli import _run
from harbour_async.cli._export_jobs import (
    ExportOptions,
    Job,
    What,
    jobs_of,
    make_folder,
    names_of,
    since_when,
    targets_of,
)
from harbour_async.cli._listing import metadata_of, plural
from harbour_async.cli._progress import Progress
from harbour_async.cli._session import ask_for_key, open_session
from harbour_async.errors import ConfigurationError, HarbourError
from harbour_async.export import ExportReport
from harbour_async.export._disk import write_whole
from harbour_async.export._files import files_at
from harbour_async.session import HarbourSession


@define
class _Outcome:
    """The results of the exports, failed ones included."""

    reports: dict[str, ExportReport] = field(factory=dict)
    errors: list[HarbourError] = field(factory=list)
    notes: list[str] = field(factory=list)

    @property
    def code(self) -> int:
        """The exit code for exports that succeeded."""
        doubtful = any(report.unproved or report.invalid for report in self.reports.values())
        return _run.UNPROVED if doubtful else _run.DONE


def export(
    what: Annotated[What, typer.Argument(help="What to export; all makes a folder of files.")],
    out: Annotated[
        str, typer.Option(help="A .jsonl, .csv or .parquet file; - for stdout; a folder for all.")
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
    max_items: Annotated[int | None, typer.Option(min=1, help="At most this many records.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard what an unfinished export kept.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(help="Write counts, report and SHA-256 here, as JSON.")
    ] = None,
    sandbox: Annotated[
        int | None,
        typer.Option(min=0, max=1_000_000, help="Export this many made-up records; needs no key."),
    ] = None,
) -> None:
    """Export a listing into a file, which appears when it is complete.

    If it is interrupted, the same command goes on where it stopped. Exit code 3 means that the
    export is done but not proved complete, or that there are invalid records beside the file.
    """
    wanted = ExportOptions(
        what, out, format, search, metadata_of(metadata), since_when(since),
        None if fields is None else names_of(fields), names_of(exclude or ""), max_items, restart,
    )  # fmt: skip
    if manifest is not None:
        _check_manifest(manifest, wanted)
    key = None if sandbox is not None else ask_for_key()
    outcome = _Outcome()

    async def main() -> int:
        async with _session(key, sandbox) as harbour:
            await _exported(wanted, harbour, outcome)
        if manifest is not None:
            write_whole(Path(os.path.realpath(manifest)), _manifest(outcome.reports))
        return outcome.code

    raise typer.Exit(_run.run(main, kept=lambda: "\nharbour: ".join(outcome.notes)))


def _check_manifest(manifest: Path, wanted: ExportOptions) -> None:
    """Refuse at once what could only fail when everything has been exported."""
    targets = targets_of(wanted).values()
    if wanted.what is What.ALL:  # the manifest may be in its folder
        make_folder(Path(wanted.out))
    path = files_at(manifest).target
    if any(target != "-" and path in files_at(target) for target in targets):
        raise ConfigurationError(
            f"--manifest {manifest} would replace a file of the export: name another"
        )


@asynccontextmanager
async def _session(key: str | None, sandbox: int | None) -> AsyncIterator[HarbourSession]:
    async with AsyncExitStack() as stack:
        url = None
        if sandbox is not None:
            from harbour_async.sandbox import Sandbox

            server = await stack.enter_async_context(Sandbox(verifications=sandbox, webhooks=25))
            key, url = server.api_key, server.url
        yield await stack.enter_async_context(open_session(key, url=url))


async def _exported(wanted: ExportOptions, harbour: HarbourSession, outcome: _Outcome) -> None:
    """Run the exports side by side; raise the first failure when all of them have ended."""
    with Progress(harbour.budget) as progress:
        jobs = jobs_of(wanted, harbour, progress)
        await asyncio.gather(*(_one(outcome, name, job) for name, job in jobs.items()))
    for name, report in outcome.reports.items():
        for line in _summary(name, report):
            print(line, file=sys.stderr)
    if outcome.errors:
        raise outcome.errors[0]


async def _one(outcome: _Outcome, name: str, job: Job) -> None:
    """One export to its end; another's failure does not stop it."""
    try:
        outcome.reports[name] = await job()
    except (HarbourError, asyncio.CancelledError) as error:
        outcome.notes += getattr(error, "__notes__", ())
        error.__notes__ = []  # they are reported at the end
        if not isinstance(error, HarbourError):
            raise
        outcome.errors.append(error)


def _summary(name: str, report: ExportReport) -> Iterable[str]:
    target = "stdout" if report.path is None else str(report.path)
    proof = "proved complete" if report.complete else f"not proved complete: {report.reason}"
    requests = plural(report.report.requests, "request")
    yield f"{name}: {plural(report.rows, 'record')} in {target}, {requests}, {proof}"
    if report.invalid:
        where = report.invalid_path or "not written"
        yield f"{name}: {plural(report.invalid, 'invalid record')} ({where})"


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
