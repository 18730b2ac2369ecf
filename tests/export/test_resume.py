"""Exports that end early, and go on."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harbour_async import (
    APIStatusError,
    Budget,
    ConfigurationError,
    PagingReport,
    RateLimit,
    Retry,
)
from harbour_async.export import ExportError, _limit, _walk, export
from tests.export.support import lines, listing, names, record, served

RECORDS = [record(n) for n in range(450)]
KEPT = ["v.csv.checkpoint", "v.csv.invalid.spool", "v.csv.spool"]


@pytest.fixture(autouse=True)
def _each_page_has_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_walk, "SAVE_EVERY", 0.0)


def after(pages: int, error: BaseException) -> Callable[[PagingReport], None]:
    def progress(report: PagingReport) -> None:
        if report.pages == pages:
            raise error

    return progress


async def interrupted(target: Path, pager: Any = None, **options: Any) -> None:
    with pytest.raises(KeyError):
        stop = after(2, KeyError("stop"))
        await export(pager or listing(RECORDS), target, on_progress=stop, **options)


async def test_the_same_export_goes_on_and_the_file_is_the_same(tmp_path: Path) -> None:
    target, whole = tmp_path / "v.csv", tmp_path / "whole.csv"
    await interrupted(target)
    assert names(tmp_path) == KEPT
    report = await export(listing(RECORDS), target)
    await export(listing(RECORDS), whole)
    assert target.read_bytes() == whole.read_bytes()
    assert (report.runs, report.yielded, report.complete) == (2, 450, True)
    assert report.report.requests >= 5
    assert names(tmp_path) == ["v.csv", "whole.csv"]


async def test_max_items_counts_over_all_runs(tmp_path: Path) -> None:
    target = tmp_path / "v.csv"
    await interrupted(target, listing(RECORDS, max_items=250))
    report = await export(listing(RECORDS, max_items=250), target)
    assert report.rows == 250


async def test_max_items_reached_before_the_end_sends_no_more_requests(tmp_path: Path) -> None:
    target = tmp_path / "v.csv"

    def stop(report: PagingReport) -> None:
        if report.yielded == 150:
            raise KeyError("stop")

    with pytest.raises(KeyError):
        await export(listing(RECORDS, max_items=150), target, on_progress=stop)
    report = await export(listing(RECORDS, max_items=150), target)
    assert (report.rows, report.report.pages) == (150, 2)


async def test_an_error_says_what_was_kept_and_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(KeyError) as caught:
        await export(listing(RECORDS), tmp_path / "v.csv", on_progress=after(2, KeyError("stop")))
    (note,) = caught.value.__notes__
    assert re.match(r"1\d\d records are kept in", note)
    assert "v.csv.spool" in note
    assert "same export again" in note
    assert "--restart" in note


async def test_a_cancelled_export_keeps_what_it_has(tmp_path: Path) -> None:
    arrived = asyncio.Event()
    pager = listing(RECORDS)
    task = asyncio.create_task(
        export(pager, tmp_path / "v.csv", on_progress=lambda _: arrived.set())
    )
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(tmp_path) == KEPT
    report = await export(listing(RECORDS), tmp_path / "v.csv")
    assert (report.runs, report.rows) == (2, 450)


async def test_a_lost_network_keeps_what_arrived(tmp_path: Path) -> None:
    async with served(450) as (sandbox, harbour):
        once = harbour.with_options(retry=Retry(attempts=1))
        pager = once.verifications.list(concurrency=1)

        def fail(report: PagingReport) -> None:
            if report.pages == 2:
                sandbox.fail(503, times=None)

        with pytest.raises(APIStatusError) as caught:
            await export(pager, tmp_path / "v.csv", on_progress=fail)
        assert "records are kept" in caught.value.__notes__[0]
        sandbox.calm()
        report = await export(harbour.verifications.list(), tmp_path / "v.csv")
    assert (report.runs, report.rows, report.complete) == (2, 450, True)


async def test_an_export_that_fails_before_the_first_record_leaves_nothing(tmp_path: Path) -> None:
    async with served(10) as (sandbox, harbour):
        sandbox.fail(401, times=None)
        with pytest.raises(APIStatusError) as caught:
            await export(harbour.verifications.list(), tmp_path / "v.csv")
    assert "nothing was kept" in caught.value.__notes__[0]
    assert names(tmp_path) == []


@pytest.mark.parametrize("room", [0, 10_000, 30_000, 60_000])
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
async def test_a_full_disk_keeps_what_fitted(
    room: int, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``room`` is the space for the spool and for the file made from it."""
    target, whole = tmp_path / f"v.{suffix}", tmp_path / f"whole.{suffix}"
    await export(listing(RECORDS), whole)
    left = room
    real = os.write

    def write(fd: int, data: Any) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(fd, data[:left])
        left -= written
        return written

    with monkeypatch.context() as full, pytest.raises(ExportError) as caught:
        full.setattr(os, "write", write)
        await export(listing(RECORDS), target)
    assert caught.value.errno == errno.ENOSPC
    assert "No space left on device" in str(caught.value)
    assert "kept" in caught.value.__notes__[0]
    assert not target.exists()
    await export(listing(RECORDS), target)
    if suffix != "parquet":
        assert target.read_bytes() == whole.read_bytes()
    assert names(tmp_path) == [target.name, whole.name]


