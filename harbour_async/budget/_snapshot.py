"""The state of a budget at one moment."""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen

from harbour_async.settings import RateLimit


class Waiting(NamedTuple):
    """How many calls wait in each lane."""

    interactive: int
    bulk: int


@frozen
class BudgetSnapshot:
    """A budget at one moment. Durations are seconds.

    limit: the budget's RateLimit.
    used: slots of requests under way, and of answers younger than ``limit.per``.
    free: slots that may be taken now; None without a limit.
    waiting: how many calls wait in each lane.
    next_free_in: 0 if a slot is free, None if that depends on answers still to come.
    paused_for: how long the pause after a 429 still lasts.
    estimated_wait: until an interactive call that is made now gets its turn, if no call before it
        gives up.
    """

    limit: RateLimit
    used: int
    free: int | None
    waiting: Waiting
    next_free_in: float | None
    paused_for: float
    estimated_wait: float
