"""What a walk asks of the plan it follows. A plan does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from harbour_async.pagination._snapshot import Snapshot
from harbour_async.pagination._window import Window


class Decision(NamedTuple):
    """What becomes of a snapshot, and of what is on its way.

    rows: the positions of the records to be given, in order.
    first: a window to be requested, and read, before all others on their way.
    again: the snapshot is read again after ``first``.
    drop: the requests on their way are of no use any more.
    """

    rows: Sequence[int] = ()
    first: Window | None = None
    again: bool = False
    drop: bool = False


class Plan(Protocol):
    """Decides what to request next, and which records of a snapshot are new."""

    done: bool
    """Nothing more has to be requested."""

    reason: str | None
    """Why the listing is not proved, once that is known."""

    gave_up: bool
    """The walk did not come to an end, and was ended."""

    assumed: str | None
    repaired: int

    @property
    def depth(self) -> int:
        """How many requests may be on their way."""

    def propose(self, last: Window | None) -> Window | None:
        """The window to request after ``last`` (None: nothing is on its way); None: not now."""

    def take(self, snapshot: Snapshot) -> Decision:
        """Read the next snapshot. All records of the one before have been given."""

    def state(self, given: int) -> dict[str, Any]:
        """What a resume token carries once so many of the decision's rows have been given."""
