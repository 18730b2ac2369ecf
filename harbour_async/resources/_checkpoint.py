"""The checkpoint of now by the server's clock, and the errors that a watch or a wait survives."""

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
    """The checkpoint after all updates so far; None if nothing was ever updated.

    This machine's clock is not used. ``newest`` are the records updated last, newest first: one
    request shows the latest ``updated_at`` and the records that have it. The checkpoint is for
    walks such as ``changes``.
    """
    records = [each for each in await newest.to_list() if not isinstance(each, InvalidRecord)]
    last = max((each.updated_at for each in records if each.updated_at), default=None)
    if last is None:
        return None
    ids = [each.verification_id for each in records if each.updated_at == last]
    key = (last - EPOCH) // timedelta(microseconds=1)
    return changes._token_at(key, reversed(ids), newest.report.total_last or 0)


def is_temporary(error: HarbourError) -> bool:
    """Whether the error may be over after a while: an outage, the rate limit, a lost proof."""
    if isinstance(error, APIConnectionError):
        return not error.final
    if isinstance(error, APIStatusError):
        return isinstance(error, RateLimitError) or error.status >= 500
    return isinstance(error, IncompleteListingError)


def retry_after(error: HarbourError) -> float:
    """``Retry-After`` in seconds, else 0."""
    return (error.retry_after or 0.0) if isinstance(error, APIStatusError) else 0.0


def summary(error: HarbourError) -> str:
    """The error for a log: no text of the server, and no ids."""
    if isinstance(error, IncompleteListingError):
        return f"{type(error).__name__}: {error.report.reason}"
    status = f" {error.status}" if isinstance(error, APIStatusError) else ""
    return f"{type(error).__name__}{status}"
