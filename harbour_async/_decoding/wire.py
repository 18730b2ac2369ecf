"""Wire structs: what msgspec scans a record into, and what the record is then a view of.

Texts and flags are there at once. What costs more is made when it is read, and what can be changed
is then kept. The struct's class is derived from the record's annotations, which stay the only
description of the wire.

The functions that touch every record are written out line by line and compiled, as attrs does with
``__init__``: plain attribute access is several times faster than ``getattr`` in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import RLock
from typing import Annotated, Any, ClassVar, cast, get_args, get_origin

import attrs
import msgspec
from msgspec import Meta, Raw, Struct

from harbour_async._decoding import rules
from harbour_async._decoding.codec import decode_any
from harbour_async.models import Id

_ID = Annotated[str, Meta(min_length=1)]
_MOMENT = Annotated[int, Meta(ge=rules.FIRST_MS, le=rules.LAST_MS)] | str
_NOTHING = Annotated[int, Meta(gt=0, lt=0)]  # no value is of this type

UNSENT = "\x7f"
"""Stands in for the wire name of what never comes over the wire."""


class Wire(Struct):
    """One record as scanned; ``raw_x`` is what came for a field ``x`` that is made when read."""

    moments: ClassVar[Sequence[str]]
    raw: ClassVar[Mapping[str, str]]
    """Where moments and payloads are as they came."""

    settle: ClassVar[Callable[[Sequence[Wire]], Sequence[list[Any]]]]
    """Finish what was scanned; the columns of the own ids and of each of `moments`.

    TypeError for a payload that is not an object.
    """


def derive(record: type, own_id: str, learned: Sequence[str]) -> type[Wire]:
    """The wire struct of a record class; ``learned`` are names of further, unknown fields."""
    fields = _Fields(record, learned)
    required, *optional = fields.shapes
    columns: list[Any] = [(required, _scanned_as(fields.shapes[required]))]
    for name in optional:
        attribute = f"raw_{name}" if name in fields.made else name
        columns.append(_column(attribute, _scanned_as(fields.shapes[name]), name))
    columns += [_column(x, Raw, name) for x, name in fields.unknown.items()]
    columns.append(_column("raw_extra", _NOTHING, UNSENT))
    written = _written(fields, own_id)
    wire: Any = msgspec.defstruct(
        f"{record.__name__}Wire",
        columns,
        bases=(Wire,),
        namespace={name: property(written[f"get_{name}"]) for name in (*fields.made, "extra")},
        forbid_unknown_fields=True,
        gc=False,  # a cycle takes somebody who puts a record into its own payload
    )
    wire.settle = staticmethod(written["settle"])
    wire.moments = fields.moments
    wire.raw = {name: f"raw_{name}" for name in (*fields.moments, *fields.payloads)}
    return cast(type[Wire], wire)


def _column(attribute: str, kind: Any, name: str) -> tuple[str, Any, Any]:
    return attribute, kind, msgspec.field(default=None, name=name)


def _scanned_as(shape: Any) -> Any:
    """What msgspec is to take for a field of that shape."""
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


class _Fields:
    """A record's fields, by what is to be done with them."""

    def __init__(self, record: type, learned: Sequence[str]) -> None:
        self.shapes = {f.name: f.type for f in attrs.fields(attrs.resolve_types(record))}
        del self.shapes["extra"]
        self.moments = self._of(lambda shape: datetime in get_args(shape))
        self.payloads = self._of(lambda shape: _scanned_as(shape) is Raw)
        self.enums = self._of(rules.open_enum)
        self.lists = self._of(lambda shape: _scanned_as(shape) == list[str] | None)
        self.made = (*self.moments, *self.payloads, *self.enums)
        # Their names may be anything, so they get others.
        self.unknown = {f"x{index}": name for index, name in enumerate(learned)}

    def _of(self, kind: Callable[[Any], object]) -> tuple[str, ...]:
        return tuple(name for name, shape in self.shapes.items() if kind(shape))


