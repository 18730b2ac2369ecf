"""``harbour demo``: a full walk over two listings at once, shown as it goes."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, field
from rich.console import Console
from rich.table import Table

from harbour_async import HarbourSession, Pager, Verification, Webhook, to_json
from harbour_async.cli._progress import Progress


@define
class _Stream:
    """One listing on its way into one file."""

    name: str
    pager: Pager[Any]
    by_type_and_status: Counter[tuple[str, str]] = field(factory=Counter)


async def demo(*, out: Path, records: int, live: bool) -> None:
    """Stream both listings into ``out``, then print what came."""
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    async with _session(records, live) as harbour:
        streams = [
            _Stream("verifications", harbour.verifications.list()),
            _Stream("webhooks", harbour.webhooks.list()),
        ]
        with Progress(harbour.budget) as progress:
            async with asyncio.TaskGroup() as tasks:
                for stream in streams:
                    tasks.create_task(_write(stream, out, progress))
    _summary(streams, out, time.monotonic() - started)


@asynccontextmanager
async def _session(records: int, live: bool) -> AsyncIterator[HarbourSession]:
    async with AsyncExitStack() as stack:
        if live:
            harbour = HarbourSession()
        else:
            from harbour_async.sandbox import Sandbox

            sandbox = await stack.enter_async_context(Sandbox(verifications=records, webhooks=25))
            harbour = HarbourSession(sandbox.api_key, base_url=sandbox.url)
        yield await stack.enter_async_context(harbour)


async def _write(stream: _Stream, out: Path, progress: Progress) -> None:
    """The listing as JSON lines."""
    with _whole_file(out / f"{stream.name}.jsonl") as file:
        async for page in stream.pager.pages():
            file.writelines(to_json(record) + b"\n" for record in page.items)
            stream.by_type_and_status.update(map(_kind, page.items))
            progress.update(stream.name, stream.pager.report)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """The file takes its name when it is whole; what an error leaves unfinished is removed."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _kind(record: Verification | Webhook) -> tuple[str, str]:
    if isinstance(record, Verification):
        return str(record.verification_type or "-"), str(record.status or "-")
    return "webhook", "on" if record.service_status else "off"


def _summary(streams: list[_Stream], out: Path, seconds: float) -> None:
    table = Table(title="What came")
    for column in ("type", "status"):
        table.add_column(column)
    table.add_column("records", justify="right")
    for stream in streams:
        for (kind, status), count in sorted(stream.by_type_and_status.items()):
            table.add_row(kind, status, str(count))
        table.add_section()
    console = Console()
    console.print(table)
    for stream in streams:
        report = stream.pager.report
        proved = "proved complete" if report.complete else "not proved complete"
        console.print(
            f"{stream.name}: {report.yielded} records, {report.requests} request(s), {proved} "
            f"→ {out / stream.name}.jsonl",
            soft_wrap=True,
        )
    requests = sum(stream.pager.report.requests for stream in streams)
    console.print(f"{requests} requests in {seconds:.1f} seconds")
