"""What a walk asks of the strategy it follows. A plan does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Protocol

from attrs import frozen

from harbour_async.pagination._answer import Answer
from harbour_async.pagination._cursor import Cursor
from harbour_async.pagination._windows import Window


class Use(Enum):
    """What becomes of an answer once its new records have been given."""

    SPENT = auto()
    AGAIN = auto()
    """It comes first again, after what the verdict asks for."""
    LATER = auto()
    """Its window will be proposed again, and then it is the answer."""


@frozen
class Verdict:
    """``fresh`` are the positions of an answer's new records, in order."""

    fresh: Sequence[int] = ()
    first: Window | None = None
    """To be requested, and answered, before all others on their way."""
    use: Use = Use.SPENT
    astray: bool = False
    """The requests on their way are of no use any more."""


class Plan(Protocol):
    """Decides what to request next, and which records of an answer are new."""

    done: bool
    """Nothing more has to be requested."""

    @property
    def proved(self) -> bool:
        """What was given is all that had to be."""

    reason: str | None
    """Why the listing cannot be proved, once that is known."""

    @property
    def wide(self) -> bool:
        """More than one request may be on its way."""

    repaired: int

    start: Cursor
    """Where the walk began: behind this, if it was resumed."""

    @property
    def passed(self) -> Cursor:
        """All at or before this is certain to have been given."""

    def propose(self, last: Window | None) -> Window | None:
        """The window to request after ``last`` (None: nothing is on its way); None: not now."""

    def take(self, answer: Answer) -> Verdict:
        """What to do with an answer."""

    def commit(self, count: int) -> None:
        """That many more of the records taken last have been given to the reader."""

    def state(self) -> dict[str, Any]:
        """What a resume token has to carry, as JSON, for exactly what was committed."""
