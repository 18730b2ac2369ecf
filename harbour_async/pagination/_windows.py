"""The part of a listing that one request shows, and the choice of it.

A request names a page and a size, so it can show records [(page - 1) * size, page * size) for any
size up to 100, and nothing else. Indices count from 0.
"""

from __future__ import annotations

from attrs import frozen

LARGEST = 100


@frozen
class Window:
    """The records [``start``, ``end``) of a listing, as page ``page`` of size ``size``."""

    page: int
    size: int

    @property
    def start(self) -> int:
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        return self.page * self.size


def aligned(index: int, size: int) -> Window:
    """The window of exactly ``size`` in which ``index`` lies."""
    return Window(index // size + 1, size)


def reaching(target: int, place: int, size: int) -> Window:
    """The window that starts at or before ``target`` and reaches furthest, at least past ``place``.

    It is of at most ``size`` unless only a larger one can do both. (Window starts are multiples of
    the size: from 5 no window but the whole list's first six records ends past 5 with size 2 or 3.)
    """
    target = max(0, target)
    best = max((aligned(target, n) for n in range(1, size + 1)), key=lambda w: (w.end, w.size))
    while best.end <= place and size < LARGEST:
        size += 1
        best = max(best, aligned(target, size), key=lambda w: w.end)
    return best


def opening(size: int) -> list[Window]:
    """Windows that each show the last record of the one before, for one request in all.

    Their sizes shrink from ``size`` by about one each; the list ends where going back to windows of
    ``size`` would come to have cost a second extra request: after about √size windows.
    """
    windows = [Window(1, size)]
    while True:
        last = windows[-1].end - 1
        window = reaching(last, last + 1, size)
        if (window.end - 1) // size < len(windows) or len(windows) >= LARGEST:
            return windows
        windows.append(window)


def patience(total: int, size: int) -> int:
    """After how many answers to give up on a listing that had ``total`` records at first."""
    return 64 + 4 * (total // size)
