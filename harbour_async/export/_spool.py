"""The spool: records as they came, and the checkpoint that says how many of its bytes count.

The order makes it safe. Bytes are appended and synced first, then a checkpoint with their number
and the walk's token replaces the one before. After a crash the bytes beyond the last checkpoint
are cut off, and the walk goes on from its token.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import define, evolve

from harbour_async.errors import ConfigurationError
from harbour_async.export import _checkpoint, _disk
from harbour_async.export._checkpoint import Asked, Checkpoint
from harbour_async.export._columns import Columns
from harbour_async.export._files import Files
from harbour_async.export._invalid import invalid_line
from harbour_async.models import InvalidRecord

CHUNK = 1000
"""Lines that are read from a spool at a time."""


@define
class Spool:
    """The spool of one export.

    ``state`` is what the next checkpoint will say, ``saved`` what the last one says.
    """

    files: Files
    state: Checkpoint
    saved: Checkpoint | None
    _fd: int = -1
    _invalid_fd: int = -1

    def append(self, records: Sequence[Any], columns: Columns) -> None:
        """Write the records of one page."""
        lines, invalid = [], []
        for record in records:
            if isinstance(record, InvalidRecord):
                invalid.append(invalid_line(record, columns) + b"\n")
            else:
                lines.append(columns.line(record) + b"\n")
        valid_bytes, invalid_bytes = b"".join(lines), b"".join(invalid)
        _disk.write(self._fd, valid_bytes, self.files.spool)
        if invalid_bytes:
            _disk.write(self._invalid_fd, invalid_bytes, self.files.invalid_spool)
        self.state = evolve(
            self.state,
            offset=self.state.offset + len(valid_bytes),
            invalid_offset=self.state.invalid_offset + len(invalid_bytes),
            yielded=self.state.yielded + len(records),
            invalid=self.state.invalid + len(invalid),
        )

    def save(self, state: Checkpoint) -> None:
        """Sync what was written, then move the checkpoint to ``state``.

        More may be appended meanwhile: ``state`` does not count it.
        """
        _disk.sync(self._fd, self.files.spool)
        if state.invalid_offset:
            _disk.sync(self._invalid_fd, self.files.invalid_spool)
        state.save(self.files.checkpoint)
        self.saved = state

    def chunks(self) -> Iterator[list[bytes]]:
        """The lines that count, without their line breaks."""
        return _chunks(self.files.spool, self.state.offset)

    def invalid_chunks(self) -> Iterator[list[bytes]]:
        """The same of the invalid records."""
        return _chunks(self.files.invalid_spool, self.state.invalid_offset)

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._invalid_fd)


def _chunks(path: Path, left: int) -> Iterator[list[bytes]]:
    with _disk.reading(path) as file:
        while left and (lines := list(islice(file, CHUNK))):
            left -= sum(map(len, lines))
            yield [line.rstrip(b"\n") for line in lines]


def resumed(files: Files, asked: Asked) -> Checkpoint | None:
    """The checkpoint to go on from; ConfigurationError if it is another export's."""
    kept = _checkpoint.load(files.checkpoint)
    if kept is not None and kept.asked != asked:
        raise ConfigurationError(
            f"an unfinished export to {files.target} has other arguments "
            f"({asked.differences(kept.asked)}): give the same ones to go on, "
            "or discard it with --restart (restart=True)"
        )
    return kept


def open_spool(files: Files, state: Checkpoint, *, kept: bool) -> Spool:
    """The spool as ``state`` says: empty, or cut to the bytes that count."""
    if kept:
        _check_size(files.spool, state.offset)
        _check_size(files.invalid_spool, state.invalid_offset)
    else:
        _disk.remove(files.checkpoint)
    fds: list[int] = []
    try:
        for path, size in (
            (files.spool, state.offset),
            (files.invalid_spool, state.invalid_offset),
        ):
            fds.append(_disk.open_private(path, keep=kept))
            _disk.truncate(fds[-1], size, path)
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    return Spool(files, state, state if kept else None, *fds)


def _check_size(path: Path, size: int) -> None:
    found = path.stat().st_size if path.exists() else 0
    if found < size:
        raise ConfigurationError(
            f"{path} was changed: it has {found} bytes, its checkpoint says {size}; "
            "start again with --restart (restart=True)"
        )
