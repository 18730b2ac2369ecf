"""The promise, over arbitrary changes, orders of answers, page sizes, concurrency and cuts.

All schedules run on servers that count at one moment and read at another, that may give equal keys
in another order in every answer, and to which records may come late (``world``).
``HYPOTHESIS_PROFILE=long`` tries a million schedules, other ones each time.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from tests.pagination import schedules

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
EACH = 50
SEEDS = st.integers(min_value=0, max_value=2**48)


def explore(kind: type[schedules.Schedule], count: int) -> Counter[str]:
    """Run so many schedules of a kind, and count what happened in them."""
    seen: Counter[str] = Counter()

    async def some(seed: int) -> None:
        for n in range(EACH):
            outcome = await schedules.run(seed * EACH + n, kind)
            seen["schedules"] += 1
            seen["gave up"] += outcome.incomplete is not None
            seen["resumed"] += len(outcome.reports) > 1
            seen["repaired"] += any(report.gaps_repaired for report in outcome.reports)
            seen["assumed"] += any(report.assumed for report in outcome.reports)

    examples = count * (40 if LONG else 1) // EACH
    with asyncio.Runner() as runner:

        @settings(max_examples=examples)
        @given(SEEDS)
        def promise(seed: int) -> None:
            runner.run(some(seed))

        promise()
    return seen


@pytest.mark.exhaustive
def test_every_record_that_exists_throughout_is_yielded_once_in_any_schedule() -> None:
    seen = explore(schedules.Schedule, 25_000)
    assert seen["schedules"] >= 25_000
    # A walk may give up, but must do so rarely.
    assert seen["gave up"] < 0.01 * seen["schedules"]
    # The schedules must contain all these cases.
    assert seen["resumed"] > 0.15 * seen["schedules"]
    assert seen["repaired"] > 0.1 * seen["schedules"]
    assert seen["assumed"] > 0


@pytest.mark.exhaustive
def test_records_are_yielded_once_if_requests_fail_and_tasks_share_the_iterator() -> None:
    seen = explore(schedules.Troubled, 5_000)
    assert seen["gave up"] < 0.01 * seen["schedules"]


@pytest.mark.exhaustive
def test_the_last_version_of_every_updated_record_is_yielded_in_any_schedule() -> None:
    seen = explore(schedules.Updates, 5_000)
    assert seen["gave up"] < 0.01 * seen["schedules"]
    assert seen["resumed"] > 0.1 * seen["schedules"]


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        (schedules.Troubled, 36),  # a token asked for after an answer that brought nothing new
        (schedules.Updates, 87),  # the end was read before what stands in front of it
        (schedules.Schedule, 4767),  # equal keys created as fast as they are read
    ],
)
async def test_schedules_that_once_failed_keep_the_promise(
    kind: type[schedules.Schedule], seed: int
) -> None:
    await schedules.run(seed, kind)
