"""Every change that an export makes on disk. Files are readable by their owner alone.

All changes go through these functions, so that a test can kill the process at any of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from harbour_async.export._errors import ExportError

_OWNER_ONLY = 0o600


@contextmanager
def _typed(path: Path | str) -> Iterator[None]:
    try:
        yield
    except ExportError:
        raise
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror or error}", error.errno) from error


def open_private(path: Path, *, keep: bool = False) -> int:
    """A descriptor to write to; ``keep``: the file's content stays, otherwise it is emptied."""
    with _typed(path):
        if not keep:
            path.unlink(missing_ok=True)
        # Do not follow links: in a shared folder somebody else might have put one there.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _OWNER_ONLY)
        try:
            os.fchmod(fd, _OWNER_ONLY)
        except OSError:
            os.close(fd)
            raise
        return fd


def write(fd: int, data: bytes, path: Path) -> None:
    """Write all of ``data`` at the descriptor's position."""
    with _typed(path):
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading; an error while it is read is an ExportError."""
    with _typed(path), path.open("rb") as file:
        yield file


def read(path: Path) -> bytes | None:
    """The content of a small file; None if there is no file."""
    with _typed(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def mode_of(path: str | os.PathLike[str]) -> int | None:
    """Type and permissions of the file that a path leads to; None if there is no file."""
    with _typed(os.fspath(path)):
        try:
            return os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None


def overwrite(fd: int, data: bytes, path: Path) -> None:
    """Overwrite the beginning of the file with ``data``, in one system call."""
    with _typed(path):
        os.pwrite(fd, data, 0)


def truncate(fd: int, size: int, path: Path) -> None:
    """Cut the file, and go on writing at its end."""
    with _typed(path):
        os.ftruncate(fd, size)
        os.lseek(fd, size, os.SEEK_SET)


def sync(fd: int, path: Path) -> None:
    """Wait until the written bytes would survive a power cut."""
    with _typed(path):
        os.fsync(fd)


def replace(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``; it replaces an existing file atomically."""
    with _typed(target):
        os.replace(source, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove(path: Path) -> None:
    with _typed(path):
        path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file atomically."""
    partial = path.with_name(f"{path.name}.new")
    fd = open_private(partial)
    try:
        write(fd, data, partial)
        sync(fd, partial)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    finally:
        os.close(fd)
    replace(partial, path)
