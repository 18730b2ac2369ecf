"""What a decoded record is a view of: a struct that keeps what came and makes values when read.

A field of the record is an attribute of the struct. Texts and flags are there as they were
scanned. For any other field ``x`` the struct keeps what came over the wire in ``raw_x``:

===============  ======================================  ==========================
field            ``raw_x``                               ``x``, when it is read
===============  ======================================  ==========================
timestamp        an int, or a string                     a datetime, made each time
open enum        a string                                a member, or that string
list of enums    a list of strings                       a list, kept in ``made_x``
object           its JSON; once read, the dict itself    that dict
``extra``        each unknown field's JSON, in ``x0``…   a dict, kept in ``made_extra``
===============  ======================================  ==========================

A dict or list that was read is kept, and the reader may change it. There is no lock: two threads
that read the same field for the first time at once may get two equal values; one of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from harbour_async._decoding import rules
from harbour_async._decoding.codec import decode_any, refuse_foreign, spliced
from harbour_async.errors import ConfigurationError

Read = Callable[[Any], Any]


class Lazy(Struct):
    """Base of the structs, one for each record class."""

    record: ClassVar[type]
    unknown: ClassVar[Mapping[str, str]]
    """Attributes that hold unknown fields, and the names of these."""
    write: ClassVar[Callable[[Lazy], dict[str, Any]]]
    """The fields with ``extra`` merged, as they came where nobody changed them."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The struct's class is made at runtime; pickle can find the record's.
        if self.made_extra is None and self.unknown:
            self.extra  # noqa: B018 - read, so that it is kept under a name that never changes
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return restore, (self.record, {k: v for k, v in values.items() if k not in self.unknown})

    made_extra: ClassVar[Any]
    extra: ClassVar[Any]


def restore(record: type, values: dict[str, Any]) -> Lazy:
    """A struct of ``record``'s kind from its attributes; what a pickle calls."""
    from harbour_async._decoding.scan import scanner_of

    return scanner_of(record).struct(**values)


def moment(name: str) -> Read:
    """Read a timestamp."""
    raw = attrgetter(f"raw_{name}")

    def read(self: Lazy) -> Any:
        value = raw(self)
        return None if value is None else _moment(value)

    return read


def open_enum(name: str, known: Callable[[str], Any]) -> Read:
    """Read an open enum."""
    raw, meanings = attrgetter(f"raw_{name}"), _Meanings(known)
    return lambda self: meanings[raw(self)]


def enum_list(name: str, known: Callable[[str], Any]) -> Read:
    """Read a list of an open enum's values."""
    raw, made = f"raw_{name}", f"made_{name}"

    def read(self: Lazy) -> Any:
        if getattr(self, made) is None and getattr(self, raw) is not None:
            setattr(self, made, [known(text) for text in getattr(self, raw)])
        return getattr(self, made)

    return read


def payload(name: str) -> Read:
    """Read an object."""
    raw, attribute = attrgetter(f"raw_{name}"), f"raw_{name}"

    def read(self: Lazy) -> Any:
        value = raw(self)
        if value.__class__ is bytes:
            value = decode_any(value)
            setattr(self, attribute, value)
        return value

    return read


def extra(self: Any) -> dict[str, Any]:
    """Read the unknown fields."""
    if self.made_extra is None:
        self.made_extra = _unknown(self, decode_any)
    made: dict[str, Any] = self.made_extra
    return made


def writer(
    columns: Mapping[str, str], payloads: list[str], lists: list[str], known: Mapping[str, Any]
) -> Read:
    """Write the fields: ``columns`` are names and attributes, ``known`` those of `enum_list`.

    What was read is checked, for the reader may have put anything into it.
    """
    names, attributes = tuple(columns), attrgetter(*columns.values(), "made_extra")

    def write(self: Any) -> dict[str, Any]:
        *values, more = attributes(self)
        out = dict(zip(names, values, strict=True))
        for name in payloads:
            if out[name].__class__ is bytes:
                out[name] = spliced(out[name])
            elif out[name]:
                refuse_foreign(out[name])
        for name, meaning in known.items():
            out[name] = _respelled(out[name], getattr(self, f"made_{name}"), meaning)
        for name in lists:
            if out[name]:
                refuse_foreign(out[name])
        if more:
            refuse_foreign(more)
        elif more is None and self.unknown:
            more = _unknown(self, spliced)
        return merged(out, more) if more else out

    return write


def merged(out: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """``out`` with ``extra`` beside its fields: an extra never hides a field."""
    if not isinstance(extra, Mapping):
        raise ConfigurationError(f"extra must be a mapping, not {type(extra).__name__}")
    return out | {name: extra[name] for name in extra if name not in out}


def _unknown(self: Lazy, made_of: Callable[[bytes], Any]) -> dict[str, Any]:
    """The unknown fields that came, each made of its JSON."""
    found = ((name, getattr(self, attribute)) for attribute, name in self.unknown.items())
    return {name: made_of(raw) for name, raw in found if raw is not None}


def _respelled(raw: list[str] | None, made: Any, known: Callable[[str], Any]) -> Any:
    """The list that was read, and may have been changed; members in the spelling they came in."""
    if raw is None or made is None:
        return raw
    spellings: dict[str, list[str]] = {}
    for text in reversed(raw):
        spellings.setdefault(known(text), []).append(text)
    # Each spelling goes out once: a value may have come in several, or have been added.
    return [spellings[v].pop() if isinstance(v, str) and spellings.get(v) else v for v in made]


class _Meanings(dict[str | None, Any]):
    """Spellings of an open enum and what they mean; a server may invent only so many."""

    def __init__(self, known: Callable[[str], Any]) -> None:
        super().__init__({None: None})
        self._known = known

    def __missing__(self, spelling: str) -> Any:
        meaning = self._known(spelling)
        if len(self) < 256:
            self[spelling] = meaning
        return meaning


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
