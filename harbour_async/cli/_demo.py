"""``harbour demo``: two complete listings at once, with their progress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attrs import define
from rich.console import Console
from rich.table import Table

from harbour_async import HarbourSession, Pager, Verification, Webhook
from harbour_async._wire import base_url
from harbour_async.cli import _run
from harbour_async.cli._export_jobs import make_folder
from harbour_async.cli._failures import printable
from harbour_async.cli._listing import command_line, plural
from harbour_async.cli._part import Part
from harbour_async.cli._progress import Progress
from harbour_async.cli._session import ask_for_key, open_session

_BETWEEN = "\t"  # a type and a status

_IN_PYTHON = """
The same in Python:

    async with HarbourSession() as harbour:
        async for v in harbour.verifications.list():
            print(v.verification_id, v.status)
"""


@define
class _Stream:
    """One listing and the file it is written to."""

    name: str
    part: Part
    pager: Pager[Any] | None = None


def demo(*, out: Path, records: int, live: bool) -> int:
    """Stream both listings into ``out``, print a summary, and return the exit code."""
    key = ask_for_key() if live else None
    source = base_url(None).authority if live else f"a sandbox of {records}"
    streams = [
        _Stream(name, Part(out / f"{name}.jsonl", f"{version('harbour-async')}, {source}"))
        for name in ("verifications", "webhooks")
    ]

    async def main() -> None:
        make_folder(out)
        started = time.monotonic()
        async with _session(key, records, live) as harbour:
            with Progress(harbour.budget) as progress:
                async with asyncio.TaskGroup() as tasks:
                    for stream in streams:
                        tasks.create_task(_write(stream, harbour, progress))
        _summary(streams, time.monotonic() - started)

    def kept() -> str | None:
        parts = [s for s in streams if s.part.records and not s.part.whole]
        if not parts:
            return None
        came = " and ".join(f"{s.part.records:,} {s.name} in {s.part.partial}" for s in parts)
        again = command_line("demo", out=out, live=live, records=None if live else records)
        return f"kept {came}; go on with: {_run.quoted(again)}"

    return _run.run(main, kept=kept)


@asynccontextmanager
async def _session(key: str | None, records: int, live: bool) -> AsyncIterator[HarbourSession]:
    async with AsyncExitStack() as stack:
        url = None
        if not live:
            from harbour_async.sandbox import Sandbox

            sandbox = await stack.enter_async_context(Sandbox(verifications=records, webhooks=25))
            key, url = sandbox.api_key, sandbox.url
        yield await stack.enter_async_context(open_session(key, url=url))


async def _write(stream: _Stream, harbour: HarbourSession, progress: Progress) -> None:
    """Write the listing as JSON lines; continue where an interrupted run stopped."""
    with stream.part as part:
        resource: Any = getattr(harbour, stream.name)
        stream.pager = pager = resource.list(resume=part.token)
        async for page in pager.pages():
            part.write(page.items, [_kind(record) for record in page.items], pager.resume_token)
            progress.update(stream.name, pager.report)


def _kind(record: Verification | Webhook) -> str:
    if isinstance(record, Verification):
        return _BETWEEN.join((record.verification_type or "-", record.status or "-"))
    return _BETWEEN.join(("webhook", "on" if record.service_status else "off"))


class _Console(Console):
    """Leaves a reader that has gone away to `_run`; rich would end the command with 1."""

    def on_broken_pipe(self) -> None:
        raise


def _summary(streams: list[_Stream], seconds: float) -> None:
    table = Table(title="What came")
    for column in ("type", "status"):
        table.add_column(column, overflow="fold")
    table.add_column("records", justify="right")
    for stream in streams:
        for kind, count in sorted(stream.part.kinds.items()):
            table.add_row(*map(printable, kind.split(_BETWEEN, 1)), f"{count:,}")
        table.add_section()
    console = _Console(markup=False, highlight=False, emoji=False)
    console.print(table)
    requests = 0
    for stream in streams:
        assert stream.pager is not None
        report = stream.pager.report
        requests += report.requests
        proved = "proved complete" if report.complete else "not proved complete"
        came = plural(stream.part.records, stream.name.removesuffix("s"))
        console.print(f"{came} in {plural(report.requests, 'request')}, {proved}:", soft_wrap=True)
        console.print(f"  {stream.part.path}", soft_wrap=True)
    console.print(f"{plural(requests, 'request')} in {seconds:.1f} seconds")
    console.print(_IN_PYTHON, end="")
