"""The functions that touch every record, written out for its fields and compiled.

attrs does the same with ``__init__``: plain attribute access is several times faster than
``getattr`` in a loop. What a field ``x`` is made of when read is in ``raw_x``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from threading import RLock
from typing import Any

import msgspec

from harbour_async._decoding import rules
from harbour_async._decoding.codec import decode_any, spliced
from harbour_async._decoding.fields import Fields

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


def generate(fields: Fields) -> Mapping[str, Callable[..., Any]]:
    """``settle`` and ``outgoing`` of a `Wire`, and ``get_x`` for every field made when read."""
    shapes, unknown = fields.shapes, fields.unknown
    scope: dict[str, Any] = {
        "datetime": datetime,
        "decode": decode_any,
        "moment": _moment,
        "acquire": _lock.acquire,
        "release": _lock.release,
        "unknown": unknown,
        "sent_moment": _sent_moment,
        "sent_payload": _sent_payload,
    }
    scope |= {f"rule_{name}": rules.hook(shapes[name]) for name in fields.lists}
    scope |= {f"known_{name}": _Known(rules.hook(shapes[name])) for name in fields.enums}
    columns = [fields.own_id, *(f"raw_{name}" for name in fields.moments)]
    sent = {name: f"self.{name}" for name in shapes}
    sent |= {name: f"known_{name}[self.raw_{name}]" for name in fields.enums}
    sent |= {name: f"sent_moment(self.raw_{name})" for name in fields.moments}
    sent |= {name: f"sent_payload(self.raw_{name})" for name in fields.payloads}
    code = ["def settle(items):\n    for item in items:\n        pass"]
    for template, names in (
        (_SETTLED_PAYLOAD, fields.payloads),
        (_SETTLED_LIST, fields.lists),
        (_SETTLED_UNKNOWN, unknown),
        (f"\n    return {', '.join(f'[i.{column} for i in items]' for column in columns)},", [""]),
        (_MOMENT_GETTER, fields.moments),
        (_ENUM_GETTER, fields.enums),
        (_PAYLOAD_GETTER + _PUT_IN_ONCE, fields.payloads),
        (_EXTRA_GETTER, ["extra"]),
        (_EXTRA_ITEM, unknown),
        (_PUT_IN_ONCE, ["extra"]),
        ("\ndef outgoing(self):\n    return {{", [""]),
        ("{name},", [f'"{name}":{value}' for name, value in sent.items()]),
        ("}}", [""]),
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


def _sent_moment(value: Any) -> int | str | None:
    if value.__class__ is str:
        return int(value) if value.isdigit() else rules.wire_moment(rules.moment(value))
    sent: int | str | None = rules.wire_moment(value) if value.__class__ is datetime else value
    return sent


def _sent_payload(value: Any) -> Any:
    return spliced(value) if value.__class__ is bytes else value


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