@pytest.mark.parametrize("failing", range(2, 7))
async def test_no_page_is_lost_if_the_note_of_its_request_does_not_fit_on_the_disk(
    failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first note is written before the first page, and one more for each of the five pages."""
    target, whole = tmp_path / "v.jsonl", tmp_path / "whole.jsonl"
    await export(listing(RECORDS), whole)
    real, notes = os.pwrite, 0

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        nonlocal notes
        notes += 1
        if notes == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(_limit, "NOTE_EVERY", 3600.0)
    async with Budget(RateLimit(1000)) as budget:
        with pytest.raises(ExportError):
            await export(listing(RECORDS, budget=budget), target)
        await export(listing(RECORDS, budget=budget), target)
    assert target.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"fields": ["status"]},
            "fields: kept verification_id,result.*asked verification_id,status",
        ),
        ({"format": "parquet"}, "format: kept csv, asked parquet"),
    ],
)
async def test_a_checkpoint_of_another_export_is_refused_with_both_shown(
    options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    target = tmp_path / "v.csv"
    await interrupted(target)
    with pytest.raises(ConfigurationError, match=says):
        await export(listing(RECORDS), target, **options)
    assert names(tmp_path) == KEPT
    assert (await export(listing(RECORDS), target)).runs == 2


async def test_a_checkpoint_of_other_filters_is_refused_with_both_shown(tmp_path: Path) -> None:
    async with served(250) as (_, harbour):
        with pytest.raises(KeyError):
            stop = after(1, KeyError("stop"))
            pager = harbour.verifications.list()
            await export(pager, tmp_path / "v.csv", on_progress=stop)
        pager = harbour.verifications.list(order_by="created_at ASC")
        kept, asked = (f"verifications order_by=created_at {way}" for way in ("DESC", "ASC"))
        says = f"kept {kept}, asked {asked}"
        with pytest.raises(ConfigurationError, match=says):
            await export(pager, tmp_path / "v.csv")


async def test_a_checkpoint_of_a_listing_that_goes_on_from_a_token_is_refused(
    tmp_path: Path,
) -> None:
    """Its spool has the rest only, and the file would be called complete."""
    target = tmp_path / "v.csv"
    walk = listing(RECORDS)
    async for _ in walk:
        break
    await interrupted(target, listing(RECORDS, resume=walk.resume_token))
    with pytest.raises(ConfigurationError, match=r"resume: kept [0-9a-f]+, asked None"):
        await export(listing(RECORDS), target)
    report = await export(listing(RECORDS, resume=walk.resume_token), target)
    assert (report.rows, report.runs) == (449, 2)


async def test_restart_throws_away_what_was_kept(tmp_path: Path) -> None:
    target = tmp_path / "v.csv"
    await interrupted(target)
    report = await export(listing(RECORDS), target, fields=["status"], restart=True)
    assert (report.runs, report.rows) == (1, 450)
    assert names(tmp_path) == ["v.csv"]


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "{}", '{"version": 0}', "[]", pytest.param("[" * 100_000, id="deep")],
)
async def test_a_damaged_checkpoint_is_refused_until_restart(content: str, tmp_path: Path) -> None:
    target = tmp_path / "v.csv"
    await interrupted(target)
    (tmp_path / "v.csv.checkpoint").write_text(content)
    with pytest.raises(ConfigurationError, match="--restart"):
        await export(listing(RECORDS), target)
    assert (await export(listing(RECORDS), target, restart=True)).rows == 450


async def test_a_spool_that_was_truncated_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "v.csv"
    await interrupted(target)
    os.truncate(tmp_path / "v.csv.spool", 10)
    with pytest.raises(ConfigurationError, match="was changed"):
        await export(listing(RECORDS), target)


async def test_the_second_export_to_a_path_is_refused(tmp_path: Path) -> None:
    target, refused = tmp_path / "v.jsonl", []

    async def second() -> None:
        with pytest.raises(ConfigurationError, match="another export"):
            await export(listing(RECORDS), target)
        refused.append(True)

    tasks = []
    report = await export(
        listing(RECORDS),
        target,
        on_progress=lambda _: tasks.append(asyncio.ensure_future(second())),
    )
    await asyncio.gather(*tasks, return_exceptions=True)
    assert refused
    assert report.rows == len(lines(target)) == 450


async def test_a_lock_file_left_by_a_killed_process_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl.lock").write_text("whatever")
    await export(listing(RECORDS), tmp_path / "v.jsonl")
    assert names(tmp_path) == ["v.jsonl"]
