"""CSV after RFC 4180, in UTF-8 with a header and bare line feeds.

An empty cell without quotes is null, one with quotes is an empty text. Nested values are JSON
text, timestamps ISO 8601 in UTC.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from harbour_async._decoding import encode_json, rules
from harbour_async.export import _disk
from harbour_async.export._errors import unmergeable
from harbour_async.export._jsonl import Keep

if TYPE_CHECKING:
    from harbour_async.export._columns import Columns

_QUOTED = re.compile(r'[",\r\n]|^\s|\s$|^$')
_CELL = re.compile(r'(?:"([^"]*+(?:""[^"]*+)*+)"|([^",\r\n]*+))(?:,|\n\Z)')


class CsvWriter:
    """Writes the spool's lines as rows of fixed columns."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self.rows = 0
        self._path = path
        self._columns = columns
        self._fd = _disk.open_private(path)

    @property
    def _header(self) -> bytes:
        return _line(self._columns.names)

    def begin(self) -> None:
        _disk.write(self._fd, self._header, self._path)

    def write(self, lines: Sequence[bytes]) -> None:
        rows = b"".join(_line(self._columns.row(line)) for line in lines)
        _disk.write(self._fd, rows, self._path)
        self.rows += len(lines)

    def copy(self, old: Path, keep: Keep) -> Iterator[None]:
        """Rows of an earlier file of the same columns, as they are; pauses between chunks."""
        names = self._columns.names
        own_id = names.index(self._columns.own_id)
        updated = names.index("updated_at") if "updated_at" in names else None
        with _disk.reading(old) as file:
            rows = _raw_rows(file)
            if next(rows, b"") != self._header:
                raise unmergeable(old, "has other columns")
            for number, raw in enumerate(rows, 1):
                try:
                    cells = _cells(raw, len(names))
                    moment = cells[updated] if updated is not None else ""
                    version = cells[own_id], rules.moment(moment) if moment else None
                except (ValueError, rules.BrokenRuleError):
                    raise unmergeable(old, f"has another form in row {number}") from None
                if keep(*version):
                    _disk.write(self._fd, raw, self._path)
                    self.rows += 1
                if number % 1000 == 0:
                    yield

    def close(self) -> None:
        _disk.sync(self._fd, self._path)

    def abandon(self) -> None:
        os.close(self._fd)


def _raw_rows(file: BinaryIO) -> Iterator[bytes]:
    """Rows as they stand in the file: line breaks inside quotes do not end one."""
    row = b""
    for line in file:
        row += line
        if row.count(b'"') % 2 == 0:
            yield row
            row = b""
    if row:
        yield row


def _cells(raw: bytes, count: int) -> list[str]:
    """The cells of a row as ``_line`` writes it; ValueError for any other."""
    # Not by the module csv: it refuses cells above a limit that holds for the whole process.
    row, place, cells = raw.decode(), 0, []
    while place < len(row):
        match = _CELL.match(row, place)
        if match is None:
            raise ValueError
        quoted, plain = match.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        place = match.end()
    if len(cells) != count or not row.endswith("\n"):
        raise ValueError
    return cells


def _line(cells: Sequence[Any]) -> bytes:
    return (",".join(map(_cell, cells)) + "\n").encode(errors="backslashreplace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = encode_json(value).decode() if isinstance(value, list) else value
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
