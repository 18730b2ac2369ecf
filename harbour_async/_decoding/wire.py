"""Wire structs: what msgspec scans a record into, and what the record is filled from when read.

A struct has the scalars as they came and the payloads as raw JSON. Its class is derived from the
record's annotations, which stay the only description of the wire.

The two functions that touch every record are written out line by line and compiled, as attrs does
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


class Habits:
    """What a reader asks of one record it will ask of the next.

    Filling everything at once is cheaper than three reads one by one, and dearer than one.
    Forgotten with every page, so that printing a record once does no lasting harm.
    """

    __slots__ = ("last", "many", "payloads")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.last = 0  # the id() of the last struct a single scalar was read from
        self.many = False  # more than one scalar is read
        self.payloads: set[str] = set()  # payloads that are read


class Wire(Struct):
    """One record as scanned, and its `Source`.

    What is filled is gone from here: the first field, the required id, is None once all scalars
    are, and a payload is empty once it is.
    """

    moments: ClassVar[tuple[str, ...]]
    payloads: ClassVar[tuple[str, ...]]
    habits: ClassVar[Habits]

    settle: ClassVar[Callable[[Sequence[Wire]], tuple[list[Any], ...]]]
    """Cut the payloads loose from their page; answer the columns of the own id and `moments`.

    TypeError for a payload that is not an object.
    """

    fill: ClassVar[Callable[[Wire, Lazy, str], bool]]
    """As in `Source`."""


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
    wire.habits = Habits()
    wire.settle = staticmethod(_write_settle(wire.payloads, unknown, (own_id, *wire.moments)))
    wire.fill = _write_fill(record, fields, unknown, wire)
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


def _has_rule(shape: Any) -> bool:
    scanned = _scanned_as(shape)
    return scanned not in (shape, Raw) and Id not in (shape, *get_args(shape))


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
    record: Any, fields: dict[str, Any], unknown: dict[str, str], wire: type[Wire]
) -> Any:
    setters = {name: getattr(record, name).__set__ for name in (*fields, "extra")}
    ruled = {name: rules.hook(shape) for name, shape in fields.items() if _has_rule(shape)}
    # Lists are not read one by one: they could be filled twice, and a change to the first be lost.
    single = {
        name: ruled.get(name)
        for name, shape in fields.items()
        if _scanned_as(shape) not in (Raw, list[str] | None)
    }
    scope: dict[str, Any] = {
        **{f"set_{name}": setter for name, setter in setters.items()},
        **{f"rule_{name}": rule for name, rule in ruled.items()},
        "setters": setters,
        "single": single,
        "habits": wire.habits,
        "decode": decode_any,
        "decode_extra": _decode_extra,
    }
    key = next(iter(fields))
    extra_left = " or ".join(f"self.{x}" for x in unknown) or "False"
    left = " or ".join(f"self.{name}" for name in (*wire.payloads, *unknown)) or "False"
    done = f"return self.{key} is None and not ({left})"

    lines = ["def fill(self, record, name):"]
    for name in wire.payloads:
        lines += [f" if name == {name!r}:"]
        lines += [f"  if self.{name}: set_{name}(record, decode(self.{name})); self.{name} = b''"]
        lines += [f"  elif self.{name} is None: set_{name}(record, None)"]
        lines += [f"  habits.payloads.add({name!r})"]
        lines += [f"  {done}"]

    lines += [f" if self.{key} is not None:"]
    lines += ["  if name in single and not habits.many and habits.last != id(self):"]
    lines += ["   habits.last = id(self)"]
    lines += ["   value = getattr(self, name)"]
    lines += ["   if value is not None and single[name]: value = single[name](value, None)"]
    lines += ["   setters[name](record, value)"]
    lines += ["   return False"]

    lines += ["  habits.many = True"]
    for name in fields:
        if name in wire.payloads:
            lines += [f"  if self.{name} is None: set_{name}(record, None)"]
            lines += [f"  elif self.{name} and {name!r} in habits.payloads:"]
            lines += [f"   set_{name}(record, decode(self.{name})); self.{name} = b''"]
        elif name in ruled:
            lines += [f"  value = self.{name}"]
            lines += [f"  set_{name}(record, value if value is None else rule_{name}(value, None))"]
        else:
            lines += [f"  set_{name}(record, self.{name})"]
    lines += [f"  if not ({extra_left}): set_extra(record, {{}})"]
    lines += [f"  self.{key} = None"]

    if unknown:
        raws = ", ".join(f"{name!r}: self.{x}" for x, name in unknown.items())
        lines += [f" if name == 'extra' and ({extra_left}):"]
        lines += [f"  set_extra(record, decode_extra({{{raws}}}))"]
        lines += [f"  {' = '.join(f'self.{x}' for x in unknown)} = b''"]
    lines += [f" {done}"]
    return _compiled(lines, scope)


def _decode_extra(raws: dict[str, bytes | None]) -> dict[str, Any]:
    return {name: decode_any(raw) for name, raw in raws.items() if raw}


def _compiled(lines: Sequence[str], scope: dict[str, Any]) -> Any:
    exec("\n".join(lines), scope)
    return next(reversed(scope.values()))  # what the lines define
