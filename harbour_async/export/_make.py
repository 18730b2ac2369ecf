"""Make the target file from the complete spool."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from attrs import frozen

from harbour_async.export import _disk
from harbour_async.export._columns import Columns
from harbour_async.export._csv import CsvWriter
from harbour_async.export._invalid import id_of
from harbour_async.export._jsonl import JsonlWriter, Keep
from harbour_async.export._merge import Versions
from harbour_async.export._spool import Spool


class Writer(Protocol):
    """Writes one format."""

    rows: int

    def begin(self) -> None: ...
    def write(self, lines: list[bytes]) -> None: ...
    def copy(self, old: Path, keep: Keep) -> Iterator[None]: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


@frozen
class Made:
    rows: int
    sha256: str


def writer_of(format: str) -> Callable[[Path, Columns], Writer]:  # noqa: A002 - its public name
    """ConfigurationError if what the format needs is not installed."""
    if format == "parquet":
        from harbour_async.export._arrow import arrow
        from harbour_async.export._parquet import ParquetWriter

        arrow()
        return ParquetWriter
    return CsvWriter if format == "csv" else JsonlWriter


async def make(spool: Spool, columns: Columns, *, merge: Path | None, dedupe: bool) -> Made:
    """Make the target and put it in its place.

    merge: an earlier file whose rows stay, except those that the spool has in a later version.
    dedupe: the spool may have several versions of a record; only its last one counts.
    """
    files = spool.files
    if spool.state.asked.format == "jsonl" and not dedupe:
        if files.spool.exists():
            _disk.replace(files.spool, files.target)
        rows = spool.state.yielded - spool.state.invalid
    else:
        rows = await _written(spool, columns, merge=merge, dedupe=dedupe)
        _disk.replace(files.partial, files.target)
    return Made(rows, await _sha256(files.target))


async def _written(spool: Spool, columns: Columns, *, merge: Path | None, dedupe: bool) -> int:
    partial = spool.files.partial
    writer = writer_of(spool.state.asked.format)(partial, columns)
    try:
        writer.begin()
        versions = Versions.of(spool.chunks(), columns) if dedupe else None
        if merge is not None and versions is not None:
            for _ in writer.copy(merge, versions.keeps):
                await asyncio.sleep(0)  # other tasks go on while the file is made
        for lines in spool.chunks():
            writer.write(versions.latest(lines) if versions else lines)
            await asyncio.sleep(0)
        writer.close()
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    finally:
        writer.abandon()
    return writer.rows


def make_invalid(spool: Spool, columns: Columns, *, merge: bool) -> int:
    """Make the file of invalid records, if there are any, and return how many.

    merge: those of earlier runs stay, except those that came again, valid or not.
    """
    files = spool.files
    if not spool.state.invalid and not (merge and files.invalid.exists()):
        _disk.remove(files.invalid)  # of an earlier export
        return 0
    writer = JsonlWriter(files.partial, columns)
    try:
        if merge and files.invalid.exists():
            writer.write(_still_invalid(spool, columns))
        # The spool stays until the checkpoint is gone, so this can be done again after a crash.
        for lines in spool.invalid_chunks():
            writer.write(lines)
        writer.close()
        _disk.replace(files.partial, files.invalid)
    finally:
        writer.abandon()
    if not writer.rows:
        _disk.remove(files.invalid)
    return writer.rows


def _still_invalid(spool: Spool, columns: Columns) -> list[bytes]:
    """The invalid records of earlier runs that this one has not read again."""
    again: set[str | bytes] = {
        columns.version(line)[0] for lines in spool.chunks() for line in lines
    }
    again |= {id_of(line) for lines in spool.invalid_chunks() for line in lines}
    with _disk.reading(spool.files.invalid) as file:
        before = [line.rstrip(b"\n") for line in file]
    return [line for line in before if id_of(line) not in again]


async def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with _disk.reading(path) as file:
        while data := file.read(1 << 20):
            digest.update(data)
            await asyncio.sleep(0)
    return digest.hexdigest()
