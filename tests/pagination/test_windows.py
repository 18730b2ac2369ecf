"""What a request can show, for every page size."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

import pytest

from harbour_async.pagination._windows import LARGEST, Window, aligned, opening, reaching


def test_a_window_shows_the_records_of_its_page() -> None:
    assert (Window(3, 20).start, Window(3, 20).end) == (40, 60)
    assert aligned(59, 20) == Window(3, 20)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_reaching_shows_its_target_and_what_follows(size: int) -> None:
    for place in [*range(1, 3 * size), 1_000, 5_040, 720_720]:
        window = reaching(place - 1, place, size)
        assert window.start < place < window.end
        assert window.size <= max(size, 17)  # lcm(1..16) is 720,720: none is a worse place


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_opening_windows_overlap_and_cost_one_request_at_most(size: int) -> None:
    windows = opening(size)
    assert windows[0] == Window(1, size)
    for before, after in pairwise(windows):
        assert after.start < before.end < after.end
    after_opening = aligned(windows[-1].end - 1, size).start
    for total in range(1, size * (len(windows) + 3)):
        opened = next((n for n, w in enumerate(windows, 1) if w.end >= total), len(windows))
        rest = ceil((total - after_opening) / size) if windows[-1].end < total else 0
        assert opened + rest <= ceil(total / size) + 1
