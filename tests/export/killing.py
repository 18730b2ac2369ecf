"""Exports that are killed at random moments, until they have been killed often enough.

Run as ``python -m tests.export.killing URL KEY FOLDER SEED KILLS [LIMIT]``. Each run of an export
is a fork of this process that kills itself before, during or after one of its changes on disk,
chosen at random. The file that a round of runs made is kept as ``done-N.FORMAT``; ``whole.FORMAT``
is that of an undisturbed run. With a LIMIT, in requests a second, there is a single export, killed
KILLS times. Prints how many kills there were of each format, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harbour_async import HarbourSession, RateLimit, export
from harbour_async.export import _disk, _walk

FORMATS = ("jsonl", "csv", "parquet")
CHANGES = ("open_private", "write", "overwrite", "truncate", "sync", "replace", "remove")


class Killer:
    """Counts changes on disk, and ends the process at one of them (0: never)."""

    def __init__(self, at: int, choice: random.Random) -> None:
        self.at = at
        self.count = 0
        self.choice = choice

    def install(self) -> None:
        for name in CHANGES:
            setattr(_disk, name, self.wrapped(name, getattr(_disk, name)))

    def wrapped(self, name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count != self.at:
                return change(*args, **kwargs)
            when = self.choice.choice(("before", "during", "after"))
            if name == "write" and when == "during":
                fd, data, _ = args
                os.write(fd, data[: self.choice.randrange(len(data) + 1)])
            elif when == "after":
                change(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
            return None

        return wrapper


async def run(url: str, key: str, target: Path) -> None:
    _walk.SAVE_EVERY = 0.0
    limit = RateLimit(int(sys.argv[6]), per=1.0) if len(sys.argv) > 6 else RateLimit.unlimited()
    async with HarbourSession(key, base_url=url, rate_limit=limit) as harbour:
        await export.export(harbour.verifications.list(page_size=50), target)


def forked(url: str, key: str, target: Path, killer: Killer) -> tuple[bool, int]:
    """Whether the run was killed, and how many changes it made otherwise."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        killer.install()
        asyncio.run(run(url, key, target))
        os.write(writer, str(killer.count).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        count = int(pipe.read() or 0)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0, f"a run of {target} failed"
    return os.WIFSIGNALED(status), count


def main() -> None:
    url, key, folder_name, seed, kills = sys.argv[1:6]
    folder, choice = Path(folder_name), random.Random(seed)
    killed = dict.fromkeys(FORMATS, 0)
    if len(sys.argv) > 6:
        target = folder / "limited.jsonl"
        while killed["jsonl"] < int(kills) and not target.exists():
            killer = Killer(choice.randint(8, 30), choice)
            killed["jsonl"] += forked(url, key, target, killer)[0]
        forked(url, key, target, Killer(0, choice))
        print(json.dumps(killed))
        return
    usual = {
        form: forked(url, key, folder / f"whole.{form}", Killer(0, choice))[1] for form in FORMATS
    }
    round_number = 0
    # How many changes a run makes depends on timing, so some runs end before they are killed.
    while sum(killed.values()) < int(kills) or not all(killed.values()):
        form = FORMATS[round_number % len(FORMATS)]
        target = folder / f"done-{round_number}.{form}"
        round_number += 1
        for attempt in range(6):
            at = choice.randint(1, usual[form]) if attempt < 5 else 0
            was_killed, _ = forked(url, key, target, Killer(at, random.Random(choice.random())))
            killed[form] += was_killed
            if not was_killed:
                break
    print(json.dumps(killed))


if __name__ == "__main__":
    main()
