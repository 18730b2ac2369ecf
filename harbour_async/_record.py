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

    __slots__ = ("__weakref__", "_source")
    _source: Any


def view(cls: type[R]) -> type[R]:
    """Class decorator, above ``attrs.frozen``: its fields become properties instead of slots."""
    body = dict(cls.__dict__)
    body |= {name: _field(name) for name in cls.__slots__}
    body["__slots__"] = ()
    return cast(type[R], type(cls.__name__, cls.__bases__, body))


def _field(name: str) -> property:
    def construct(record: Record, value: Any) -> None:
        # Only the generated `__init__` and `__setstate__` come here: records are frozen.
        source = source_of(record)
        if source is None:
            source = SimpleNamespace()
            _set_source(record, source)
        setattr(source, name, value)

    # The getter is all C: a call to a function would cost twice as much.
    return property(attrgetter(f"_source.{name}"), construct)


_get_source = Record.__dict__["_source"].__get__
_set_source = Record.__dict__["_source"].__set__  # the way into a frozen class


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
