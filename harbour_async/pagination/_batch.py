"""The new records of one answer, on their way to the reader."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

from harbour_async.models import InvalidRecord

T = TypeVar("T")

Replace = Callable[[InvalidRecord], Any]
"""What to give instead of an invalid record; None for nothing."""

OnInvalid = Literal["raise", "keep"] | Replace


class Batch(Generic[T]):
    """Records to be given one by one; ``left`` holds them last first.

    A record is given when it is taken from ``left``, and nothing here holds on to it then: what a
    reader has done with is freed before the next one is made.

    rows: the new records of an answer; ``most`` of them at most are given.
    invalid: whether any of the rows may be an ``InvalidRecord``.
    on_invalid: what to give instead of an invalid record (None: nothing), or "keep" it, or "raise"
        its error. What is raised is kept in ``error`` until all that stands before has been given.
    """

    def __init__(
        self,
        rows: Sequence[T],
        most: int | None = None,
        on_invalid: OnInvalid = "keep",
        *,
        invalid: bool = False,
    ) -> None:
        self.rows: int = len(rows)
        self.error: BaseException | None = None
        # A function may give nothing for a record, so records given and rows passed differ, and a
        # token has to count rows. Once n records have been given, `_ends[n - 1]` rows are passed.
        self._ends: Sequence[int] = range(1, self.rows + 1)
        self._invalid: list[int] = []  # how many rows are passed once each of these has been
        if invalid:
            rows = self._replaced(rows, on_invalid)
        if most is not None and len(rows) > most:
            rows = rows[:most]
            self.error, self._ends = None, self._ends[:most]
            self.rows = self._ends[-1] if most else 0
        self.count: int = len(rows)
        self.left: list[T] = list(reversed(rows))

    def _replaced(self, rows: Sequence[T], on_invalid: OnInvalid) -> list[T]:
        given: list[T] = []
        ends: list[int] = []
        for passed, item in enumerate(rows, 1):
            replacement: Any = item
            if isinstance(item, InvalidRecord):
                try:
                    replacement = _replacement(item, on_invalid)
                except BaseException as error:
                    self.error, self.rows = _without_own_frames(error), passed - 1
                    break
                self._invalid.append(passed)
                if replacement is None:
                    continue
            given.append(replacement)
            ends.append(passed)
        self._ends = ends
        return given

    @property
    def given(self) -> int:
        """How many records have been given."""
        return self.count - len(self.left)

    @property
    def passed(self) -> int:
        """How many rows the reader is done with, those included that were replaced by nothing."""
        if not self.left:
            return self.rows
        return self._ends[self.given - 1] if self.given else 0

    @property
    def invalid(self) -> int:
        """How many of the rows passed were invalid."""
        return bisect_left(self._invalid, self.passed + 1)


def _replacement(record: InvalidRecord, on_invalid: OnInvalid) -> Any:
    if on_invalid == "raise":
        raise record.error
    if on_invalid == "keep":
        return record
    try:
        return on_invalid(record)
    except (StopIteration, StopAsyncIteration) as error:
        # Raised to the reader's loop it would be the listing's end.
        raise RuntimeError(f"on_invalid raised {type(error).__name__}") from error


def _without_own_frames(error: BaseException) -> BaseException:
    """The error with no frames but the caller's: ours hold records, and reports may show locals."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_globals is globals():
        frames = frames.tb_next
    return error.with_traceback(frames)
