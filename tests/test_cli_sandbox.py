"""``harbour sandbox``, run as a command and used over plain HTTP."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.environment import BARE

COMMAND = [sys.executable, "-c", "from harbour_async.cli import main; main()", "sandbox"]
TIMEOUT = 60


@define
class Running:
    """The command, and what it asks to export."""

    process: subprocess.Popen[str]
    url: str
    key: str
    banner: str
    stderr: str = ""

    def send(self, method: str, path: str, key: str | None = None) -> tuple[int, Any]:
        headers = {"x-api-key": key or self.key}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def total(self, path: str = "/verifications") -> Any:
        return self.send("GET", path)[1]["total"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        _, self.stderr = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode


def default_signals() -> None:
    """A shell has background jobs ignore SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def serving(
    *args: str, port: int = 0, preexec: Callable[[], None] = default_signals
) -> Iterator[Running]:
    with subprocess.Popen(
        [*COMMAND, "--port", str(port), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=BARE,
        preexec_fn=preexec,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            exported = dict(
                shlex.split(process.stdout.readline())[1].split("=", 1) for _ in range(2)
            )
            running = Running(
                process=process,
                url=exported["HARBOUR_BASE_URL"],
                key=exported["HARBOUR_API_KEY"],
                banner=process.stderr.readline(),
            )
            yield running
        finally:
            process.kill()


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args], capture_output=True, text=True, check=False, env=BARE, timeout=TIMEOUT
    )


def test_it_prints_what_to_export_and_serves_it() -> None:
    with serving("--verifications", "7", "--webhooks", "2", "--key", "it's a key") as running:
        assert running.key == "it's a key"
        assert "7 verifications and 2 webhooks in memory" in running.banner
        assert "100 requests in 60 seconds" in running.banner
        assert running.total() == 7
        assert running.total("/webhooks") == 2
        assert running.send("GET", "/webhooks", key="wrong")[0] == 401
        assert running.stop() == 0


def test_each_request_is_a_line_on_stderr() -> None:
    with serving() as running:
        running.send("GET", "/verifications?size=5&search=a%20b")
        running.send("DELETE", "/verifications/none")
        running.stop()
    first, second, last = running.stderr.splitlines()
    assert "GET /verifications?size=5&search=a+b 200 " in first
    assert "DELETE /verifications/none 404 " in second
    assert last == "harbour sandbox: stopped after 2 requests"
    assert running.key not in running.stderr


def test_a_request_that_is_not_http_is_one_line_and_no_traceback() -> None:
    with serving() as running:
        address = ("127.0.0.1", int(running.url.split(":")[2].removesuffix("/v2")))
        with socket.create_connection(address, TIMEOUT) as client:
            client.sendall(b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(1)
        assert running.total() == 1000
        running.stop()
    refused, *_ = running.stderr.splitlines()
    assert refused.endswith("400 a request that is not valid HTTP")
    assert "Traceback" not in running.stderr


def ignored_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("preexec", [default_signals, ignored_signals])
def test_a_signal_ends_it_cleanly_also_in_a_background_job(
    number: int, preexec: Callable[[], None]
) -> None:
    with serving(preexec=preexec) as running:
        running.total()
        assert running.stop(number) == 0
    assert "Traceback" not in running.stderr
    assert running.stderr.endswith("stopped after 1 request\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_it_makes_records(number: int, tmp_path: Path) -> None:
    file = tmp_path / "sandbox.sqlite"
    with subprocess.Popen(
        [*COMMAND, "--port=0", f"--db={file}", f"--verifications={10**12}"],
        stderr=subprocess.PIPE,
        text=True,
        env=BARE,
        preexec_fn=default_signals,
    ) as process:
        try:
            while not file.exists():
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(number)
            _, stderr = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
    assert process.returncode == 0
    assert stderr == "harbour sandbox: stopped after 0 requests\n"


def test_the_seed_makes_the_same_records() -> None:
    bodies = []
    for seed in ("5", "5", "6"):
        with serving("--seed", seed, "--verifications", "3") as running:
            bodies.append(running.send("GET", "/verifications"))
    assert bodies[0] == bodies[1] != bodies[2]


def test_the_rate_limit_can_be_set_and_switched_off() -> None:
    with serving("--rate-limit", "2/30") as running:
        assert "2 requests in 30 seconds" in running.banner
        assert [running.send("GET", "/webhooks")[0] for _ in range(3)] == [200, 200, 429]
    with serving("--rate-limit", "1/1", "--verifications=1", "--webhooks=1") as running:
        assert "1 verification and 1 webhook in memory, 1 request in 1 second." in running.banner
    with serving("--rate-limit", "off") as running:
        assert "no rate limit" in running.banner
        assert {running.send("GET", "/webhooks")[0] for _ in range(101)} == {200}


@pytest.mark.parametrize(("latency", "least"), [("80ms", 80), ("0.05s", 50), ("20ms-30ms", 20)])
def test_latency_holds_back_every_answer(latency: str, least: int) -> None:
    with serving("--latency", latency) as running:
        running.total()
        running.stop()
    milliseconds = int(running.stderr.splitlines()[0].split()[-2])
    assert milliseconds >= least


def test_a_database_file_keeps_what_was_created_and_deleted(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.sqlite")
    with serving("--db", file, "--verifications", "5") as running:
        assert f"in {file}" in running.banner
        [first, *_] = running.send("GET", "/verifications")[1]["items"]
        path = f"/verifications/{first['verification_id']}"
        assert running.send("DELETE", path)[0] == 200
        running.stop(signal.SIGINT)
    with serving("--db", file, "--verifications", "50") as running:
        assert running.total() == 4
        assert running.send("GET", path)[0] == 404


def test_a_killed_server_keeps_everything_that_it_acknowledged(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.sqlite")
    with serving("--db", file, "--verifications", "5") as running:
        [first, *_] = running.send("GET", "/verifications")[1]["items"]
        running.send("DELETE", f"/verifications/{first['verification_id']}")
        running.process.kill()
        running.process.wait(TIMEOUT)
    with serving("--db", file) as running:
        assert running.total() == 4


def test_it_listens_on_other_addresses_too() -> None:
    with serving("--host", "0.0.0.0") as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert running.total() == 1000


def test_a_taken_port_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"harbour: 127.0.0.1:{port} is taken: "
        "choose another --port, or --port 0 for any that is free\n"
    )


def test_it_serves_although_nobody_reads_what_to_export() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [*COMMAND, "--port=0"], stdout=writing, stderr=subprocess.PIPE, text=True, env=BARE
    ) as process:
        os.close(writing)
        assert process.stderr is not None
        assert "1,000 verifications" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert stderr == "harbour sandbox: stopped after 0 requests\n"


def test_a_file_of_another_program_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("my notes\n" * 100)
    done = run("--db", str(file))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(file) in done.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rate-limit", "fast"),
        ("--rate-limit", "0/60"),
        ("--rate-limit", "5/0"),
        ("--latency", "soon"),
        ("--latency", "80ms-20ms"),
        ("--latency", "1ms-2ms-3ms"),
        ("--verifications", "-1"),
        ("--port", "65536"),
        ("--key", ""),
        ("--host", "192.0.2.1"),
    ],
)
def test_wrong_options_exit_with_2_and_no_traceback(option: str, value: str) -> None:
    done = run("--port", "0", option, value)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip() != ""
