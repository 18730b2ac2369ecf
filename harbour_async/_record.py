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
from typing import Any, TypeVar

R = TypeVar("R", bound="Record")


class _RecordType(type):
    """Makes the fields of a slotted attrs class properties instead of slots."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _RecordType:
        fields = {a.name for a in body.get("__attrs_attrs__", ())}
        slots = body.get("__slots__", ())
        views = {slot: _view(slot) for slot in slots if slot in fields}
        if views:
            body = {**body, **views, "__slots__": tuple(s for s in slots if s not in views)}
        return super().__new__(mcs, name, bases, body)


def _view(name: str) -> property:
    def construct(record: Record, value: Any) -> None:
        # Only the generated `__init__` and `__setstate__` come here: records are frozen.
        source = source_of(record)
        if source is None:
            source = SimpleNamespace()
            _set_source(record, source)
        setattr(source, name, value)

    # The getter is all C: a call to a function would cost twice as much.
    return property(attrgetter(f"_source.{name}"), construct)


class Record(metaclass=_RecordType):
    """Base of the records."""

    __slots__ = ("__weakref__", "_source")
    _source: Any


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
