"""Wire structs: what msgspec scans a record into, and what the record is filled from when read.

Texts and flags go into the record at once. What costs more, moments and payloads, stays in the
struct until it is read. Its class is derived from the record's annotations, which stay the only
description of the wire.

The functions that touch every record are written out line by line and compiled, as attrs does with
``__init__``: plain attribute access is several times faster than ``getattr`` in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, cast, get_args, get_origin

import attrs
import msgspec
from msgspec import Meta, Raw, Struct

from harbour_async._decoding import rules
from harbour_async._decoding.codec import decode_any
from harbour_async._lazy import LOCK, Lazy
from harbour_async.models import Id

_ID = Annotated[str, Meta(min_length=1)]
_MOMENT = Annotated[int, Meta(ge=rules.FIRST_MS, le=rules.LAST_MS)] | str

Filler = Callable[["Wire", Lazy], None]


class Wire(Struct):
    """One record as scanned, and its `Source`."""

    moments: ClassVar[tuple[str, ...]]
    fillers: ClassVar[Mapping[str, Filler]]

    build: ClassVar[Callable[[Sequence[Wire]], tuple[list[Any], ...]]]
    """The records of a page; then the columns of their own ids and of each of `moments`.

    TypeError for a payload that is not an object.
    """


def derive(record: type, own_id: str, learned: Sequence[str]) -> type[Wire]:
    """The wire struct of a record class; ``learned`` are names of further, unknown fields."""
    fields = {f.name: f.type for f in attrs.fields(attrs.resolve_types(record))}
    del fields["extra"]
    scanned = {name: _scanned_as(shape) for name, shape in fields.items()}
    unknown = {f"x{index}": name for index, name in enumerate(learned)}  # a name may be anything
    required, *_ = fields
    columns: list[Any] = [(required, scanned[required])]
    columns += [(name, kind, None) for name, kind in scanned.items() if name != required]
    columns += [(x, Raw, msgspec.field(default=None, name=name)) for x, name in unknown.items()]
    wire: Any = msgspec.defstruct(
        f"{record.__name__}Wire",
        columns,
        bases=(Wire,),
        forbid_unknown_fields=True,
        gc=False,  # nothing in it can be part of a cycle
    )
    wire.moments = tuple(name for name, shape in fields.items() if datetime in get_args(shape))
    wire.build = staticmethod(_write_build(record, fields, unknown, (own_id, *wire.moments)))
    wire.fillers = _fillers(record, fields, unknown)
    return cast(type[Wire], wire)


def _scanned_as(shape: Any) -> Any:
    """What msgspec is to take for a field annotated with ``shape``."""
    parts = get_args(shape)
    if shape == Id:
        return _ID
    if Id in parts:
        return _ID | None
    if datetime in parts:
        return _MOMENT | None
    if any(get_origin(part) is dict for part in parts):
        return Raw
    if any(get_origin(part) is list for part in parts):
        return list[str] | None
    return str | None if rules.open_enum(shape) else shape


def _write_build(
    record: Any, fields: dict[str, Any], unknown: Iterable[str], columns: Iterable[str]
) -> Any:
    # Records are frozen. Their slots are filled in an instance of a class that has the same slots
    # and is not, which then becomes a record: plain assignments are several times faster.
    scope: dict[str, Any] = {
        "record_class": record,
        "Unfrozen": type("Unfrozen", (Lazy,), {"__slots__": record.__slots__}),
    }
    lines = ["def build(items):", " records = []", " for item in items:", "  record = Unfrozen()"]
    lines += ["  record._source = item"]
    for name, shape in fields.items():
        scanned = _scanned_as(shape)
        if scanned is Raw:
            lines += [
                f"  value = item.{name}",
                f"  if value is None: record.{name} = None",
                "  else:",
            ]
            lines += _copied(name)
            lines += [f"   if value[0] != {ord('{')}:"]
            lines += [f"    if value != b'null': raise TypeError({name!r})"]
            lines += [f"    record.{name} = None"]
        elif rules.open_enum(shape):
            scope[f"known_{name}"] = _Known(rules.hook(shape))
            lines += [f"  record.{name} = known_{name}[item.{name}]"]
        elif scanned == list[str] | None:
            lines += [f"  if item.{name} is None: record.{name} = None"]
        elif datetime not in get_args(shape):
            lines += [f"  record.{name} = item.{name}"]
    for x in unknown:
        lines += [f"  value = item.{x}", "  if value is not None:", *_copied(x)]
    if not unknown:
        lines += ["  record.extra = {}"]
    lines += ["  record.__class__ = record_class", "  records.append(record)"]
    lines += [f" return records, {', '.join(f'[i.{name} for i in items]' for name in columns)}"]
    return _compiled(lines, scope)


def _copied(name: str) -> list[str]:
    # A raw payload is a view that keeps the whole page alive: one record kept would hold 160 kB.
    # `b"" + view` copies it in 0.05 µs, half of what `bytes(view)` takes.
    return [f"   item.{name} = value = b'' + value"]


def _fillers(record: Any, fields: dict[str, Any], unknown: dict[str, str]) -> dict[str, Filler]:
    """How to fill what `build` has left: moments together, what can be changed alone."""
    mutable = {
        name: decode_any if _scanned_as(shape) is Raw else _two_arguments(rules.hook(shape))
        for name, shape in fields.items()
        if _scanned_as(shape) in (Raw, list[str] | None)
    }
    moments = [name for name, shape in fields.items() if datetime in get_args(shape)]
    return {
        **dict.fromkeys(moments, _write_fill(record, moments)),
        **{name: _once(record, name, convert) for name, convert in mutable.items()},
        "extra": _extra(record, unknown),
    }


_TAKEN = object()


def _once(record: Any, name: str, convert: Callable[[Any], Any]) -> Filler:
    """For a value that can be changed: made once, also if two threads ask for it."""
    set_value = getattr(record, name).__set__

    def fill(self: Wire, target: Lazy) -> None:
        with LOCK:
            raw = getattr(self, name)
            if raw is not _TAKEN:
                set_value(target, None if raw is None else convert(raw))
                setattr(self, name, _TAKEN)

    return fill


def _extra(record: Any, unknown: dict[str, str]) -> Filler:
    slot = record.extra

    def fill(self: Wire, target: Lazy) -> None:
        raws = {name: getattr(self, x) for x, name in unknown.items()}
        extra = {name: decode_any(raw) for name, raw in raws.items() if raw is not None}
        with LOCK:
            try:
                slot.__get__(target)  # another thread was faster
            except AttributeError:
                slot.__set__(target, extra)

    return fill


def _write_fill(record: Any, moments: Iterable[str]) -> Filler:
    scope: dict[str, Any] = {"moment": rules.moment, "EPOCH": rules.EPOCH, "MS": rules.MS}
    lines = ["def fill_moments(self, record):"]
    for name in moments:
        scope[f"set_{name}"] = getattr(record, name).__set__  # the way into a frozen class
        # Checked already, and mostly digits: the rule is asked only for what is not.
        usual = "EPOCH + int(v) * MS if v.__class__ is int or v.isdigit()"
        value = f"None if (v := self.{name}) is None else {usual} else moment(v)"
        lines += [f" set_{name}(record, {value})"]
    return cast(Filler, _compiled(lines, scope))


class _Known(dict[str | None, Any]):
    """Spellings of an open enum and what they mean; a server may invent only so many."""

    def __init__(self, rule: rules.Hook) -> None:
        super().__init__({None: None})
        self._rule = rule

    def __missing__(self, spelling: str) -> Any:
        meaning = self._rule(spelling, None)
        if len(self) < 256:
            self[spelling] = meaning
        return meaning


def _two_arguments(rule: rules.Hook) -> Callable[[Any], Any]:
    return lambda value: rule(value, None)


def _compiled(lines: Sequence[str], scope: dict[str, Any]) -> Any:
    exec("\n".join(lines), scope)
    return next(reversed(scope.values()))  # what the lines define
