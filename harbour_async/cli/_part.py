"""A file that gets its name when it is complete, and is kept as a part until then."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from attrs import define, field

from harbour_async import to_json


@define
class Part:
    """The JSON lines of one listing, written into ``path`` at the end.

    If the ``with`` block is left by an error or an interrupt, what has arrived is kept beside it,
    with a note where to go on. The next Part of the same ``path`` and ``source`` goes on there. The
    files hold personal data, so only their owner can read them.
    """

    path: Path
    source: str
    token: str | None = None
    records: int = 0
    kinds: Counter[str] = field(factory=Counter)
    whole: bool = False
    _bytes: int = 0
    _file: BinaryIO | None = None

    @property
    def partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}.partial")

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.partial.json")

    def __enter__(self) -> Self:
        self._recall()
        self._file = open(self.partial, "ab", opener=_private)
        self._file.truncate(
            self._bytes
        )  # records that arrived after the note was written are read again
        return self

    def write(self, records: Sequence[Any], kinds: Sequence[str], token: str) -> None:
        """Add a page; a walk with ``token`` goes on after it."""
        assert self._file is not None
        data = b"".join(to_json(record) + b"\n" for record in records)
        self._file.write(data)
        self._bytes += len(data)
        self.records += len(records)
        self.kinds.update(kinds)
        self.token = token

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._file is not None
        self._file.close()
        if exc is None:
            os.replace(self.partial, self.path)
            self.whole = True
        elif self.records:
            self._remember()
            return
        self.partial.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _remember(self) -> None:
        facts = {
            "source": self.source,
            "token": self.token,
            "bytes": self._bytes,
            "records": self.records,
            "kinds": self.kinds,
        }
        with open(self.note, "w", encoding="utf-8", opener=_private) as file:
            json.dump(facts, file)

    def _recall(self) -> None:
        try:
            facts = json.loads(self.note.read_text("utf-8"))
            usable = facts["source"] == self.source
            if not usable or self.partial.stat().st_size < facts["bytes"]:
                return
            self.token, self._bytes = facts["token"], facts["bytes"]
            self.records, self.kinds = facts["records"], Counter(facts["kinds"])
        except (OSError, ValueError, KeyError, TypeError):  # no note, or a file of another program
            return


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
