"""``harbour export``: its files, its output and its exit codes."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harbour_async.cli import main
from tests.environment import BARE
from tests.export.support import lines, names

HARBOUR = [sys.executable, "-c", "from harbour_async.cli import main; main()", "export"]

Exported = Callable[..., tuple[int, str, str]]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Exported:
    """Runs the command in this process: exit code, stdout, stderr."""

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harbour", "export", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return run


def default_signals() -> None:
    """A shell's background job ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_all_makes_a_folder_of_both_listings_with_a_manifest(
    tmp_path: Path, exported: Exported
) -> None:
    folder, manifest = tmp_path / "all", tmp_path / "manifest.json"
    code, out, err = exported(
        "all", "--out", str(folder), "--format", "csv", "--exclude", "latest_response",
        "--manifest", str(manifest), "--sandbox", "120",
    )  # fmt: skip
    assert code == 0, err
    assert names(folder) == ["verifications.csv", "webhooks.csv"]
    assert "latest_response" not in (folder / "verifications.csv").read_text()
    summary = json.loads(manifest.read_text())
    assert (summary["complete"], summary["yielded"], summary["invalid"]) == (True, 145, 0)
    assert len(summary["exports"]["webhooks"]["sha256"]) == 64
    assert stat.S_IMODE(manifest.stat().st_mode) == 0o600
    assert "verifications: 120 records in" in err
    assert "proved complete" in err
    assert out == ""


def test_events_are_those_of_all_webhooks_and_need_no_proof(
    tmp_path: Path, exported: Exported
) -> None:
    target = tmp_path / "events.jsonl"
    code, _, err = exported("events", "--out", str(target), "--sandbox", "1", "--max-items", "12")
    assert code == 0, err
    assert "not proved complete" in err
    events = lines(target)
    assert len({event["event_id"] for event in events}) == 12
    assert len({event["webhook_id"] for event in events}) == 3


def test_since_last_goes_on_from_an_earlier_run(tmp_path: Path, exported: Exported) -> None:
    """Each run has a sandbox of its own, with the same records."""
    target = tmp_path / "v.jsonl"
    args = ("verifications", "--out", str(target), "--fields", "status", "--sandbox", "20")
    code, _, err = exported(*args, "--since", "2020-01-01T00:00Z")
    assert code == 0, err
    code, _, err = exported(*args, "--since", "last")
    assert code == 0, err
    assert "proved complete" in err
    assert len({line["verification_id"] for line in lines(target)}) == len(lines(target)) == 20
    assert names(tmp_path) == ["v.jsonl", "v.jsonl.since.json"]


def test_stdout_takes_json_lines_and_nothing_else(tmp_path: Path, exported: Exported) -> None:
    args = ("webhooks", "--out", "-", "--fields", "destination_url", "--sandbox", "1")
    code, out, _ = exported(*args, "--manifest", str(tmp_path / "m.json"))
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert len(records) == 25
    assert list(records[0]) == ["webhook_id", "destination_url"]
    assert json.loads((tmp_path / "m.json").read_text())["path"] is None


