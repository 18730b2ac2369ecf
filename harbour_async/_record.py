"""What every record is: a typed view of its source.

A record holds one reference, and its fields are properties that read the attributes of the same
name there. What the decoder scanned is the source as it is, so making a record of it costs next to
nothing, and what nobody reads is never made. A record that was constructed has a plain namespace.
Generated methods (equality, repr, pickling, ``attrs.evolve``) see no difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, TypeVar, cast

R = TypeVar("R", bound="Record")


class Record:
    """Base of the records, each of which is to be a ``view``."""

    # msgspec encodes an attrs object by its slots, skips those with a leading underscore, and
    # never looks at properties. So this slot has none: a subclass of a record that a user made
    # with attrs gets msgspec's TypeError (a namespace cannot be encoded), not an empty object.
    __slots__ = ("__weakref__", "record_source")
    record_source: Any

    def __setstate__(self, state: tuple[dict[str, Any] | None, ...]) -> None:
        # The state is the source, so a copy spells its values as the original does.
        for part in state:
            for name, value in (part or {}).items():
                object.__setattr__(self, name, value)


def view(cls: type[R]) -> type[R]:
    """Class decorator, above ``attrs.frozen``: its fields become properties instead of slots."""
    body = dict(cls.__dict__)
    body |= {name: _field(name) for name in cls.__slots__}
    body["__slots__"] = ()
    del body["__getstate__"], body["__setstate__"]
    # msgspec takes a class for an attrs class only if the class itself says so. Attrs and others
    # look at base classes too. Said there, msgspec raises TypeError, or calls its ``enc_hook``.
    said = {"__slots__": (), "__attrs_attrs__": body.pop("__attrs_attrs__")}
    base = type(f"{cls.__name__}Fields", cls.__bases__, said)
    return cast(type[R], type(cls.__name__, (base,), body))


def is_view(cls: type[Record]) -> bool:
    """Whether all fields of ``cls`` are read from its source: False for a user's attrs subclass."""
    return "__attrs_attrs__" not in vars(cls)


def _field(name: str) -> property:
    def construct(record: Record, value: Any) -> None:
        # Only the generated `__init__` and `__setstate__` come here: records are frozen.
        source = source_of(record)
        if source is None:
            source = SimpleNamespace()
            _set_source(record, source)
        setattr(source, name, value)

    # The getter is all C: a call to a function would cost twice as much.
    # Without `doc`, a property takes over the docstring of its getter: here attrgetter's own.
    return property(attrgetter(f"record_source.{name}"), construct, doc="")


_get_source = Record.__dict__["record_source"].__get__
_set_source = Record.__dict__["record_source"].__set__  # the way into a frozen class


def source_of(record: Record) -> Any:
    """Where ``record`` has its values from; None while it is being constructed."""
    try:
        return _get_source(record)
    except AttributeError:
        return None


def views(record: type[R], sources: Sequence[Any]) -> list[R]:
    """A record for each source, made without a step of Python for any of them."""
    records = list(map(record.__new__, repeat(record, len(sources))))
    deque(map(_set_source, records, sources), maxlen=0)
    return records
