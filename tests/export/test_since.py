"""Incremental exports."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from harbour_async import ConfigurationError, Pager, Verification
from harbour_async.export import _walk, export
from harbour_async.export._since import LOOKBACK, export_since
from tests.export.support import NEWEST, lines, listing, names, record, served

SINCE = datetime(2020, 1, 1, tzinfo=UTC)
FORMATS = ["jsonl", "csv", "parquet"]


@pytest.fixture(autouse=True)
def _each_page_has_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_walk, "SAVE_EVERY", 0.0)


class World:
    """Records that change between exports; a second passes with each change."""

    def __init__(self, count: int) -> None:
        self.records = {f"v{n}": record(n, status="started") for n in range(count)}
        self.now = NEWEST

    def update(self, own_id: str, **fields: Any) -> None:
        self.now += 1000
        self.records[own_id] |= {"updated_at": str(self.now), **fields}

    def create(self, own_id: str) -> None:
        self.now += 1000
        moment = str(self.now)
        new = {"verification_id": own_id, "created_at": moment, "updated_at": moment}
        self.records[own_id] = new | {"status": "started"}

    def changes(
        self,
        since: datetime,
        lookback: timedelta = timedelta(0),
        **options: Any,
    ) -> Pager[Verification]:
        """As ``verifications.changes``, three records a page."""
        oldest_first = sorted(self.records.values(), key=lambda r: r["updated_at"] or "")
        return listing(
            oldest_first,
            key="updated_at",
            order="updated_at ASC",
            since=int(since.timestamp()) * 1_000_000,
            lookback=int(lookback.total_seconds()) * 1_000_000,
            **{"page_size": 3, **options},
        )


def statuses(path: Path) -> dict[str, str]:
    if path.suffix == ".parquet":
        rows = pyarrow.parquet.read_table(path).to_pylist()
    elif path.suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = lines(path)
    found = {row["verification_id"]: row["status"] for row in rows}
    assert len(found) == len(rows), "an id is in the file twice"
    return found


def remote(world: World) -> dict[str, str]:
    return {own_id: record["status"] for own_id, record in world.records.items()}


@pytest.mark.parametrize("form", FORMATS)
async def test_last_merges_what_changed_into_the_file(form: str, tmp_path: Path) -> None:
    world, target = World(8), tmp_path / f"v.{form}"
    first = await export_since(world.changes, target, SINCE)
    assert first.rows == 8
    for turn in ("in_progress", "completed"):
        world.update("v3", status=turn)
        world.create(f"new {turn}")
        report = await export_since(world.changes, target, "last")
        assert report.complete
        assert statuses(target) == remote(world)
    assert names(tmp_path) == [f"v.{form}", f"v.{form}.since.json"]
    assert (tmp_path / f"v.{form}.since.json").stat().st_mode & 0o777 == 0o600


async def test_a_moment_exports_only_what_was_updated_since(tmp_path: Path) -> None:
    world, target = World(8), tmp_path / "v.jsonl"
    target.write_text("old\n")
    since = datetime.fromtimestamp(NEWEST / 1000, UTC) - timedelta(seconds=2)
    await export_since(world.changes, target, since)
    assert sorted(statuses(target)) == ["v0", "v1", "v2"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("when", ["walk", "file", "note"])
async def test_an_interrupted_run_goes_on_and_the_rows_are_the_same(
    form: str, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in the walk, before its file is in place, and before its checkpoint moves."""
    world, target = World(12), tmp_path / f"v.{form}"
    await export_since(world.changes, target, SINCE)
    for n in (2, 5, 7, 9, 1):
        world.update(f"v{n}", status="cancelled")
    moved = (tmp_path / f"v.{form}.since.json").read_bytes()

    def stop(*_: Any) -> None:
        raise KeyError("stop")

    with monkeypatch.context() as broken, pytest.raises(KeyError):
        if when == "file":
            broken.setattr("harbour_async.export._disk.replace", stop_at(target))
        if when == "note":
            broken.setattr("harbour_async.export._since._save", stop)
        progress = stop if when == "walk" else None
        await export_since(world.changes, target, "last", on_progress=progress)
    assert (tmp_path / f"v.{form}.since.json").read_bytes() == moved
    world.update("v0", status="completed")
    report = await export_since(world.changes, target, "last")
    assert report.runs == 2
    expected = remote(world)
    if when != "walk":  # the next run exports what changed after the walk
        expected["v0"] = "started"
    assert statuses(target) == expected
    await export_since(world.changes, target, "last")
    assert statuses(target) == remote(world)


def stop_at(target: Path) -> Callable[[Path, Path], None]:
    from harbour_async.export import _disk

    real = _disk.replace

    def replace(source: Path, name: Path) -> None:
        if name == target:
            raise KeyError("stop")
        real(source, name)

    return replace


