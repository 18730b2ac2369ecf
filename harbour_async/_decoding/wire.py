"""Wire structs: what msgspec scans a record into, and what the record is filled from when read.

A struct has the scalars as they came and the payloads as raw JSON. Its class is derived from the
record's annotations, which stay the only description of the wire.

The functions that touch every record are written out line by line and compiled, as attrs does
with ``__init__``: plain attribute access is several times faster than ``getattr`` in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, cast, get_args, get_origin

import attrs
import msgspec
from msgspec import Meta, Raw, Struct

from harbour_async._decoding import rules
from harbour_async._decoding.codec import decode_any
from harbour_async._lazy import Lazy
from harbour_async.models import Id

_ID = Annotated[str, Meta(min_length=1)]
_MOMENT = Annotated[int, Meta(ge=rules.FIRST_MS, le=rules.LAST_MS)] | str


class Wire(Struct):
    """One record as scanned, and its `Source`; what has been read is None here."""

    moments: ClassVar[tuple[str, ...]]
    payloads: ClassVar[tuple[str, ...]]

    settle: ClassVar[Callable[[Sequence[Wire]], tuple[list[Any], ...]]]
    """Cut the payloads loose from their page; answer the columns of the own id and `moments`.

    TypeError for a payload that is not an object.
    """

    fill: ClassVar[Callable[[Wire, Lazy, str], bool]]
    """Fill all scalars at the first call (cheaper than three one by one), or a payload by name;
    answer whether nothing is left."""


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
    wire.payloads = tuple(name for name, kind in scanned.items() if kind is Raw)
    wire.moments = tuple(name for name, shape in fields.items() if datetime in get_args(shape))
    wire.settle = staticmethod(_write_settle(wire.payloads, unknown, (own_id, *wire.moments)))
    wire.fill = _write_fill(record, fields, wire.payloads, unknown)
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


def _write_settle(payloads: Sequence[str], unknown: Iterable[str], columns: Iterable[str]) -> Any:
    # A raw payload is a view that keeps the whole page alive: one record kept would hold 160 kB.
    # `b"" + view` copies it in 0.05 µs, half of what `bytes(view)` takes.
    lines = ["def settle(items):", " for item in items:", "  pass"]
    for name in (*payloads, *unknown):
        lines += [f"  value = item.{name}"]
        lines += ["  if value is not None:"]
        lines += [f"   item.{name} = value = b'' + value"]
        if name in payloads:
            lines += [f"   if value[0] != {ord('{')}:"]
            lines += [f"    if value != b'null': raise TypeError({name!r})"]
            lines += [f"    item.{name} = None"]
    lines += [f" return {', '.join(f'[item.{name} for item in items]' for name in columns)}"]
    return _compiled(lines, {})


def _write_fill(
    record: Any, fields: dict[str, Any], payloads: Sequence[str], unknown: dict[str, str]
) -> Any:
    setters = {f"set_{name}": getattr(record, name).__set__ for name in (*fields, "extra")}
    scope: dict[str, Any] = {**setters, "decode": decode_any, "decode_extra": _decode_extra}
    key = next(iter(fields))  # the one field that cannot be None until it has been read
    extra_left = " or ".join(f"self.{x} is not None" for x in unknown) or "False"
    lines = ["def fill(self, record, name):"]
    lines += [f" if self.{key} is not None:"]
    for name, shape in fields.items():
        lines += [f"  value = self.{name}"]
        if name in payloads:
            lines += [f"  if value is None: set_{name}(record, None)"]
            continue
        if _scanned_as(shape) != shape and Id not in (shape, *get_args(shape)):
            scope[f"rule_{name}"] = rules.hook(shape)
            lines += [f"  if value is not None: value = rule_{name}(value, None)"]
        lines += [f"  set_{name}(record, value)"]
    lines += [f"  if not ({extra_left}): set_extra(record, {{}})"]
    lines += [f"  self.{key} = None"]
    for name in payloads:
        lines += [f" if name == {name!r} and self.{name} is not None:"]
        lines += [f"  set_{name}(record, decode(self.{name}))"]
        lines += [f"  self.{name} = None"]
    if unknown:
        raws = ", ".join(f"{name!r}: self.{x}" for x, name in unknown.items())
        lines += [f" if name == 'extra' and ({extra_left}):"]
        lines += [f"  set_extra(record, decode_extra({{{raws}}}))"]
        lines += [f"  {' = '.join(f'self.{x}' for x in unknown)} = None"]
    left = [f"self.{name} is not None" for name in (*payloads, *unknown)]
    lines += [f" return not ({' or '.join(left) or 'False'})"]
    return _compiled(lines, scope)


def _decode_extra(raws: dict[str, bytes | None]) -> dict[str, Any]:
    return {name: decode_any(raw) for name, raw in raws.items() if raw is not None}


def _compiled(lines: Sequence[str], scope: dict[str, Any]) -> Any:
    exec("\n".join(lines), scope)
    return next(reversed(scope.values()))  # what the lines define
