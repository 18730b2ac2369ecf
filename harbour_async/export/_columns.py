"""A record's fields as columns, and the lines of a spool as rows of them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

import attrs
from attrs import field, frozen

from harbour_async._decoding import decode_any, join_line, rules, split_line, to_json
from harbour_async.errors import ConfigurationError, DecodeError

EXTRA = "extra"
"""The column of all fields that the guide does not name."""

_IDS = ("verification_id", "webhook_id", "event_id")


class ColumnKind(enum.Enum):
    """The kind of a column's values."""

    TEXT = "text"
    ENUM = "enum"
    FLAG = "flag"
    MOMENT = "moment"
    PAYLOAD = "payload"
    LIST = "list"


@frozen
class Column:
    """One field: its name, the kind of its values, and the enum that they belong to, if any."""

    name: str
    kind: ColumnKind
    members: type[StrEnum] | None = None


@frozen
class Columns:
    """The chosen fields of a record class, in its order.

    Reads and writes the lines of a spool. A line has the wire's names and values; a row has one
    Python value for each column, None for null.
    """

    record: type[Any]
    chosen: tuple[Column, ...]
    _known: frozenset[str] = field(repr=False)
    everything: bool = field(repr=False)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.chosen]

    @property
    def own_id(self) -> str:
        return "event_id" if "event_id" in self._known else self.chosen[0].name

    @property
    def required(self) -> Column:
        """The only one that is never null. The guide shows events without an ``event_id``."""
        return self.chosen[0]

    def line(self, record: Any) -> bytes:
        """A record as one line of JSON, without the fields that were not chosen."""
        if not isinstance(record, self.record):
            raise ConfigurationError(
                f"an export takes {self.record.__name__} records, not {type(record).__name__}: "
                'leave on_invalid="keep" to it'
            )
        line = to_json(record)
        return line if self.everything else join_line(self.project(split_line(line)))

    def project(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The chosen fields of a JSON object."""
        names = self.names
        unknown = EXTRA in names
        return {
            name: value
            for name, value in fields.items()
            if (name in names if name in self._known else unknown)
        }

    def row(self, line: bytes) -> list[Any]:
        """The values of a line: text, bool, datetime, or JSON text; lists are lists."""
        fields = split_line(line)
        return [self._value(column, fields) for column in self.chosen]

    def version(self, line: bytes) -> tuple[str, datetime | None]:
        """The id of the line's record, and its ``updated_at`` if that was chosen.

        Raises DecodeError if the line is not one of a record.
        """
        fields = split_line(line)
        updated = fields.get("updated_at", b"null")
        own_id = decode_any(fields.get(self.own_id, b"null"))
        if not isinstance(own_id, str):
            raise DecodeError("no id", path=f"$.{self.own_id}")
        try:
            return own_id, None if updated == b"null" else rules.moment(decode_any(updated))
        except rules.BrokenRuleError as error:
            raise DecodeError(str(error), path="$.updated_at") from None

    def _value(self, column: Column, fields: dict[str, bytes]) -> Any:
        if column.name == EXTRA:
            unknown = {n: value for n, value in fields.items() if n not in self._known}
            return join_line(unknown).decode() if unknown else None
        raw = fields.get(column.name)
        if raw is None or raw == b"null":
            return None
        return _READERS[column.kind](column, raw)


def _enum(column: Column, raw: bytes) -> str:
    return _member(column, decode_any(raw))


def _list(column: Column, raw: bytes) -> list[str]:
    values: list[str] = decode_any(raw)
    return values if column.members is None else [_member(column, value) for value in values]


def _member(column: Column, value: str) -> str:
    assert column.members is not None
    # As in records: a known value in any letter case, anything else as it is.
    return value.lower() if value.lower() in column.members.__members__.values() else value


_READERS: dict[ColumnKind, Callable[[Column, bytes], Any]] = {
    ColumnKind.TEXT: lambda _, raw: decode_any(raw),
    ColumnKind.ENUM: _enum,
    ColumnKind.FLAG: lambda _, raw: raw == b"true",
    ColumnKind.MOMENT: lambda _, raw: rules.moment(decode_any(raw)),
    ColumnKind.PAYLOAD: lambda _, raw: raw.decode(),
    ColumnKind.LIST: _list,
}


def choose(
    record: type[Any], fields: Iterable[str] | None = None, exclude: Iterable[str] | None = None
) -> Columns:
    """The columns for ``fields`` without ``exclude``; the id is always among them.

    Raises ConfigurationError for names that the record class does not have, and if the id is in
    ``exclude``.
    """
    hints = get_type_hints(record)
    every = [_column(a.name, hints[a.name]) for a in attrs.fields(record)]
    names = [column.name for column in every]
    ids = [name for name in names if name in _IDS]
    wanted = names if fields is None else _checked("fields", fields, names)
    unwanted = _checked("exclude", exclude or (), names)
    if refused := [name for name in ids if name in unwanted]:
        raise ConfigurationError(
            f"exclude: {refused[0]} identifies the record and cannot be left out"
        )
    chosen = tuple(
        column
        for column in every
        if column.name in ids or (column.name in wanted and column.name not in unwanted)
    )
    return Columns(record, chosen, frozenset(names) - {EXTRA}, len(chosen) == len(every))


def _checked(what: str, given: Iterable[str], names: Sequence[str]) -> list[str]:
    if isinstance(given, str):
        raise ConfigurationError(f"{what} must be a list of names, not {given!r}")
    found = [str(name).strip() for name in given]
    if unknown := [name for name in found if name not in names]:
        raise ConfigurationError(
            f"{what}: there is no field {', '.join(map(repr, unknown))}; "
            f"the fields are {', '.join(names)}"
        )
    return found


def _column(name: str, hint: Any) -> Column:
    parts, members = (hint, *get_args(hint)), _members(hint)
    origins = {get_origin(part) for part in parts}
    if list in origins:
        return Column(name, ColumnKind.LIST, members)
    if members:
        return Column(name, ColumnKind.ENUM, members)
    if bool in parts:
        return Column(name, ColumnKind.FLAG)
    if datetime in parts:
        return Column(name, ColumnKind.MOMENT)
    return Column(name, ColumnKind.PAYLOAD if dict in origins else ColumnKind.TEXT)


def _members(hint: Any) -> type[StrEnum] | None:
    """The enum in a type, at any depth."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return next(filter(None, map(_members, get_args(hint))), None)
