"""The harbour command in a process of its own, with a pipe or a terminal around it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import signal
import sys
import termios
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any

from attrs import define, frozen

from harbour_async.sandbox import Sandbox
from tests.environment import BARE

CTRL_C = b"\x03"
HARBOUR = [sys.executable, "-m", "harbour_async"]


@frozen
class Done:
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@define
class Shell:
    """Runs commands against a sandbox."""

    sandbox: Sandbox

    command = HARBOUR

    @property
    def env(self) -> dict[str, str]:
        return {
            **BARE,
            "HARBOUR_API_KEY": self.sandbox.api_key,
            "HARBOUR_BASE_URL": self.sandbox.url,
        }

    async def start(self, *args: str, **env: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *HARBOUR, *args, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={**self.env, **env}
        )

    async def run(self, *args: str, **env: str) -> Done:
        """Run in a pipe, without a terminal."""
        process = await self.start(*args, **env)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out, err.decode())

    async def at_terminal(self, *args: str, typed: str = "", columns: int = 80, **env: str) -> Done:
        """Run at a terminal, which shows stdout and stderr alike, and answer questions."""
        ours, theirs = pty.openpty()
        env = {**self.env, "COLUMNS": str(columns), "TERM": "xterm", **env}
        process = await asyncio.create_subprocess_exec(
            *HARBOUR, *args, stdin=theirs, stdout=theirs, stderr=theirs, env=env,
            start_new_session=True, preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(theirs)
        shown = await asyncio.to_thread(_answered, ours, os.fsencode(typed))
        code = await process.wait()
        return Done(code, shown, "")


def _take_terminal() -> None:
    """Make this the controlling terminal: Ctrl-C is a signal then, and the key is asked for."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _answered(terminal: int, typed: bytes) -> bytes:
    """All that the terminal shows; ``typed`` is typed when there is a question.

    Ctrl-C is typed again until it takes effect: between showing a question and waiting for the
    answer, Python only notes a signal, and handles it after the next key.
    """
    shown, asked = b"", False
    with open(terminal, "r+b", buffering=0) as file:
        try:
            while True:
                if select.select([file], [], [], 1.0)[0]:
                    chunk = file.read(65536)
                    if not chunk:
                        break
                    shown += chunk
                    if asked or not shown.rstrip().endswith((b":", b"?")):
                        continue
                elif not asked or typed != CTRL_C:
                    continue
                if typed:
                    file.write(typed)
                    asked = True
        except OSError:  # so Linux reports that the other end was closed
            pass
    return shown
