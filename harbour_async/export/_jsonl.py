"""JSON lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from harbour_async.errors import DecodeError
from harbour_async.export import _disk
from harbour_async.export._errors import unmergeable

if TYPE_CHECKING:
    from harbour_async.export._columns import Columns

Keep = Callable[[str, datetime | None], bool]
"""Whether a row of the old file stays, by its id and ``updated_at``."""


class JsonlWriter:
    """Writes the spool's lines as they are."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self.rows = 0
        self._path = path
        self._columns = columns
        self._fd = _disk.open_private(path)

    def begin(self) -> None:
        """Nothing stands before the rows."""

    def write(self, lines: Sequence[bytes]) -> None:
        _disk.write(self._fd, b"".join(line + b"\n" for line in lines), self._path)
        self.rows += len(lines)

    def copy(self, old: Path, keep: Keep) -> Iterator[None]:
        """Rows of an earlier file of the same columns; pauses between chunks."""
        number = 0
        with _disk.reading(old) as file:
            while lines := list(islice(file, 1000)):
                kept = []
                for line in lines:
                    number += 1
                    try:
                        version = self._columns.version(line)
                    except DecodeError:
                        raise unmergeable(old, f"has no record in line {number}") from None
                    if keep(*version):
                        kept.append(line.rstrip(b"\n"))
                self.write(kept)
                yield

    def close(self) -> None:
        _disk.sync(self._fd, self._path)

    def abandon(self) -> None:
        os.close(self._fd)