def test_a_reader_that_closes_stdout_early_is_not_an_error() -> None:
    command = [*HARBOUR, "verifications", "--out", "-", "--sandbox", "600"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=BARE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in stderr
    assert "harbour:" not in stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["verifications", "--out", "v.jsonl.gz"], "not compressed"),
        (["verifications", "--out", "-", "--format", "csv"], "JSON lines only"),
        (["verifications", "--out", "v.csv", "--exclude", "verification_id"], "cannot be left out"),
        (["verifications", "--out", "v.csv", "--since", "2026-01-01"], "with its zone"),
        (["verifications", "--out", "v.csv", "--since", "last"], "since last"),
        (["webhooks", "--out", "w.csv", "--since", "last"], "verifications only"),
        (["events", "--out", "e.csv", "--since", "2026-01-01T00:00Z"], "verifications only"),
        (["webhooks", "--out", "w.csv", "--metadata", "a=b"], "verifications only"),
        (["verifications", "--out", "v.csv", "--metadata", "a"], "key=value"),
        (["all", "--out", "-"], "names a folder"),
        (["all", "--out", "all", "--fields", "nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_prints_one_line_and_exits_with_2(
    args: list[str],
    says: str,
    tmp_path: Path,
    exported: Exported,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = exported(*args, "--sandbox", "1")
    assert code == 2
    assert says in err
    assert len(err.splitlines()) == 1
    assert out == ""
    assert names(tmp_path) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_export_says_what_was_kept_and_goes_on(
    sent: signal.Signals, tmp_path: Path, exported: Exported
) -> None:
    target = tmp_path / "v.jsonl"
    # More pages than the budget's burst: it waits while the signal comes.
    command = [*HARBOUR, "verifications", "--out", str(target), "--sandbox", "3000"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=BARE, preexec_fn=default_signals
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first page is there
        process.send_signal(sent)
        stderr = process.stderr.read()
    assert process.returncode == 130
    assert "records are kept in" in stderr
    assert "same export again" in stderr
    assert "Traceback" not in stderr
    assert not target.exists()
    assert names(tmp_path) == ["v.jsonl.checkpoint", "v.jsonl.invalid.spool", "v.jsonl.spool"]
    kept = json.loads((tmp_path / "v.jsonl.checkpoint").read_text())
    assert 0 < kept["yielded"] < 3000
    refused, _, err = exported(
        "verifications", "--out", str(target), "--fields", "status", "--sandbox", "1"
    )
    assert refused == 2
    assert "fields: kept" in err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_encoding_of_the_terminal_works(encoding: str, tmp_path: Path) -> None:
    target = tmp_path / "Łódź.jsonl"
    done = subprocess.run(
        [*HARBOUR, "webhooks", "--out", str(target), "--sandbox", "1"],
        capture_output=True, check=False, env={**BARE, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"25 records in" in done.stderr.decode(encoding).encode()
    assert len(lines(target)) == 25


def test_one_of_anything_is_counted_in_the_singular(tmp_path: Path, exported: Exported) -> None:
    code, _, err = exported("verifications", "--out", str(tmp_path / "v.csv"), "--sandbox", "1")
    assert code == 0
    assert "1/1 records, 1 page, done" in err
    assert "verifications: 1 record in" in err
    assert "1 request, proved complete" in err


def test_a_manifest_that_cannot_be_written_is_refused_before_anything_is_sent(
    tmp_path: Path, exported: Exported
) -> None:
    out = str(tmp_path / "v.csv")
    for manifest, problem in (
        (tmp_path / "none" / "m.json", "does not exist: make it first"),
        (tmp_path, "is a folder"),
        (tmp_path / "v.csv", "would replace a file of the export"),
        (tmp_path / "v.csv.checkpoint", "would replace a file of the export"),
    ):
        code, _, err = exported(
            "verifications", "--out", out, "--sandbox", "1", "--manifest", str(manifest)
        )
        assert code == 2
        assert problem in err
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_may_be_in_the_folder_of_all_but_not_replace_a_listing(
    tmp_path: Path, exported: Exported
) -> None:
    folder = tmp_path / "all"
    for manifest, code in ((folder / "webhooks.jsonl", 2), (folder / "m.json", 0)):
        args = ("all", "--out", str(folder), "--sandbox", "1", "--manifest", str(manifest))
        assert exported(*args)[0] == code
    assert names(folder) == ["m.json", "verifications.jsonl", "webhooks.jsonl"]


def test_a_file_that_cannot_be_written_is_no_failure_of_the_host(exported: Exported) -> None:
    code, _, err = exported("verifications", "--out", "/proc/v.jsonl", "--sandbox", "1")
    assert code == 1
    assert err.startswith("harbour: /proc/v.jsonl")
