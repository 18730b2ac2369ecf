"""Attributes that are made when somebody reads them.

A decoded record holds one hidden reference to its *source* and empty attribute slots. Python
calls ``__getattr__`` only for a slot that is empty, so the first read fills and every later one
costs what it costs on any slotted class. Generated methods (equality, repr, pickling,
``attrs.evolve``) read attributes too: to them the values have always been there.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol


class Source(Protocol):
    """Where the empty slots of one record get their values from."""

    def fill(self, record: Lazy, name: str) -> bool:
        """Fill ``name`` if it is here, more if that is cheap; answer whether nothing is left."""


class Lazy:
    """Base of the records: holds the source until everything has been read."""

    __slots__ = ("_source",)

    if not TYPE_CHECKING:  # a type checker must go on flagging unknown attributes

        def __getattr__(self, name: str) -> Any:
            # One lock for all: it is held for microseconds, and without it two threads could
            # each get their own copy of a dict and lose one's changes. Reentrant, because a
            # finalizer that runs meanwhile may read a record as well.
            with _lock:
                try:
                    source = _get(self)
                except AttributeError:  # all is filled, or this was never a decoded record
                    return object.__getattribute__(self, name)
                if source.fill(self, name):
                    _delete(self)
            return object.__getattribute__(self, name)


_lock = RLock()
# The slot itself: frozen classes refuse `record._source = …`, and reading an empty
# `record._source` would come back to __getattr__.
_get = Lazy.__dict__["_source"].__get__
_delete = Lazy.__dict__["_source"].__delete__
set_source = Lazy.__dict__["_source"].__set__


def source_of(record: Lazy) -> Any:
    """What ``record`` still has to be filled from, or None."""
    try:
        return _get(record)
    except AttributeError:
        return None
