"""stderr for messages: a command goes on where nobody can read them."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


class _Messages(TextIOWrapper):
    """stderr that drops what cannot be written, because its reader has gone or its disk is full."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            self._forget()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._forget()

    def _forget(self) -> None:
        # What is still buffered goes there too, so nothing fails later.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def guard_stderr() -> None:
    """Make ``sys.stderr`` take every message, in any encoding, even if it is closed."""
    stderr = sys.stderr
    if stderr is None:  # `print` would write to stdout, between the data
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - open to the end
    elif stderr is sys.__stderr__ and isinstance(stderr, TextIOWrapper):
        sys.stderr = _Messages(
            stderr.buffer,
            encoding=stderr.encoding,
            errors="backslashreplace",  # characters that the terminal cannot show
            line_buffering=True,
        )
