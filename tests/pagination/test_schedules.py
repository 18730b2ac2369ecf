"""The promise, over arbitrary changes, orders of answers, page sizes, concurrency and cuts.

``HYPOTHESIS_PROFILE=long`` looks at millions of schedules, and at others each time.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from tests.pagination import schedules

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
EXAMPLES = 50_000 if LONG else 500
SCHEDULES_EACH = 50


def test_every_record_that_exists_throughout_is_yielded_once_in_any_schedule() -> None:
    seen: Counter[str] = Counter()

    async def explore(seed: int) -> None:
        for n in range(SCHEDULES_EACH):
            outcome = await schedules.run(seed * SCHEDULES_EACH + n)
            seen["schedules"] += 1
            seen["given up"] += outcome.incomplete is not None
            seen["resumed"] += len(outcome.reports) > 1
            seen["repaired"] += any(report.gaps_repaired for report in outcome.reports)

    with asyncio.Runner() as runner:

        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=not LONG)
        @given(st.integers(min_value=0, max_value=2**48))
        def promise(seed: int) -> None:
            runner.run(explore(seed))

        promise()

    assert seen["schedules"] >= 20_000
    # Giving up is honest, but a walk that often does so promises nothing.
    assert seen["given up"] < 0.01 * seen["schedules"]
    # The schedules must be such that all this matters.
    assert seen["resumed"] > 0.15 * seen["schedules"]
    assert seen["repaired"] > 0.1 * seen["schedules"]


@settings(max_examples=EXAMPLES // 5, deadline=None, database=None, derandomize=not LONG)
@given(st.integers(min_value=0, max_value=2**48))
def test_the_same_if_requests_fail_and_tasks_share_the_iterator(seed: int) -> None:
    async def explore() -> None:
        for n in range(SCHEDULES_EACH):
            await schedules.run(seed * SCHEDULES_EACH + n, schedules.Troubled)

    asyncio.run(explore())


@pytest.mark.parametrize(
    "seed",
    [
        110885087309508,  # cut off in a plain page behind a gap that held the newest key
        50017293778020,  # an answer kept from the search for a token's place taken for the tail
    ],
)
async def test_schedules_that_once_lost_a_record(seed: int) -> None:
    await schedules.run(seed)
