"""The part of a listing that one request shows, and the choice of it.

A request names a page and a size, so it can show the records [(page - 1) * size, page * size) for
any size up to 100, and no others. Indices count from 0.
"""

from __future__ import annotations

from typing import NamedTuple

LARGEST = 100
"""The largest page the API gives."""


class Window(NamedTuple):
    """The records [``start``, ``end``) of a listing, asked for as a page of a size."""

    page: int
    size: int

    @property
    def start(self) -> int:
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        return self.page * self.size

    def __str__(self) -> str:
        return f"page {self.page} of size {self.size}"


def aligned(index: int, size: int) -> Window:
    """The window of exactly ``size`` that holds ``index``."""
    return Window(index // size + 1, size)


def reaching(target: int, place: int, size: int) -> Window:
    """The window that starts at or before ``target`` and reaches furthest.

    It is larger than ``size`` only if no smaller one ends past ``place``. (A window starts at a
    multiple of its size. From 5, for example, no window of size 2 or 3 ends past 6.) If ``target``
    and ``place`` are so far apart that no window of the largest size shows both, it ends at or
    before ``place``.
    """
    target = max(0, target)
    # The window of size n that shows ``target`` ends n - target % n behind it. Larger sizes come
    # first: of windows that reach equally far, the largest shows the most.
    reach = [n - target % n for n in range(size, 0, -1)]
    furthest = max(reach)
    best = size - reach.index(furthest)
    while target + furthest <= place and size < LARGEST:
        size += 1
        if size - target % size > furthest:
            best, furthest = size, size - target % size
    return aligned(target, best)
