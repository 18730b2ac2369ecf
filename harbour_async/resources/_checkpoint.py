"""Where changes begin that happen from now on, by the server's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from harbour_async.errors import (
    APIConnectionError,
    APIStatusError,
    HarbourError,
    IncompleteListingError,
    RateLimitError,
)
from harbour_async.models import InvalidRecord, Verification
from harbour_async.pagination import Pager

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def from_now_on(newest: Pager[Verification], changes: Pager[Verification]) -> str | None:
    """The checkpoint behind all that was updated so far; None if nothing was ever updated.

    The clock of this machine has no say. ``newest`` are the records updated last, the newest first:
    one request shows the latest ``updated_at`` and the records that have it. The checkpoint is for
    walks like ``changes``.
    """
    records = [each for each in await newest.to_list() if not isinstance(each, InvalidRecord)]
    last = max((each.updated_at for each in records if each.updated_at), default=None)
    if last is None:
        return None
    ids = [each.verification_id for each in records if each.updated_at == last]
    key = (last - EPOCH) // timedelta(microseconds=1)
    return changes._token_at(key, reversed(ids), newest.report.total_last or 0)


def passes(error: HarbourError) -> bool:
    """Whether it makes sense to wait until this is over: outages, limits, lists in motion."""
    if isinstance(error, APIConnectionError):
        return not error.final
    if isinstance(error, APIStatusError):
        return isinstance(error, RateLimitError) or error.status >= 500
    return isinstance(error, IncompleteListingError)


def told_to_wait(error: HarbourError) -> float:
    """``Retry-After`` in seconds, else 0."""
    return (error.retry_after or 0.0) if isinstance(error, APIStatusError) else 0.0


def outline(error: HarbourError) -> str:
    """What a log may say of an error: nothing that the server said, and no ids."""
    if isinstance(error, IncompleteListingError):
        return f"{type(error).__name__}: {error.report.reason}"
    status = f" {error.status}" if isinstance(error, APIStatusError) else ""
    return f"{type(error).__name__}{status}"
