"""The harbour command, as a shell sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HARBOUR = [sys.executable, "-c", "from harbour_async.cli import main; main()"]
BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def harbour(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARBOUR, *args], capture_output=True, text=True, check=False, env={**BARE, **env}
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


def test_without_a_key_live_is_a_usage_error(tmp_path: Path) -> None:
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


def test_an_interrupt_ends_with_130_and_nothing_half_written(tmp_path: Path) -> None:
    command = [*HARBOUR, "demo", "--records", "5000", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=BARE, preexec_fn=ignore_interrupts
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first page is there, and many are to come
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert not (tmp_path / "verifications.jsonl").exists()
    assert not list(tmp_path.glob("*.partial"))


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
