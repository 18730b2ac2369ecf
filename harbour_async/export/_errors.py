"""The errors of an export itself, in addition to those of its listing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harbour_async.errors import ConfigurationError, HarbourError


class ExportError(HarbourError, OSError):
    """Writing failed: the disk is full, or a file may not be written. ``errno`` says which.

    Records that were received before stay in the spool, and the same export goes on from it.
    """

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, (cls, args, state) = super().__reduce__()
        # OSError keeps it outside of the `__dict__`.
        return rebuild, (cls, args, {**state, "errno": self.errno})


def unmergeable(old: Path, why: str) -> ConfigurationError:
    """The error for an earlier file that is not as an export wrote it."""
    return ConfigurationError(
        f"{old} {why}, so it cannot be brought up to date: discard the unfinished export with "
        "--restart (restart=True), and begin with a moment, like --since 2026-01-01T00:00Z"
    )


class ReaderGoneError(ExportError, BrokenPipeError):
    """The reader of stdout has closed it, as ``head`` does."""
