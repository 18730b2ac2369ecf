"""``harbour demo``, run as a command."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import BARE

HARBOUR = [sys.executable, "-c", "from harbour_async.cli import main; main()"]


def harbour(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARBOUR, *args], capture_output=True, text=True, check=False, env={**BARE, **env}, cwd=cwd
    )


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_the_demo_streams_both_listings_into_whole_files(tmp_path: Path) -> None:
    done = harbour("demo", "--records", "450", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in lines(tmp_path / "verifications.jsonl")]
    webhooks = [json.loads(line) for line in lines(tmp_path / "webhooks.jsonl")]
    assert len({record["verification_id"] for record in records}) == 450
    assert len({webhook["webhook_id"] for webhook in webhooks}) == 25
    assert "proved complete" in done.stdout
    assert "us_criminal_record_check" in done.stdout
    assert "450/450 records" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "verifications.jsonl",
        "webhooks.jsonl",
    ]


def test_a_reader_of_the_summary_that_goes_away_is_not_an_error(tmp_path: Path) -> None:
    command = shlex.join([*HARBOUR, "demo", "--records", "5", "--out", str(tmp_path)])
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False, env=BARE,
    )  # fmt: skip
    assert done.returncode == 0
    assert "harbour:" not in done.stderr
    assert len(lines(tmp_path / "verifications.jsonl")) == 5


def test_a_file_in_place_of_the_folder_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.touch()
    done = harbour("demo", "--records", "5", "--out", str(file))
    assert done.returncode == 2
    assert done.stderr == f"harbour: --out {file} is a file: name a folder\n"


def test_live_without_a_key_is_a_usage_error(tmp_path: Path) -> None:
    done = harbour("demo", "--live", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "HARBOUR_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    done = harbour(
        "demo", "--live", "--out", str(tmp_path),
        HARBOUR_API_KEY="a-secret-key", HARBOUR_BASE_URL="http://127.0.0.1:9/v2",
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "a-secret-key" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_retries_are_shown_where_the_log_was_asked_for(tmp_path: Path) -> None:
    done = harbour(
        "demo", "--live", "--out", str(tmp_path), HARBOUR_LOG="info",
        HARBOUR_API_KEY="a-secret-key", HARBOUR_BASE_URL="http://127.0.0.1:9/v2",
    )  # fmt: skip
    assert done.returncode == 1
    assert "GET /verifications: attempt 1 failed: APIConnectionError" in done.stderr
    assert "a-secret-key" not in done.stderr


def test_an_interrupt_keeps_what_came_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = [*HARBOUR, "demo", "--records", "2300", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=BARE, preexec_fn=ignore_interrupts
    ) as process:
        assert process.stderr is not None
        while "verifications" not in process.stderr.readline():
            pass  # until the first page is there; the last ones wait for the budget
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert not (tmp_path / "verifications.jsonl").exists()
    kept = lines(tmp_path / "verifications.jsonl.partial")
    assert 0 < len(kept) < 2300
    assert f"kept {len(kept):,} verifications in" in err
    again = shlex.split(err.partition("go on with: ")[2])
    done = harbour(*again[1:])
    assert done.returncode == 0, done.stderr
    whole = lines(tmp_path / "verifications.jsonl")
    assert whole[: len(kept)] == kept
    assert len({json.loads(line)["verification_id"] for line in whole}) == len(whole) == 2300
    assert "2,300 verifications in" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "verifications.jsonl",
        "webhooks.jsonl",
    ]


def test_another_number_of_records_starts_anew(tmp_path: Path) -> None:
    partial = tmp_path / "verifications.jsonl.partial"
    partial.write_text("{}\n")
    note = {"source": "another", "token": "x", "bytes": 3, "records": 1, "kinds": {}}
    (tmp_path / "verifications.jsonl.partial.json").write_text(json.dumps(note))
    assert harbour("demo", "--records", "5", "--out", str(tmp_path)).returncode == 0
    assert len(lines(tmp_path / "verifications.jsonl")) == 5
    assert not partial.exists()


def test_the_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    harbour("demo", "--records", "5", "--out", str(tmp_path))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_demo_fits_into_60_columns_of_any_encoding(tmp_path: Path, encoding: str) -> None:
    done = harbour(
        "demo", "--records", "1", "--out", "out",
        COLUMNS="60", PYTHONIOENCODING=encoding, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0
    assert "\\u" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "1 verification in 1 request, proved complete" in done.stdout


def test_the_demo_ends_with_the_lines_of_code_that_do_the_same(tmp_path: Path) -> None:
    done = harbour("demo", "--records", "5", "--out", str(tmp_path))
    code = done.stdout.partition("The same in Python:")[2]
    assert "async with HarbourSession() as harbour:" in code
    wrapped = f"async def main():\n{code}"
    compile(wrapped, "demo", "exec")


def ignore_interrupts() -> None:
    """As a shell does for the background jobs of a script."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("args", [["demo", "--records", "0"], ["nonsense"], ["demo", "--nonsense"]])
def test_wrong_usage_exits_with_2(args: list[str]) -> None:
    assert harbour(*args).returncode == 2


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from harbour_async.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'harbour-async[cli]'" in done.stderr
