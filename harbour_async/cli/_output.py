"""Write a command's data: tables on a terminal, JSON lines in a pipe or file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harbour_async import InvalidRecord, to_dict, to_json
from harbour_async.cli._failures import UNPRINTABLE, printable
from harbour_async.errors import ConfigurationError

_GAP = 2  # characters between two columns of the table
_NARROWEST = 12  # for a text that is folded

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_CONTROLS = re.compile(rf"(?![\x00-\x7f])[{UNPRINTABLE}]")


class Output:
    """Writes records to stdout: as JSON lines, or as tables on a terminal.

    columns: the fields a table of records shows.
    as_json: JSON lines on a terminal too.
    """

    def __init__(self, columns: Sequence[str] = (), *, as_json: bool = False) -> None:
        if sys.stdout is None:
            raise ConfigurationError("stdout is closed, but the data is written to it")
        self.as_json = as_json or not sys.stdout.isatty()
        self._columns = columns
        self._unicode = "utf" in (sys.stdout.encoding or "").lower()
        # JSON may hold control characters beyond ASCII as they are, and terminals obey them.
        self._escaped = _CONTROLS if sys.stdout.isatty() else None
        if not self._unicode:
            self._escaped = _NOT_ASCII
        self._console = Console(highlight=False, markup=False, emoji=False)

    def records(self, records: Sequence[Any]) -> None:
        """Write some records of a listing, and flush them."""
        if self.as_json:
            for record in records:
                self.json(to_json(record))
        elif records:
            self._console.print(self._table_of(records))
        sys.stdout.flush()

    def record(self, record: Any) -> None:
        """Write a single record with all its fields."""
        if self.as_json:
            self.json(to_json(record))
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, wire in to_dict(record).items():
            nested = isinstance(wire, dict | list) and wire
            value = self._pretty(wire) if nested else _text(getattr(record, name, wire))
            table.add_row(_text(name), value)
        self._console.print(table)

    def json(self, line: bytes) -> None:
        """Write a line of JSON, in UTF-8, or in ASCII if stdout has another encoding."""
        if self._escaped:
            line = self._escaped.sub(_escaped, line.decode()).encode()
        sys.stdout.flush()
        sys.stdout.buffer.write(line + b"\n")

    def line(self, text: str) -> None:
        """Write a line that is only for terminals."""
        self._console.print(printable(text), soft_wrap=True)

    def _table_of(self, records: Sequence[Any]) -> Table:
        rows = [[shown(value) for value in self._values(record)] for record in records]
        natural = [max(map(len, column)) for column in zip(self._columns, *rows, strict=True)]
        widths = fitting(natural, self._console.width)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, width in zip(self._columns, widths, strict=False):
            table.add_column(name, width=width, overflow="fold")
        for row in rows:
            table.add_row(*(Text(text, overflow="fold") for text in row[: len(widths)]))
        return table

    def _values(self, record: Any) -> list[Any]:
        if isinstance(record, InvalidRecord):
            why = str(record.error).removeprefix("$.")
            return [record.record_id, f"invalid: {why}", *[None] * (len(self._columns) - 2)]
        return [getattr(record, name, None) for name in self._columns]

    def _pretty(self, value: Any) -> Text:
        lines = json.dumps(value, indent=2, ensure_ascii=not self._unicode).splitlines()
        return Text("\n".join(map(printable, lines)), overflow="fold")


def fitting(natural: Sequence[int], room: int) -> list[int]:
    """Widths of the first columns, as many as there is room for; the first one is never left out.

    It is the id, and is folded into two lines rather than cut, so that it can be copied.
    """
    if sum(natural) + _GAP * (len(natural) - 1) <= room:
        return list(natural)
    widths = [min(-(-natural[0] // 2), room)]
    for width in natural[1:]:
        left = room - sum(widths) - _GAP * len(widths)
        if left < min(width, _NARROWEST):
            break
        widths.append(min(width, left))
    return widths


def shown(value: Any) -> str:
    """A value for people: on one line, without control characters."""
    if value is None or value == [] or value == {}:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}Z"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return printable(str(value))


def _text(value: Any) -> Text:
    return Text(shown(value), overflow="fold")


def _escaped(character: re.Match[str]) -> str:
    # Characters beyond ASCII are only ever inside a string, where JSON can escape them.
    return json.dumps(character[0])[1:-1]
