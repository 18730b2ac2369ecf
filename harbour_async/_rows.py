"""One page of a listing as decoding hands it to the walk: parallel columns, no wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import define

T = TypeVar("T")


@define(eq=False)
class Rows(Generic[T]):
    """The records of one answer and what the walk must know of each.

    ``ids[i]`` and ``keys[i]`` belong to ``items[i]``: the record's own id (None if the server
    sent none), and the moment that the listing is ordered by, in microseconds since 1970 UTC (None
    if it sent none). ``invalid`` tells whether any of the items is an ``InvalidRecord``.
    """

    items: list[T]
    ids: list[str | None]
    keys: list[int | None]
    total: int
    invalid: bool = False


def picked(values: Sequence[T], positions: Sequence[int]) -> list[T]:
    """The values at ``positions``. Mostly these are one run, and a slice is the quicker way."""
    if isinstance(positions, range):
        return list(values[positions.start : positions.stop])
    return [values[i] for i in positions]
