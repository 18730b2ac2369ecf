"""The rate limit holds over all runs of one export."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harbour_async import RateLimit
from harbour_async.export import _lock, _walk, export
from harbour_async.export._limit import SentLately
from tests.export.support import listing, record


class Memory:
    """A budget's memory of its sends, in seconds ago."""

    def __init__(self, *ago: float, limit: RateLimit = RateLimit(10, per=60)) -> None:
        self.limit = limit
        self.sent = list(ago)

    def recent(self) -> list[float]:
        return list(self.sent)

    def remember(self, ago: list[float]) -> None:
        self.sent += ago


def killed(path: Path, *ago: float, more: int) -> None:
    """The lock file of a killed process that sent requests so many seconds ago."""
    lock = _lock.take(path)
    SentLately(Memory(*ago), lock, more).note()
    lock.release(remove=False)


def test_all_sends_of_a_killed_run_count_also_those_that_it_may_not_have_noted(
    tmp_path: Path,
) -> None:
    killed(tmp_path / "lock", 20.0, 5.0, more=2)
    lock, budget = _lock.take(tmp_path / "lock"), Memory()
    SentLately(budget, lock, 2).restore(lock.sent)
    lock.release()
    assert sorted(budget.sent) == pytest.approx([0, 0, 5, 20], abs=2)


def test_sends_older_than_the_window_are_forgotten() -> None:
    budget = Memory()
    SentLately(budget, None, 4).restore([time.time() - 61, time.time() - 59])  # type: ignore[arg-type]
    assert budget.sent == pytest.approx([59], abs=0.9)


def test_sends_noted_by_two_exports_of_one_session_count_once() -> None:
    budget = Memory()
    times = [time.time() - ago for ago in (30, 20, 20, 10)]
    for _ in range(2):
        SentLately(budget, None, 4).restore(times)  # type: ignore[arg-type]
    assert sorted(budget.sent) == pytest.approx([10, 20, 20, 30], abs=0.9)


def test_a_send_that_several_notes_of_a_run_hold_counts_once() -> None:
    budget = Memory()
    now = time.time()
    lock_file, checkpoint = [now - ago for ago in (30, 20, 20, 10)], [now - 30, now - 20.001]
    SentLately(budget, None, 4).restore(lock_file, checkpoint)  # type: ignore[arg-type]
    assert sorted(budget.sent) == pytest.approx([10, 20, 20, 30], abs=0.9)


async def test_sends_do_not_multiply_when_the_same_export_fails_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_walk, "SAVE_EVERY", 0.0)

    def stop(_: Any) -> None:
        raise KeyError("stop")

    began = time.time()
    moments = (began + 1 + n for n in range(6))
    for now in moments:  # each time as if it were another process
        monkeypatch.setattr(time, "time", partial(float, now))
        budget = Memory()
        pager = listing([record(n) for n in range(2000)], budget=budget)
        lock = _lock.take(tmp_path / "v.csv.lock")
        before = lock.sent
        lock.note([now - began], 0)
        lock.release(remove=False)
        with pytest.raises(KeyError):
            await export(pager, tmp_path / "v.csv", on_progress=stop)
        assert len(before) <= 1
    assert len(budget.sent) == 1


def test_a_note_that_replaces_a_longer_one_is_read_without_the_rest_of_that(tmp_path: Path) -> None:
    lock = _lock.take(tmp_path / "lock")
    SentLately(Memory(*range(50)), lock, 4).note()
    SentLately(Memory(1.0), lock, 0).note()
    lock.release(remove=False)
    again = _lock.take(tmp_path / "lock")
    again.release()
    assert len(again.sent) == 1


def test_without_a_limit_nothing_is_noted(tmp_path: Path) -> None:
    lock = _lock.take(tmp_path / "lock")
    SentLately(Memory(1.0, limit=RateLimit.unlimited()), lock, 4).note()
    assert lock.path.read_bytes() == b""
    lock.release()


async def test_an_export_that_failed_hands_its_sends_to_the_next_run(tmp_path: Path) -> None:
    first, second = Memory(), Memory()
    pager = listing([record(n) for n in range(250)], budget=first)

    def stop(_: Any) -> None:
        first.sent = [3.0, 1.0]
        raise KeyError("stop")

    with pytest.raises(KeyError):
        await export(pager, tmp_path / "v.csv", on_progress=stop)
    pager = listing([record(n) for n in range(250)], budget=second)
    await export(pager, tmp_path / "v.csv")
    assert sorted(second.sent) == pytest.approx([1, 3], abs=5)
    assert len(second.sent) == 2