@pytest.mark.parametrize("form", FORMATS)
async def test_an_invalid_record_stays_beside_the_file_until_it_comes_again(
    form: str, tmp_path: Path
) -> None:
    world, target = World(6), tmp_path / f"v.{form}"
    for own_id in ("v2", "v3"):
        world.update(own_id, is_scan="perhaps")
    world.now += 2 * LOOKBACK // timedelta(milliseconds=1)
    world.create("late")
    assert (await export_since(world.changes, target, SINCE)).invalid == 2
    report = await export_since(world.changes, target, "last")
    assert (report.rows, report.invalid, report.report.invalid) == (5, 2, 0)
    assert [line["id"] for line in lines(target.with_name(f"v.{form}.invalid.jsonl"))] == [
        "v2",
        "v3",
    ]
    world.update("v3", is_scan=True)
    report = await export_since(world.changes, target, "last")
    assert (report.rows, report.invalid) == (6, 1)
    world.update("v2", is_scan=True)
    report = await export_since(world.changes, target, "last")
    assert (report.rows, report.invalid, report.invalid_path) == (7, 0, None)
    assert names(tmp_path) == [f"v.{form}", f"v.{form}.since.json"]


async def test_a_run_that_ended_when_invalid_records_were_in_place_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, target = World(6), tmp_path / "v.csv"
    world.update("v2", is_scan="perhaps")

    def stop(*_: Any) -> None:
        raise KeyError("stop")

    with monkeypatch.context() as broken, pytest.raises(KeyError):
        broken.setattr("harbour_async.export._since._save", stop)
        await export_since(world.changes, target, SINCE)
    report = await export_since(world.changes, target, SINCE)
    assert (report.rows, report.invalid, report.runs) == (5, 1, 2)


async def test_a_row_of_the_file_that_is_later_than_the_change_read_stays(tmp_path: Path) -> None:
    world, target = World(3), tmp_path / "v.jsonl"
    await export_since(world.changes, target, SINCE)
    world.update("v1", status="in_progress")
    newer = World(3)
    newer.records = {k: dict(v) for k, v in world.records.items()}
    newer.now = world.now
    newer.update("v1", status="completed")
    target.write_text("".join(json.dumps(r) + "\n" for r in newer.records.values()))
    await export_since(world.changes, target, "last")
    assert statuses(target)["v1"] == "completed"


async def test_last_looks_five_minutes_back(tmp_path: Path) -> None:
    seen = []

    def changes(since: datetime, **options: Any) -> Pager[Verification]:
        seen.append(options)
        return world.changes(since, **options)

    world, target = World(3), tmp_path / "v.jsonl"
    await export_since(changes, target, SINCE)
    await export_since(changes, target, "last")
    assert seen[0] == {}
    assert seen[1]["lookback"] == LOOKBACK == timedelta(minutes=5)


