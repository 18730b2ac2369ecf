"""Exports that are broken off while a file is made, or while a checkpoint is written."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harbour_async import Verification
from harbour_async.export import ExportError, _disk, _walk, export
from harbour_async.export._columns import choose
from harbour_async.export._parquet import ParquetWriter
from tests.export.support import listing, names, record

RECORDS = [record(n) for n in range(450)]


class Partial:
    """Counts the writes to the file that is made, and fails from the write ``failing`` on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: int = 0) -> None:
        self.descriptors: list[int] = []
        self.failing = failing
        self.real = _disk.write
        monkeypatch.setattr(_disk, "write", self.write)

    def write(self, fd: int, data: bytes, path: Path) -> None:
        if path.suffix == ".partial":
            self.descriptors.append(fd)
            if 0 < self.failing <= len(self.descriptors):
                raise ExportError(f"{path}: No space left on device", errno.ENOSPC)
        self.real(fd, data, path)


@pytest.mark.parametrize("failing", [1, 2])
@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_a_file_that_does_not_fit_is_closed_and_removed(
    form: str, failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full, pytest.raises(ExportError):
        partial = Partial(full, failing)
        await export(listing(RECORDS), tmp_path / f"v.{form}")
    assert f"v.{form}.partial" not in names(tmp_path)
    for fd in partial.descriptors:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


CALLS = ("open", "fchmod", "ftruncate", "lseek", "write", "pwrite", "fsync", "replace", "unlink")


class Disk:
    """Fails at the ``failing``-th system call in ``folder``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: int, folder: Path) -> None:
        self.left = failing
        self.folder = str(folder)
        for name in CALLS:
            monkeypatch.setattr(os, name, self.wrapped(name, getattr(os, name)))

    def wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            foreign = name == "open" and not str(args[0]).startswith(self.folder)
            if not foreign:
                self.left -= 1
                if self.left == 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*args, **kwargs)

        return wrapper


def held(folder: Path) -> list[str]:
    """The open files in a folder."""
    links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    return [link for link in links if link.startswith(str(folder))]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="lists open files as Linux does")
@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_whatever_system_call_fails_the_next_export_is_whole(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, whole = RECORDS[:20], tmp_path / f"whole.{form}"
    await export(listing(records), whole)
    for failing in count(1):
        folder = tmp_path / str(failing)
        folder.mkdir()
        target = folder / f"v.{form}"
        with monkeypatch.context() as broken:
            disk = Disk(broken, failing, folder)
            with suppress(ExportError):
                await export(listing(records), target)
        assert held(folder) == []
        await export(listing(records), target)
        assert target.read_bytes() == whole.read_bytes()
        assert names(folder) == [target.name]
        if disk.left > 0:
            assert failing > 20
            return


def test_nothing_is_written_to_a_parquet_file_that_was_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descriptor may belong to another file by then, or to a connection."""
    partial = Partial(monkeypatch)
    writer = ParquetWriter(tmp_path / "v.parquet.partial", choose(Verification))
    writer.begin()
    before = list(partial.descriptors)
    writer.abandon()
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    assert before == [other]
    del writer
    gc.collect()  # pyarrow ends the file now
    assert os.fstat(other).st_size == 0
    os.close(other)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(("change", "number"), [("sync", 1), ("replace", 1), ("replace", 2)])
async def test_a_cancelled_export_waits_for_the_checkpoint_that_is_being_written(
    change: str, number: int, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a thread would go on with files that are closed and no longer locked.

    The only page has the first checkpoint, and the end of the walk the second one.
    """
    monkeypatch.setattr(_walk, "SAVE_EVERY", 0.0)
    reached, released = threading.Event(), threading.Event()
    real, calls = getattr(_disk, change), 0

    def slow(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            reached.set()
            released.wait(30)
        real(*args)

    monkeypatch.setattr(_disk, change, slow)
    target = tmp_path / "v.jsonl"
    task = asyncio.create_task(export(listing(RECORDS[:20]), target))
    while not reached.is_set():
        await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.wait({task}, timeout=0.01)
    assert not task.done()
    released.set()
    await asyncio.wait({task})
    assert task.cancelled()
    report = await export(listing(RECORDS[:20]), target)
    assert (report.rows, report.runs, report.complete) == (20, 2, True)
    assert names(tmp_path) == ["v.jsonl"]
