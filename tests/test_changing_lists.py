"""The pager's promise over real sockets, while the sandbox's list changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from harbour_async import HarbourError, HarbourSession, RateLimit
from harbour_async.sandbox import Arrival, Sandbox


@asynccontextmanager
async def changing(
    deleted: int,
    inserted: int,
    *,
    records: int = 1454,
    ties: int = 1,
    between: bool = False,
    late: bool = False,
) -> AsyncIterator[tuple[HarbourSession, Sandbox]]:
    """Delete and insert so many records before each page that is served.

    between: do so between the count and the rows instead.
    late: give the inserted records an older created_at.
    """
    async with (
        Sandbox(
            verifications=records, rate_limit=None, ties=ties, shuffle_ties=ties > 1
        ) as sandbox,
        HarbourSession(
            sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited()
        ) as harbour,
    ):

        def change(arrival: Arrival) -> None:
            if arrival.method == "GET":
                sandbox.delete(deleted)
                for n in range(inserted):
                    older = {"created_at": sandbox.now - 5_000 - 7 * len(sandbox.arrivals) - n}
                    sandbox.insert(1, **(older if late else {}))

        if between:
            sandbox.between_count_and_rows(change)
        else:
            sandbox.on_request(change)
        yield harbour, sandbox


ORDERS = ["created_at DESC", "created_at ASC"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize(("ties", "late"), [(1, False), (1, True), (3, False)])
@pytest.mark.parametrize(
    ("deleted", "inserted", "dearest"), [(0, 0, 1.2), (0, 5, 1.3), (5, 5, 1.6), (20, 20, 3.0)]
)
async def test_records_that_exist_throughout_are_yielded_once(
    order: str, between: bool, ties: int, late: bool, deleted: int, inserted: int, dearest: float
) -> None:
    async with changing(deleted, inserted, ties=ties, between=between, late=late) as (
        harbour,
        sandbox,
    ):
        before = set(sandbox.verification_ids())
        pager = harbour.verifications.list(order_by=order)
        seen = [record.verification_id async for record in pager]
        after = set(sandbox.verification_ids())
    assert before & after <= set(seen)
    assert len(seen) == len(set(seen))
    assert pager.report.complete
    assert pager.report.assumed is None
    plain = -(-(pager.report.total_last or 0) // 100)
    assert len(sandbox.arrivals) <= dearest * plain + 1


@pytest.mark.parametrize("order", ORDERS)
async def test_a_walk_in_two_parts_is_as_complete_as_one(order: str) -> None:
    async with changing(5, 5, records=700) as (harbour, sandbox):
        before = set(sandbox.verification_ids())
        seen = []
        pager = harbour.verifications.list(order_by=order, page_size=50)
        async for record in pager:
            seen.append(record.verification_id)
            if len(seen) == 321:
                break
        sandbox.delete(100)
        sandbox.insert(100)
        rest = harbour.verifications.list(order_by=order, page_size=50, resume=pager.resume_token)
        seen += [record.verification_id async for record in rest]
        after = set(sandbox.verification_ids())
    assert before & after <= set(seen)
    assert len(seen) == len(set(seen))
    assert rest.report.complete


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("every", [1, 3])
async def test_deleting_records_as_they_are_yielded_loses_none(order: str, every: int) -> None:
    async with changing(0, 0, records=330) as (harbour, sandbox):
        expected = set(sandbox.verification_ids())
        seen = []
        async for record in harbour.verifications.list(order_by=order, page_size=50):
            seen.append(record.verification_id)
            if len(seen) % every == 0:
                await harbour.verifications.delete(record.verification_id)
        assert sorted(seen) == sorted(expected)
        assert len(sandbox.verification_ids()) == 330 - 330 // every


async def test_an_error_in_mid_walk_carries_the_resume_token() -> None:
    async with changing(3, 3, records=700) as (harbour, sandbox):
        before = set(sandbox.verification_ids())
        seen: list[str] = []
        walk = harbour.verifications.list(page_size=50)
        with pytest.raises(HarbourError) as caught:
            async for record in walk:
                seen.append(record.verification_id)
                if len(seen) == 200:
                    sandbox.fail(status=403, times=None)
        sandbox.calm()
        rest = harbour.verifications.list(page_size=50, resume=caught.value.resume_token)
        seen += [record.verification_id async for record in rest]
        assert before & set(sandbox.verification_ids()) <= set(seen)
        assert len(seen) == len(set(seen))


async def test_changes_resume_although_the_last_200_records_were_updated_again() -> None:
    async with changing(0, 0, records=500) as (harbour, sandbox):
        newest = sandbox.insert(200)
        pager = harbour.verifications.changes(datetime(2020, 1, 1, tzinfo=UTC))
        last = (await pager.to_list())[-1].verification_id
        assert last in newest
        sandbox.update(newest)
        rest = harbour.verifications.changes(
            datetime(2020, 1, 1, tzinfo=UTC), resume=pager.resume_token
        )
        assert {record.verification_id async for record in rest} == set(newest)
        assert rest.report.complete
        assert rest.report.requests <= 12
