"""The exit code and the message on stderr for each way in which a command ends."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys

import pytest

from harbour_async import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    HarbourError,
    IncompleteListingError,
    PagingReport,
)
from harbour_async.cli._run import run
from tests.environment import BARE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("no"), 2),
        (IncompleteListingError("no", report=PagingReport()), 3),
        (HarbourError("no"), 1),
        (APIConnectionError("no"), 1),
        (APIStatusError(status=418, method="GET", url="/x", message="no"), 1),
        (FileNotFoundError(2, "no", "x"), 1),
        (ExceptionGroup("two", [ExceptionGroup("one", [ConfigurationError("no")])]), 2),
    ],
)
def test_every_failure_has_its_code_and_one_line(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        raise error

    assert run(main) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("harbour: ")
    assert len(err.splitlines()) == 1
    assert "no" in err


def test_a_command_can_have_one_code_for_every_failure() -> None:
    async def main() -> None:
        raise HarbourError("no")

    assert run(main, failed=2) == 2


@pytest.mark.parametrize(("answer", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_can_return_its_exit_code(answer: int | None, code: int) -> None:
    async def main() -> int | None:
        return answer

    assert run(main) == code


def test_a_bug_is_not_hidden() -> None:
    async def main() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        run(main)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_signal_cancels_and_says_what_was_kept(
    number: signal.Signals, before: signal.Handlers, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    async def main() -> None:
        signal.raise_signal(number)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    theirs = signal.signal(number, before)
    try:
        assert run(main, kept=lambda: "3 records were kept") == 130
        assert signal.getsignal(number) == before
    finally:
        signal.signal(number, theirs)
    assert cleaned == [True]
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["harbour: interrupted", "harbour: 3 records were kept"]


def test_a_second_signal_does_not_wait_for_the_cleaning_up() -> None:
    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()

    assert run(main) == 130


def test_a_second_signal_in_one_of_several_tasks_shows_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def listing() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(signal.SIGINT)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listing())
            tasks.create_task(asyncio.Event().wait())

    assert run(main) == 130
    gc.collect()  # asyncio reports a failure that nobody asked for when its task is collected
    assert not caplog.records


def test_what_was_kept_is_printed_after_an_error_too(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        raise HarbourError("no")

    run(main, kept=lambda: "go on with: it")
    assert capsys.readouterr().err == "harbour: no\nharbour: go on with: it\n"


def test_messages_of_an_api_are_cut_and_shown_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main() -> None:
        raise APIStatusError(
            status=400,
            method="GET",
            url="/x",
            code=2001,
            message="bad\r\n\x1b[31m",
            detail="d" * 5000,
            more_info="https://example.com/2001",
        )

    assert run(main) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "\x1b" not in line
    assert "(error 2001): bad" in line
    assert line.endswith("see https://example.com/2001")
    assert len(line) < 400


_INTERRUPTED_WHILE_LOADING = """
import signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "harbour_async.cli._app":
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
from harbour_async.cli import main
main()
"""


def test_an_interrupt_while_the_command_is_loaded_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_WHILE_LOADING],
        capture_output=True, text=True, check=False, env=BARE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "harbour: interrupted\n")
