"""Runs a command's coroutine: signals cancel it, failures become one line and an exit code."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from harbour_async.cli._failures import exit_code, first_of, one_line

DONE, REFUSED, USAGE, UNPROVED, INTERRUPTED = 0, 1, 2, 3, 130
"""The exit codes. ``REFUSED`` is for every failure without a code of its own."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stop:
    """Stops the command: the first signal cancels it, the second one ends it at once."""

    def __init__(self) -> None:
        self.asked = False
        self._cancel: Callable[[], object] | None = None

    async def watch(self, main: Callable[[], Coroutine[Any, Any, int | None]]) -> int:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_report)
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await main() or DONE
        finally:
            self._cancel = None

    def __call__(self, _signum: int, _frame: FrameType | None) -> None:
        if self.asked or self._cancel is None:
            raise KeyboardInterrupt
        self.asked = True
        self._cancel()


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out that the second signal ended a task: the command says so itself."""
    if not isinstance(context.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(context)


def run(
    main: Callable[[], Coroutine[Any, Any, int | None]],
    *,
    kept: Callable[[], str | None] | None = None,
    failed: int | None = None,
) -> int:
    """Run ``main()`` in a new event loop and return the exit code.

    SIGINT and SIGTERM cancel it, and it may clean up; a second signal does not wait for that.
    A closed stdout (``| head``) is a normal end.

    main: makes the command's coroutine, which returns its exit code (None: 0).
    kept: called after an interrupt or an error, when the coroutine has ended; returns a line or
        two about what was kept and how to go on, or None.
    failed: an exit code for every error, in place of the error's own.

    A HarbourError or OSError becomes one line on stderr. Any other error is a bug, and is raised.
    """
    code = _ran(main, kept, failed)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # Buffered data cannot be written. If that ended the command, it was reported already.
        if code == DONE and not isinstance(error, BrokenPipeError):
            code = fail(error, failed)
        forget_stdout()
    return code


def _ran(
    main: Callable[[], Coroutine[Any, Any, int | None]],
    kept: Callable[[], str | None] | None,
    failed: int | None,
) -> int:
    stop = _Stop()
    try:
        with _handled_by(stop), asyncio.Runner() as runner:
            return runner.run(stop.watch(main))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted")
        code = INTERRUPTED
    except Exception as error:
        if isinstance(first_of(error), BrokenPipeError):
            return DONE
        code = fail(error, failed)
    if kept is not None and (text := kept()):
        say(text)
    return code


def fail(error: BaseException, code: int | None = None) -> int:
    """Print one line about the failure and return the exit code; raise a bug again."""
    own = exit_code(error)
    if own is None:
        raise error
    say(one_line(error))
    return own if code is None else code


def say(text: str) -> None:
    """Write a line for people to stderr."""
    print(f"harbour: {text}", file=sys.stderr, flush=True)


def quoted(command: Sequence[str]) -> str:
    """A command as it can be pasted into a shell."""
    return shlex.join(command)


@contextmanager
def _handled_by(stop: _Stop) -> Iterator[None]:
    # Installed even if SIGINT is ignored, as in a background job of a script: a signal that is
    # sent to this process is meant for it.
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def forget_stdout() -> None:
    """Keep Python from flushing stdout once more at exit, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
