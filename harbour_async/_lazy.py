"""Attributes that are made when somebody reads them.

A decoded record holds one hidden reference to its *source* and empty attribute slots. Python
calls ``__getattr__`` only for a slot that is empty, so the first read fills and every later one
costs what it costs on any slotted class. Generated methods (equality, repr, pickling,
``attrs.evolve``) read attributes too: to them the values have always been there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol


class Source(Protocol):
    """Where the empty slots of one record get their values from."""

    @property
    def fillers(self) -> Mapping[str, Callable[[Any, Lazy], None]]:
        """What fills a field, and maybe others with it: called with the source and the record."""


class Lazy:
    """Base of the records."""

    # Weak references are here so that all slots of a record are its own class's: `_decoding` has
    # to build a class with the same.
    __slots__ = ("__weakref__", "_source")

    if not TYPE_CHECKING:  # a type checker must go on flagging unknown attributes

        def __getattr__(self, name: str) -> Any:
            try:
                source = _get(self)
                fill = source.fillers[name]
            except (AttributeError, KeyError):  # this was never decoded, or has no such field
                pass
            else:
                fill(source, self)
            return object.__getattribute__(self, name)


LOCK = RLock()
"""To be held while filling in what can be changed: without it two threads could each get a dict
of their own, and lose one's changes. Reentrant, because a finalizer that runs meanwhile may read a
record as well; one for all, because it is held for microseconds."""

# The slot itself: frozen classes refuse `record._source = …`, and reading an empty
# `record._source` would come back to __getattr__.
_get = Lazy.__dict__["_source"].__get__


def source_of(record: Lazy) -> Any:
    """What ``record`` is filled from, or None if it was not decoded."""
    try:
        return _get(record)
    except AttributeError:
        return None
