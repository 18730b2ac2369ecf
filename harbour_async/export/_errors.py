"""The errors of an export itself, in addition to those of its listing."""

from __future__ import annotations

from harbour_async.errors import HarbourError


class ExportError(HarbourError, OSError):
    """Writing failed: the disk is full, or a file may not be written. ``errno`` says which.

    Records that were received before stay in the spool, and the same export goes on from it.
    """

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class ReaderGoneError(ExportError, BrokenPipeError):
    """The reader of stdout has closed it, as ``head`` does."""
