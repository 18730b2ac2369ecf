"""What a budget says of itself."""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen

from harbour_async.settings import RateLimit


class Waiting(NamedTuple):
    """Waiters per lane."""

    interactive: int
    bulk: int


@frozen
class BudgetSnapshot:
    """A budget at one moment. Durations are seconds.

    ``used`` slots are those of requests in flight and of answers younger than ``limit.per``;
    ``free`` is None without a limit. ``next_free_in`` is 0 if a slot is free, and None if that
    depends on answers still to come. ``estimated_wait`` is the earliest turn of an interactive
    call made now, if nobody before it gives up.
    """

    limit: RateLimit
    used: int
    free: int | None
    waiting: Waiting
    next_free_in: float | None
    paused_for: float
    estimated_wait: float
