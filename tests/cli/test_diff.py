"""``harbour diff``: 0 equal, 1 different, 2 anything else."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import Shell


async def exported(shell: Shell, path: Path, what: str = "verifications") -> list[dict[str, Any]]:
    done = await shell.run(what, "list")
    path.write_bytes(done.out)
    return done.records


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


async def test_an_export_made_just_now_is_equal(shell: Shell, tmp_path: Path) -> None:
    for what in ("verifications", "webhooks"):
        await exported(shell, tmp_path / "old.jsonl", what)
        done = await shell.run("diff", str(tmp_path / "old.jsonl"))
        assert (done.code, done.out, done.err) == (0, b"", "harbour: equal\n")


async def test_added_removed_and_changed_records_are_listed(shell: Shell, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    records = await exported(shell, old)
    removed, changed = records[3]["verification_id"], records[9]["verification_id"]
    shell.sandbox.delete([removed])
    shell.sandbox.update(changed, status="cancelled")
    [new] = shell.sandbox.insert()
    done = await shell.run("diff", str(old))
    assert done.code == 1
    changes = {record.pop("id"): record for record in done.records}
    assert changes[removed] == {"change": "removed"}
    assert changes[new] == {"change": "added"}
    assert changes[changed]["change"] == "changed"
    assert set(changes[changed]["fields"]) == {"status", "updated_at"}
    assert changes[changed]["fields"]["status"] == {"old": records[9]["status"], "new": "cancelled"}
    assert done.err == "harbour: 1 added, 1 changed, 1 removed\n"


async def test_a_terminal_gets_lines_with_marks(shell: Shell, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    [record, *_] = await exported(shell, old)
    key = record["verification_id"]
    shell.sandbox.update(key, status="renamed", latest_response={})
    [gone, *_] = shell.sandbox.delete([shell.sandbox.verification_ids()[4]])
    done = await shell.at_terminal("diff", str(old))
    shown = done.out.decode()
    assert done.code == 1
    assert f"- {gone}" in shown
    assert f"~ {key} " in shown
    assert f"status: {record['status']} -> renamed" in shown
    assert "latest_response" in shown


async def test_two_exports_are_compared_without_a_key(shell: Shell, tmp_path: Path) -> None:
    records = await exported(shell, tmp_path / "old.jsonl")
    shuffled = random.Random(1).sample(records, len(records))
    new = write(tmp_path / "new.jsonl", shuffled[1:])
    done = await shell.run(
        "diff", str(tmp_path / "old.jsonl"), "--against", str(new), HARBOUR_API_KEY=""
    )
    assert done.code == 1
    assert done.records == [{"change": "removed", "id": shuffled[0]["verification_id"]}]


async def test_only_fields_that_both_sides_have_are_compared(shell: Shell, tmp_path: Path) -> None:
    records = await exported(shell, tmp_path / "full.jsonl")
    short = [{k: r[k] for k in ("verification_id", "status")} for r in records]
    old = write(tmp_path / "short.jsonl", short)
    assert (await shell.run("diff", str(old))).code == 0
    short[0]["status"] = "other"
    short[1]["of_my_own"] = 7
    done = await shell.run("diff", str(write(old, short)))
    assert [list(r["fields"]) for r in done.records] == [["status"]]


async def test_two_spellings_of_one_time_are_equal(shell: Shell, tmp_path: Path) -> None:
    old = write(
        tmp_path / "old.jsonl",
        [{"verification_id": "a", "created_at": 1683298007669, "status": "COMPLETED"}],
    )
    new = write(
        tmp_path / "new.jsonl",
        [{"verification_id": "a", "created_at": "2023-05-05T14:46:47.669Z", "status": "completed"}],
    )
    assert (await shell.run("diff", str(old), "--against", str(new))).code == 0


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["verification_id,status"], "line 1"),
        (['{"status": 1}'], "no id"),
        (['{"verification_id": "a"}', "", '{"verification_id": '], "line 3"),
        (['{"verification_id": "a"}', '{"verification_id": "a", "is_scan": 7}'], "$.is_scan"),
        (['{"verification_id": "a"}'] * 2, "local item 2"),
        (['{"webhook_id": "w", "event_id": "e"}'], "--against"),
        (["", '{"webhook_id": "w", "event_id": null}'], "--against"),
        (["", '{"status": 1}'], "line 2"),
        ([], "empty"),
    ],
)
async def test_a_file_that_cannot_be_compared_exits_with_2(
    shell: Shell, tmp_path: Path, lines: list[str], words: str
) -> None:
    old = tmp_path / "old.jsonl"
    old.write_text("\n".join(lines))
    done = await shell.run("diff", str(old))
    assert (done.code, done.out) == (2, b"")
    [line] = done.err.splitlines()
    assert words in line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('{"webhook_id": "w", "event_id": "e"}', '{"webhook_id": "w"}', "WebhookEvent and Webhook"),
        ('{"webhook_id": "w"}', '{"verification_id": "v"}', "Webhook and Verification"),
        ('{"webhook_id": "w", "event_id": null}', "", "line 1: no event_id"),
    ],
)
async def test_exports_that_cannot_be_compared_exit_with_2(
    shell: Shell, tmp_path: Path, old: str, new: str, words: str
) -> None:
    (tmp_path / "old.jsonl").write_text(old)
    (tmp_path / "new.jsonl").write_text(new)
    for first, second in (("old", "new"), ("new", "old")):
        done = await shell.run(
            "diff", str(tmp_path / f"{first}.jsonl"), "--against", str(tmp_path / f"{second}.jsonl")
        )
        assert (done.code, done.out) == (2, b"")
        for word in words.split(" and "):
            assert word in done.err


async def test_blank_lines_and_a_byte_order_mark_are_skipped(shell: Shell, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    records = await exported(shell, old, "webhooks")
    for before in (b"\xef\xbb\xbf", b"\n \r\n", b"\xef\xbb\xbf\n"):
        write(old, records)
        old.write_bytes(before + old.read_bytes() + b"\n")
        done = await shell.run("diff", str(old))
        assert (done.code, done.err) == (0, "harbour: equal\n")


async def test_failures_exit_with_2(shell: Shell, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    await exported(shell, old)
    for args, key in (
        ([str(tmp_path / "nowhere.jsonl")], shell.sandbox.api_key),
        ([str(tmp_path)], shell.sandbox.api_key),
        ([str(old), "--against", str(tmp_path / "nowhere.jsonl")], ""),
        ([str(old)], "a-wrong-key"),
        ([str(old)], ""),
    ):
        done = await shell.run("diff", *args, HARBOUR_API_KEY=key)
        assert (done.code, done.out) == (2, b"")
        assert len(done.err.splitlines()) == 1
