"""Errors without the frames that hold records: error reports often show the locals of frames."""

from __future__ import annotations

from types import TracebackType

from harbour_async.errors import HarbourError


class dropped_frames:  # noqa: N801 - used as a function is
    """``with`` this, a ``HarbourError`` passes without its frames, the current one included.

    So do the errors that led to it: that of a full disk has what was written in its frames.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc, HarbourError):
            each: BaseException | None = exc
            while each:
                each.__traceback__ = None  # nothing adds a frame when `with` raises it again
                each = each.__cause__ or each.__context__
