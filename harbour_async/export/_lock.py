"""One export to a path at a time, and what it sent lately.

The lock file holds a note of the requests that still count against the limit. It is rewritten
several times a second without waiting for the disk: it has to survive a killed process, not a
power cut, after which more than a minute passes anyway.
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
    """When requests were sent that may count still, by an earlier run; seconds since 1970."""

    def note(self, ago: Sequence[float], more: int) -> None:
        """Remember sends, in seconds ago; ``more`` may follow before the next note."""
        now = time.time()
        data = json.dumps({"sent": [now - seconds for seconds in ago], "more": more})
        # What is left of a longer note stands behind the line break, where nobody reads.
        _disk.overwrite(self._fd, data.encode() + b"\n", self.path)

    def release(self, *, remove: bool = True) -> None:
        """Remove the file while it is still locked: who opened it meanwhile will notice."""
        if remove:
            _disk.remove(self.path)
        os.close(self._fd)


def take(path: Path) -> Lock:
    """The lock at ``path``; ConfigurationError if somebody holds it."""
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
        # A process that left a note was killed: what it may have sent afterwards counts from now.
        return [*map(float, note["sent"]), *[time.time()] * int(note["more"])]
    except (ValueError, KeyError, TypeError):
        return []
