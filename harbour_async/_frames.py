"""Errors without the frames that hold records: error reports often show the locals of frames."""

from __future__ import annotations

from copy import copy
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


def separate(error: Exception) -> Exception:
    """A copy to raise in another task, because a traceback belongs to one; of our errors only.

    How another library's error or the caller's is copied is not known, and trying can fail.
    """
    if not isinstance(error, HarbourError):
        return error
    own = copy(error)
    own.__cause__ = error.__cause__
    return own
