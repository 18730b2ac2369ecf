"""The names of an export's files, all of them beside the target."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from attrs import frozen

from harbour_async.errors import ConfigurationError
from harbour_async.export import _disk

SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
FORMATS = ("jsonl", "csv", "parquet")
_COMPRESSED = {".gz", ".zst", ".bz2", ".xz", ".lz4", ".br", ".zip", ".7z", ".snappy"}

_LONGEST = ".checkpoint.new"
"""The longest suffix of a file beside the target."""


@frozen
class Files:
    """``target`` is the file that the user asked for; the others stand beside it."""

    target: Path

    def _beside(self, suffix: str) -> Path:
        return self.target.with_name(self.target.name + suffix)

    @property
    def spool(self) -> Path:
        """Valid records as JSON lines, appended as they come."""
        return self._beside(".spool")

    @property
    def invalid_spool(self) -> Path:
        return self._beside(".invalid.spool")

    @property
    def invalid(self) -> Path:
        """The final file of invalid records; stays beside the target."""
        return self._beside(".invalid.jsonl")

    @property
    def checkpoint(self) -> Path:
        return self._beside(".checkpoint")

    @property
    def partial(self) -> Path:
        """The target while it is made from the spool."""
        return self._beside(".partial")

    @property
    def lock(self) -> Path:
        return self._beside(".lock")

    @property
    def since(self) -> Path:
        """The checkpoint of incremental exports; stays beside the target."""
        return self._beside(".since.json")

    def __contains__(self, path: Path) -> bool:
        return path in {
            self.target, self.spool, self.invalid_spool, self.invalid, self.checkpoint,
            self.partial, self.lock, self.since,
        }  # fmt: skip

    def discard(self) -> None:
        """Remove what an unfinished export kept. The checkpoint goes first, because the other files
        are only read if there is one."""
        for path in (self.checkpoint, self.spool, self.invalid_spool, self.partial):
            _disk.remove(path)
        _disk.remove(self._beside(".checkpoint.new"))


def files_at(path: str | os.PathLike[str]) -> Files:
    """The files of an export to ``path``; ConfigurationError if nothing can be written there."""
    if not isinstance(path, str) and not hasattr(path, "__fspath__"):
        raise ConfigurationError(f"the path must be a str or a Path, not {path!r}")
    if "\0" in str(path):
        raise ConfigurationError(f"{path!r} holds a null character, so no file can have that name")
    target = Path(os.path.realpath(path))
    # The path and not the target: /dev/stdout leads to a pipe, which has no path of its own.
    mode = _disk.mode_of(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise ConfigurationError(f"{path} is a folder: name a file in it")
    if mode is not None and not stat.S_ISREG(mode):
        raise ConfigurationError(f"{path} is not a regular file; '-' writes to stdout")
    if not stat.S_ISDIR(_disk.mode_of(target.parent) or 0):
        raise ConfigurationError(f"the folder {target.parent} does not exist: make it first")
    _disk.mode_of(target.with_name(target.name + _LONGEST))  # an ExportError if that is too long
    return Files(target)


def format_of(path: str | os.PathLike[str], given: str | None) -> str:
    """``given``, or the format of the suffix of ``path``: "jsonl", "csv" or "parquet"."""
    suffixes = Path(path).suffixes
    last = suffixes[-1].lower() if suffixes else ""
    if last in _COMPRESSED:
        plain = Path(path).with_suffix("").name
        raise ConfigurationError(
            f"exports are not compressed to {last}: export to {plain} and compress that file, "
            "or export to .parquet, which is compressed already"
        )
    if given is not None:
        if given not in FORMATS:
            raise ConfigurationError(f"format must be one of {', '.join(FORMATS)}, not {given!r}")
        return given
    if last not in SUFFIXES:
        raise ConfigurationError(
            f"the format cannot be told from {Path(path).name!r}: use the suffix "
            f"{', '.join(SUFFIXES)}, or say the format ({', '.join(FORMATS)})"
        )
    return SUFFIXES[last]