_MOMENT_GETTER = """
def get_{name}(self):
    value = self.raw_{name}
    if value is None or value.__class__ is datetime:
        return value
    self.raw_{name} = value = moment(value)
    return value
"""
_PAYLOAD_GETTER = """
def get_{name}(self):
    value = self.raw_{name}
    if value.__class__ is not bytes:
        return value
    made = decode(value)
"""
_EXTRA_GETTER = """
def get_extra(self):
    value = self.raw_{name}
    if value is not None:
        return value
    made = {{}}
"""
_EXTRA_ITEM = """
    if self.{name} is not None:
        made[unknown["{name}"]] = decode(self.{name})
"""
_PUT_IN_ONCE = """
    acquire()  # `with` would take twice the time
    try:
        if self.raw_{name} is value:
            self.raw_{name} = made
        return self.raw_{name}
    finally:
        release()
"""
_ENUM_GETTER = """
def get_{name}(self):
    return known_{name}[self.raw_{name}]
"""
# A raw payload is a view that keeps the whole page alive: one record kept would hold 160 kB.
# `b"" + view` copies it in 0.05 µs, half of what `bytes(view)` takes.
_SETTLED_PAYLOAD = """
        value = item.raw_{name}
        if value is not None:
            item.raw_{name} = value = b"" + value
            if value[0] != 123:  # an opening brace
                if value != b"null":
                    raise TypeError("{name}")
                item.raw_{name} = None"""
_SETTLED_LIST = """
        if item.{name} is not None:
            item.{name} = rule_{name}(item.{name}, None)"""
_SETTLED_UNKNOWN = """
        if item.{name} is not None:
            item.{name} = b"" + item.{name}"""


def _written(fields: _Fields, own_id: str) -> Mapping[str, Callable[..., Any]]:
    """``Wire.settle``, and a getter for every field that is made when read."""
    scope: dict[str, Any] = {
        "datetime": datetime,
        "decode": decode_any,
        "moment": _moment,
        "acquire": _lock.acquire,
        "release": _lock.release,
        "unknown": fields.unknown,
    }
    shapes = fields.shapes
    scope |= {f"rule_{name}": rules.hook(shapes[name]) for name in fields.lists}
    scope |= {f"known_{name}": _Known(rules.hook(shapes[name])) for name in fields.enums}
    columns = [own_id, *(f"raw_{name}" for name in fields.moments)]
    code = ["def settle(items):\n    for item in items:\n        pass"]
    for template, names in (
        (_SETTLED_PAYLOAD, fields.payloads),
        (_SETTLED_LIST, fields.lists),
        (_SETTLED_UNKNOWN, fields.unknown),
        (f"\n    return {', '.join(f'[i.{column} for i in items]' for column in columns)},", [""]),
        (_MOMENT_GETTER, fields.moments),
        (_ENUM_GETTER, fields.enums),
        (_PAYLOAD_GETTER + _PUT_IN_ONCE, fields.payloads),
        (_EXTRA_GETTER, ["extra"]),
        (_EXTRA_ITEM, fields.unknown),
        (_PUT_IN_ONCE, ["extra"]),
    ):
        code += [template.format(name=name) for name in names]
    exec("".join(code), scope)
    return scope


_lock = RLock()
"""To be held while putting in what can be changed: without it two threads could each get a dict of
their own, and lose one's changes. Reentrant, because a signal handler may read a record as well;
one for all, because it is held for nanoseconds."""

_seconds = msgspec.json.Decoder(datetime, strict=False).decode


def _moment(value: int | str) -> datetime:
    """`rules.moment` of a checked value. Up to the year 2223 the usual digits go through C."""
    text = value if value.__class__ is str else str(value)
    if len(text) == 13 and text < "8":
        # As seconds, up to 2**33, a double tells microseconds apart.
        try:
            return _seconds(text + "e-3")
        except msgspec.DecodeError:  # not digits
            pass
    return rules.moment(value)


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
