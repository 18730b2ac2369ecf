"""What an export writes to the disk, in each format."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from harbour_async import ConfigurationError, Pager, Verification, to_json
from harbour_async.export import ExportError, _disk, export
from tests.export.support import lines, listing, names, record, served


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
async def test_an_export_holds_every_record_and_leaves_nothing_else(
    suffix: str, tmp_path: Path
) -> None:
    target = tmp_path / f"v.{suffix}"
    async with served(250) as (sandbox, harbour):
        report = await export(harbour.verifications.list(), target)
        ids = sandbox.verification_ids()
    assert report.rows == report.yielded == 250
    assert report.complete
    assert not report.unproved
    assert names(tmp_path) == [target.name]
    assert found_ids(target) == ids
    assert report.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()


def found_ids(path: Path) -> list[str]:
    if path.suffix == ".jsonl":
        return [line["verification_id"] for line in lines(path)]
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [row["verification_id"] for row in csv.DictReader(file)]
    ids: list[str] = pyarrow.parquet.read_table(path)["verification_id"].to_pylist()
    return ids


async def test_json_lines_are_the_bytes_of_the_wire(tmp_path: Path) -> None:
    async with served(120) as (_, harbour):
        await export(harbour.verifications.list(), tmp_path / "v.jsonl")
        records = await harbour.verifications.list().to_list()
    assert (tmp_path / "v.jsonl").read_bytes() == b"".join(to_json(v) + b"\n" for v in records)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
async def test_an_empty_listing_makes_a_file_without_rows(form: str, tmp_path: Path) -> None:
    report = await export(listing([]), tmp_path / f"v.{form}")
    assert report.rows == 0
    assert report.complete
    assert found_ids(tmp_path / f"v.{form}") == []


async def test_csv_tells_null_from_an_empty_text(tmp_path: Path) -> None:
    pager = listing([record(1, organization_id=""), record(2, organization_id=None)])
    await export(pager, tmp_path / "v.csv", fields=["organization_id"])
    assert (tmp_path / "v.csv").read_text() == ('verification_id,organization_id\nv1,""\nv2,\n')


async def test_csv_quotes_what_would_break_a_row(tmp_path: Path) -> None:
    texts = ["a,b", 'say "hi"', "two\nlines", "return\r", " led by a space", "Łukasz", "null"]
    pager = listing([record(n, organization_id=text) for n, text in enumerate(texts)])
    await export(pager, tmp_path / "v.csv")
    with (tmp_path / "v.csv").open(newline="", encoding="utf-8") as file:
        assert [row["organization_id"] for row in csv.DictReader(file)] == texts


async def test_csv_has_fixed_columns_nested_json_and_unknown_fields_in_extra(
    tmp_path: Path,
) -> None:
    pager = listing(
        [
            record(1, latest_response={"a": [1, None]}, status="Completed", is_scan=True),
            record(2, brand_new={"x": 1}, other=None),
        ]
    )
    await export(pager, tmp_path / "v.csv")
    with (tmp_path / "v.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert json.loads(first["latest_response"]) == {"a": [1, None]}
    assert first["created_at"] == "2023-05-25T18:08:35Z"
    assert (first["status"], first["is_scan"], first["extra"]) == ("completed", "true", "")
    assert json.loads(second["extra"]) == {"brand_new": {"x": 1}, "other": None}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
async def test_an_excluded_field_is_never_on_the_disk(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = bytearray()
    real = os.write

    def write(fd: int, data: Any) -> int:
        written.extend(data)
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    pager = listing([record(n, latest_response={"secret": "x"}) for n in range(150)])
    await export(pager, tmp_path / f"v.{suffix}", exclude=["latest_response"])
    assert b"v149" in written
    assert b"secret" not in written
    assert b"latest_response" not in written


async def test_fields_are_written_in_the_records_order_with_the_id(tmp_path: Path) -> None:
    pager = listing([record(1, status="started", unknown=1)])
    await export(pager, tmp_path / "v.jsonl", fields=["updated_at", "status"])
    (line,) = lines(tmp_path / "v.jsonl")
    assert list(line) == ["verification_id", "status", "updated_at"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fields": ["nonsense"]}, "there is no field 'nonsense'; the fields are verification_id"),
        ({"exclude": ["verification_id"]}, "cannot be left out"),
        ({"fields": "status"}, "must be a list of names"),
        ({"format": "xml"}, "format must be one of jsonl, csv, parquet"),
    ],
)
async def test_wrong_arguments_are_refused_at_once(
    options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        await export(listing([]), tmp_path / "v.jsonl", **options)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("v.jsonl.gz", "not compressed to .gz: export to v.jsonl and compress"),
        ("v.csv.ZST", "not compressed"),
        ("v", "cannot be told from 'v'"),
        ("v.xlsx", "cannot be told"),
        ("nowhere/v.csv", "does not exist"),
        (".", "is a folder"),
        ("a\0b.csv", "null character"),
        ("pipe.csv", "not a regular file"),
    ],
)
async def test_paths_that_cannot_be_used_say_what_to_do(
    name: str, says: str, tmp_path: Path
) -> None:
    chosen = "csv" if name == "." else None
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ConfigurationError, match=says):
        await export(listing([]), tmp_path / name, format=chosen)


@pytest.mark.parametrize("path", [b"v.csv", 3, None])
async def test_only_texts_and_paths_are_paths(path: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a str or a Path"):
        await export(listing([]), path)


async def test_a_pipe_behind_a_link_is_not_taken_for_a_file() -> None:
    """/dev/stdout is one that leads to a pipe without a path."""
    reader, writer = os.pipe()
    with pytest.raises(ConfigurationError, match="not a regular file"):
        await export(listing([]), f"/dev/fd/{writer}", format="csv")
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("length", [245, 250, 255, 256, 5000])
async def test_a_name_that_leaves_no_room_for_the_files_beside_it_is_refused_at_once(
    length: int, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="File name too long") as caught:
        await export(listing([record(1)]), tmp_path / ("v" * (length - 4) + ".csv"))
    assert caught.value.errno == errno.ENAMETOOLONG
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", ["lock", "checkpoint", "spool", "invalid.spool", "partial"])
async def test_a_file_of_the_export_that_cannot_be_opened_is_an_export_error(
    suffix: str, tmp_path: Path
) -> None:
    (tmp_path / f"v.csv.{suffix}").mkdir()
    with pytest.raises(ExportError, match="Is a directory") as caught:
        await export(listing([record(1)]), tmp_path / "v.csv")
    assert caught.value.errno == errno.EISDIR


async def test_a_link_is_followed_to_the_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("old\n")
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    await export(listing([record(1)]), tmp_path / "link.jsonl")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert [line["verification_id"] for line in lines(tmp_path / "real.jsonl")] == ["v1"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
async def test_files_are_readable_by_their_owner_alone_from_the_first_byte(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: set[tuple[str, int]] = set()
    real = {name: getattr(_disk, name) for name in ("write", "sync", "replace")}

    def looking(name: str) -> Callable[..., Any]:
        def change(*args: Any) -> None:
            for path in tmp_path.iterdir():
                with suppress(FileNotFoundError):
                    modes.add((path.name, path.stat().st_mode & 0o777))
            real[name](*args)

        return change

    for name in real:
        monkeypatch.setattr(_disk, name, looking(name))
    before = os.umask(0)
    try:
        await export(listing([record(n) for n in range(250)]), tmp_path / f"v.{suffix}")
    finally:
        os.umask(before)
    assert {mode for _, mode in modes} == {0o600}
    assert (tmp_path / f"v.{suffix}").stat().st_mode & 0o777 == 0o600
    assert {f"v.{suffix}.spool", f"v.{suffix}.checkpoint.new"} <= {n for n, _ in modes}


async def test_the_old_file_stays_until_the_new_one_replaces_it(tmp_path: Path) -> None:
    target = tmp_path / "v.jsonl"
    target.write_text("old\n")
    seen = []
    pager = listing([record(n) for n in range(250)])
    await export(pager, target, on_progress=lambda _: seen.append(target.read_text()))
    assert set(seen) == {"old\n"}
    assert len(lines(target)) == 250


async def test_progress_is_reported_after_each_page(tmp_path: Path) -> None:
    seen: list[int] = []
    pager = listing([record(n) for n in range(250)], complete=False)
    await export(pager, tmp_path / "v.csv", on_progress=lambda r: seen.append(r.yielded))
    assert seen == [100, 200, 250]


async def test_a_proof_that_failed_is_in_the_report_and_the_file_has_everything_found(
    tmp_path: Path,
) -> None:
    pager = listing([record(1), record(2, created_at=None), record(3)])
    report = await export(pager, tmp_path / "v.jsonl")
    assert report.unproved
    assert not report.complete
    assert report.reason
    assert len(lines(tmp_path / "v.jsonl")) == 3


async def test_an_export_of_a_part_needs_no_proof(tmp_path: Path) -> None:
    report = await export(listing([record(n) for n in range(9)], max_items=4), tmp_path / "v.csv")
    assert (report.rows, report.complete, report.unproved) == (4, False, False)


def with_invalid(**fields: Any) -> Pager[Verification]:
    """Three records, the second of which breaks a rule of the wire."""
    return listing([record(1), record(2, is_scan="no", **fields), record(3)], on_invalid="keep")


async def test_invalid_records_go_to_a_file_of_their_own(tmp_path: Path) -> None:
    report = await export(with_invalid(), tmp_path / "v.csv")
    assert (report.rows, report.invalid, report.complete) == (2, 1, True)
    assert report.invalid_path == tmp_path / "v.csv.invalid.jsonl"
    (line,) = lines(tmp_path / "v.csv.invalid.jsonl")
    assert line["raw"] == record(2, is_scan="no")
    assert line["id"] == "v2"
    assert line["path"] == "$.items[1].is_scan"
    assert (tmp_path / "v.csv.invalid.jsonl").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["v.csv", "v.csv.invalid.jsonl"]


async def test_an_invalid_record_that_cannot_be_encoded_again_is_kept_as_text(
    tmp_path: Path,
) -> None:
    half = record(2, latest_response={"x": "\ud83d"})
    report = await export(listing([record(1), half], on_invalid="keep"), tmp_path / "v.csv")
    assert (report.rows, report.invalid) == (1, 1)
    (line,) = lines(tmp_path / "v.csv.invalid.jsonl")
    assert json.loads(line["raw"]) == half


async def test_a_listing_that_would_raise_keeps_its_invalid_records_in_an_export(
    tmp_path: Path,
) -> None:
    async with served(30) as (sandbox, harbour):
        sandbox.update(sandbox.verification_ids()[4], is_scan="no")
        report = await export(harbour.verifications.list(), tmp_path / "v.jsonl")
    assert (report.rows, report.invalid, report.complete) == (29, 1, True)


@pytest.mark.parametrize("on_invalid", ["raise", "keep"])
async def test_another_walk_of_the_pager_does_not_get_into_its_export(
    tmp_path: Path, on_invalid: str
) -> None:
    pager = listing([record(n) for n in range(250)], on_invalid=on_invalid)
    begun: list[Any] = []
    report = await export(
        pager, tmp_path / "v.csv", on_progress=lambda _: begun.append(aiter(pager))
    )
    assert (report.rows, report.yielded, report.complete) == (250, 250, True)


async def test_the_next_export_without_invalid_records_removes_that_file(tmp_path: Path) -> None:
    await export(with_invalid(), tmp_path / "v.csv")
    assert "v.csv.invalid.jsonl" in names(tmp_path)
    await export(listing([record(1)]), tmp_path / "v.csv")
    assert names(tmp_path) == ["v.csv"]


async def test_excluded_fields_stay_out_of_the_invalid_records_too(tmp_path: Path) -> None:
    pager = with_invalid(latest_response={"secret": 1})
    await export(pager, tmp_path / "v.jsonl", exclude=["latest_response"])
    (line,) = lines(tmp_path / "v.jsonl.invalid.jsonl")
    assert line["raw"] == record(2, is_scan="no")
