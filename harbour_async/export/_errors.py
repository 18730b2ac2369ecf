"""What an export raises beside the errors of its listing."""

from __future__ import annotations

from harbour_async.errors import HarbourError


class ExportError(HarbourError, OSError):
    """The disk refused: it is full, or a file may not be written. ``errno`` says which.

    What was received before stays in the spool, and the same export goes on from it.
    """

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class ReaderGoneError(ExportError, BrokenPipeError):
    """Whoever read stdout has had enough, as ``head`` has."""
