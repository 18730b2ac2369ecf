"""The lock of an export: one export to a path at a time, and its recent requests.

The lock file holds a note of the requests that still count against the limit. It is rewritten
several times a second without waiting for the disk: it has to survive a killed process, but not a
power cut, because a restart takes longer than the minute for which requests count.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import define

from harbour_async.errors import ConfigurationError
from harbour_async.export import _disk


@define
class Lock:
    """Held from ``take`` to ``release``, or until the process ends."""

    path: Path
    _fd: int
    sent: list[float]
    """The times of an earlier run's requests that may still count; seconds since 1970."""

    def note(self, ago: Sequence[float], more: int) -> None:
        """Note sends, in seconds ago; up to ``more`` may follow before the next note."""
        now = time.time()
        data = json.dumps({"sent": [now - seconds for seconds in ago], "more": more})
        # What is left of a longer note stands after the line break and is not read.
        _disk.overwrite(self._fd, data.encode() + b"\n", self.path)

    def release(self, *, remove: bool = True) -> None:
        """Remove the file while it is still locked, so that a process that opened it notices."""
        try:
            if remove:
                _disk.remove(self.path)
        finally:
            os.close(self._fd)


def take(path: Path) -> Lock:
    """The lock at ``path``; ConfigurationError if another export holds it."""
    while True:
        fd = _disk.open_private(path, keep=True)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            target = str(path).removesuffix(".lock")
            raise ConfigurationError(
                f"another export to {target} is under way: wait for it, or choose another path"
            ) from None
        if path.exists() and os.path.samestat(os.fstat(fd), path.stat()):
            return Lock(path, fd, _read(fd))
        os.close(fd)  # its holder removed the file between the two steps


def _read(fd: int) -> list[float]:
    text = os.pread(fd, 1 << 20, 0).partition(b"\n")[0]
    try:
        note = json.loads(text)
        # A process that left a note was killed. What it may have sent after the note counts as now.
        return [*map(float, note["sent"]), *[time.time()] * int(note["more"])]
    except (ValueError, KeyError, TypeError):
        return []
