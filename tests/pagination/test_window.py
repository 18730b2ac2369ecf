"""The choice of a window, beside trying all sizes."""

from __future__ import annotations

import random

from harbour_async.pagination._window import LARGEST, aligned, reaching


def test_the_window_chosen_reaches_furthest_of_all_sizes_and_shows_the_most() -> None:
    chance = random.Random(12)
    for _ in range(2_000):
        target = chance.choice([chance.randrange(20), chance.randrange(10**6)])
        size = chance.randint(1, LARGEST)
        sizes = [aligned(target, n) for n in range(1, size + 1)]
        best = max(sizes, key=lambda window: (window.end, window.size))
        assert reaching(target, target, size) == best, (target, size)


def test_a_window_is_larger_than_asked_only_if_no_smaller_one_ends_past_the_place() -> None:
    for target in range(300):
        for place in range(target, target + 40):
            window = reaching(target, place, 3)
            smaller = range(1, max(4, window.size))
            assert window.end > place
            assert window.size <= 3 or all(aligned(target, n).end <= place for n in smaller)
