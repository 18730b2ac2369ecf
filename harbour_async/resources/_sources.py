"""The requests of which ``wait_for``, ``watch`` and ``get_many`` are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harbour_async.errors import APIStatusError, NotFoundError
from harbour_async.models import Verification
from harbour_async.pagination import Pager
from harbour_async.resources._checkpoint import EPOCH, from_now_on
from harbour_async.resources._many import GetMany, Refused
from harbour_async.resources._time_left import TimeLeft
from harbour_async.resources._watch import Watch
from harbour_async.settings import Priority

if TYPE_CHECKING:
    from harbour_async.resources.verifications import Verifications

Left = Callable[[], float | None]
"""The seconds that are left; None for no bound."""


def _unbounded() -> None:
    return None


class Sources:
    """Binds the methods of ``verifications`` to a lane and a time limit."""

    def __init__(self, verifications: Verifications) -> None:
        self._verifications = verifications

    async def get(
        self, verification_id: str, lane: Priority, left: Left = _unbounded
    ) -> Verification:
        """One verification; NotFoundError also where the other spelling's route is known."""
        try:
            return await self._verifications.get(verification_id, priority=lane, timeout=left())
        except APIStatusError as error:
            failure = _about_the_id(error)
        raise failure

    def many(
        self,
        ids: Iterable[str],
        lane: Priority,
        refused: Refused | None = None,
        left: Left = _unbounded,
    ) -> GetMany:
        return GetMany(
            ids,
            get=lambda each: self.get(each, lane, left),
            walk=lambda token: self._verifications.list(
                on_invalid="keep", resume=token, priority=lane, timeout=left()
            ),
            refused=refused,
        )

    def changes(
        self, checkpoint: str | None, lane: Priority, left: Left = _unbounded, **filters: Any
    ) -> Pager[Verification]:
        """What was updated since the checkpoint; with None, everything."""
        return self._verifications.changes(
            EPOCH, resume=checkpoint, priority=lane, timeout=left(), **filters
        )

    async def from_now_on(
        self, lane: Priority, left: Left = _unbounded, **filters: Any
    ) -> str | None:
        """The checkpoint for changes with these filters that happen from now on."""
        newest = self._verifications.list(
            order_by="updated_at DESC",
            max_items=100,  # one page
            priority=lane,
            timeout=left(),
            **{**filters, "on_invalid": "keep"},
        )
        return await from_now_on(newest, self.changes(None, lane, **filters))

    def watch(
        self,
        interval: float,
        since: datetime | None,
        resume: str | None,
        *,
        lane: Priority,
        left: TimeLeft,
        **filters: Any,
    ) -> Watch:
        def changes(checkpoint: str | None) -> Pager[Verification]:
            return self._verifications.changes(
                EPOCH if since is None else since,
                resume=checkpoint,
                priority=lane,
                timeout=left(),
                **filters,
            )

        return Watch(
            changes=changes,
            begin=(lambda: self.from_now_on(lane, left, **filters)) if since is None else None,
            pause=left.pause,
            interval=interval,
            resume=resume,
        )


def _about_the_id(error: APIStatusError) -> APIStatusError:
    """The error that says whether the id exists, where both spellings of the path failed."""
    # What answers 405 has no GET. So GET belongs to the other spelling, whose 404 is about the id.
    other = error.__cause__
    return other if error.status == 405 and isinstance(other, NotFoundError) else error