async def test_a_proof_that_failed_does_not_move_the_checkpoint(tmp_path: Path) -> None:
    world, target = World(3), tmp_path / "v.jsonl"
    await export_since(world.changes, target, SINCE)
    before = (tmp_path / "v.jsonl.since.json").read_bytes()
    world.update("v1", status="completed")

    world.records["v2"]["updated_at"] = None
    unproved = world.changes
    report = await export_since(unproved, target, "last")
    assert report.unproved
    assert statuses(target) == remote(world)
    assert (tmp_path / "v.jsonl.since.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fields": ["status"]}, "other arguments"),
        ({"exclude": ["result"]}, "other arguments"),
    ],
)
async def test_last_with_other_arguments_is_refused(
    options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    world, target = World(3), tmp_path / "v.jsonl"
    await export_since(world.changes, target, SINCE)
    with pytest.raises(ConfigurationError, match=says):
        await export_since(world.changes, target, "last", **options)


async def test_last_without_an_earlier_run_is_refused(tmp_path: Path) -> None:
    world = World(3)
    with pytest.raises(ConfigurationError, match="begin with a moment"):
        await export_since(world.changes, tmp_path / "v.jsonl", "last")
    (tmp_path / "v.jsonl").touch()
    with pytest.raises(ConfigurationError, match="begin with a moment"):
        await export_since(world.changes, tmp_path / "v.jsonl", "last")


async def test_last_without_its_file_is_refused(tmp_path: Path) -> None:
    world, target = World(3), tmp_path / "v.jsonl"
    await export_since(world.changes, target, SINCE)
    target.unlink()
    with pytest.raises(ConfigurationError, match="is gone"):
        await export_since(world.changes, target, "last")


async def test_a_full_export_with_other_fields_ends_the_series(tmp_path: Path) -> None:
    world, target = World(3), tmp_path / "v.jsonl"
    await export_since(world.changes, target, SINCE)
    await export(listing(list(world.records.values())), target)
    assert (await export_since(world.changes, target, "last")).rows == 3
    await export(listing(list(world.records.values())), target, fields=["status"])
    assert names(tmp_path) == ["v.jsonl"]


@pytest.mark.parametrize(
    ("options", "goes_on"),
    [
        ({}, True),
        ({"search": "v1"}, False),
        ({"max_items": 5}, False),
        ({"complete": False}, False),
        ({"order_by": "updated_at DESC"}, False),
    ],
)
async def test_only_a_proved_full_export_of_the_same_filters_keeps_the_series_going(
    options: dict[str, Any], goes_on: bool, tmp_path: Path
) -> None:
    """Otherwise the file would stay without the records that the export did not list."""
    target = tmp_path / "v.jsonl"
    async with served(12) as (_, harbour):
        await export_since(harbour.verifications.changes, target, SINCE)
        await export(harbour.verifications.list(**options), target)
        if goes_on:
            assert (await export_since(harbour.verifications.changes, target, "last")).rows == 12
            return
        with pytest.raises(ConfigurationError, match="begin with a moment"):
            await export_since(harbour.verifications.changes, target, "last")


async def test_an_export_that_goes_on_from_a_token_ends_the_series(tmp_path: Path) -> None:
    target = tmp_path / "v.jsonl"
    async with served(12) as (_, harbour):
        await export_since(harbour.verifications.changes, target, SINCE)
        walk = harbour.verifications.list(page_size=5)
        await walk.first()
        await export(harbour.verifications.list(resume=walk.resume_token), target)
    assert names(tmp_path) == ["v.jsonl"]


@pytest.mark.parametrize("form", FORMATS)
async def test_records_of_any_size_are_merged(form: str, tmp_path: Path) -> None:
    """The csv module takes no cell above 128 KiB."""
    world, target = World(4), tmp_path / f"v.{form}"
    world.records["v2"]["latest_response"] = {"text": 'a "quoted" line\n' * 12_000}
    await export_since(world.changes, target, SINCE)
    world.records["v2"]["updated_at"] = str(NEWEST - 1_000_000)  # so that its row is copied
    world.update("v3", status="completed")
    await export_since(world.changes, target, "last")
    limit = csv.field_size_limit(1 << 20)
    assert statuses(target) == remote(world)
    csv.field_size_limit(limit)


IDS = ["a,b", 'a"b', '"', "a\nb", "a\rb", " a", "\u2028", "\x00", "null", "=1+1"]


@pytest.mark.parametrize("form", FORMATS)
async def test_ids_of_any_form_are_found_again(form: str, tmp_path: Path) -> None:
    world, target = World(4), tmp_path / f"v.{form}"
    for own_id in IDS:
        world.create(own_id)
    await export_since(world.changes, target, SINCE)
    for own_id in IDS[::2]:
        world.update(own_id, status="completed")
    await export_since(world.changes, target, "last")
    assert statuses(target) == remote(world)


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("csv", b""),
        ("csv", b"{}\r\n"),
        ("csv", b"{}v9,1\n"),
        ("csv", b"{}\xe9\n"),
        ("csv", b'{}"v9,'),
        ("csv", b"{}\n"),
        ("jsonl", b"{}v9\n"),
        ("jsonl", b"{}\n"),
        ("jsonl", b"{}[]\n"),
        ("jsonl", b'{}{"verification_id": 3}\n'),
        ("jsonl", b'{}{"verification_id": "v", "updated_at": {}}\n'),
        ("parquet", b""),
        ("parquet", b"\n{}"),
        ("parquet", b"{}\n"),
    ],
)
async def test_a_file_that_no_export_wrote_is_not_merged_into(
    form: str, content: bytes, tmp_path: Path
) -> None:
    world, target = World(4), tmp_path / f"v.{form}"
    await export_since(world.changes, target, SINCE)
    changed = content.replace(b"{}", target.read_bytes(), 1)
    target.write_bytes(changed)
    world.update("v3", status="completed")
    with pytest.raises(ConfigurationError, match="cannot be brought up to date"):
        await export_since(world.changes, target, "last")
    assert target.read_bytes() == changed
    await export_since(world.changes, target, SINCE, restart=True)
    assert statuses(target) == remote(world)


@pytest.mark.parametrize("changed", [{"start": "soon"}, {"start": 3}, {"start": "2020-01-01"}])
async def test_a_damaged_note_is_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    world, target = World(4), tmp_path / "v.jsonl"
    await export_since(world.changes, target, SINCE)
    note = tmp_path / "v.jsonl.since.json"
    whole = note.read_bytes()
    for content in (whole[:-9], b"[]", b"[" * 100_000, b"\xff", json.dumps(changed).encode()):
        note.write_bytes(content)
        with pytest.raises(ConfigurationError, match="is damaged"):
            await export_since(world.changes, target, "last")
    note.write_text(json.dumps(json.loads(whole) | changed))
    with pytest.raises(ConfigurationError, match="is damaged"):
        await export_since(world.changes, target, "last")


async def test_a_moment_needs_a_zone(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        await export_since(World(1).changes, tmp_path / "v.csv", datetime(2026, 1, 1))


async def test_max_items_bounds_a_run_and_the_next_goes_on(tmp_path: Path) -> None:
    world, target = World(7), tmp_path / "v.csv"
    some = partial(world.changes, max_items=4)
    await export_since(some, target, SINCE)
    assert len(statuses(target)) == 4
    await export_since(world.changes, target, "last")
    assert statuses(target) == remote(world)
