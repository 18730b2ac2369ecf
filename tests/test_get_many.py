"""Many verifications by their ids: how many requests that takes, and which ids are missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harbour_async import (
    ConfigurationError,
    DeadlineExceededError,
    HarbourSession,
    PermissionDeniedError,
    Priority,
    RateLimit,
)
from harbour_async._wire import Request
from harbour_async.sandbox import Sandbox
from tests.fake_api import FakeApi, ids_of, paths, status_error
from tests.virtual_time import FACTORIES, run, settle, virtual_time


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[HarbourSession, Sandbox]]:
    async with (
        Sandbox(rate_limit=None, **options) as sandbox,
        HarbourSession(
            sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited()
        ) as harbour,
    ):
        yield harbour, sandbox


async def test_500_of_2000_take_23_requests() -> None:
    async with serving(verifications=2000) as (harbour, sandbox):
        ids = sandbox.verification_ids()[::4]
        many = harbour.verifications.get_many(ids)
        found = [v.verification_id async for v in many]
        assert sorted(found) == sorted(ids)
        assert many.missing == []
        assert len(sandbox.arrivals) <= 24
        assert many.requests == len(sandbox.arrivals)


COSTS = {
    "a few are fetched singly": (slice(0, 2000, 700), 3),
    "more are fetched singly after the first page of the listing": (slice(500, 2000, 200), 9),
    "those on the first page need no other page": (slice(0, 80), 1),
    "a few that are far behind many are fetched singly": (slice(0, 400, 2), 14),
}


@pytest.mark.parametrize(("which", "most"), COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("eager", FACTORIES.values(), ids=FACTORIES)
def test_it_takes_the_way_with_fewer_requests(which: slice, most: int, eager: bool) -> None:
    async def main() -> None:
        api = FakeApi()
        ids = api.insert(2000)[::-1][which]
        found = [v async for v in api.verifications.get_many(ids)]
        assert sorted(ids_of(found)) == sorted(ids)
        # Eager tasks have begun to prefetch when the last page that is needed is looked at.
        assert len(api.requests) <= most + (4 if eager else 0)

    run(main, eager=eager)


@virtual_time
async def test_the_ids_left_are_fetched_singly_where_that_takes_fewer_requests() -> None:
    api = FakeApi()
    ids = api.insert(2000)[::-1]
    wanted = [*ids[:50], ids[1999]]
    assert len([v async for v in api.verifications.get_many(wanted)]) == 51
    assert paths(api) == ["verifications", f"verifications/{ids[1999]}"]


@pytest.mark.parametrize("count", [0, 1, 30, 300])
def test_missing_ids_are_listed_in_the_order_asked(count: int) -> None:
    async def main() -> None:
        api = FakeApi()
        wanted = ["V-x", *api.insert(300)[:count], "V-z", "V-a"]
        many = api.verifications.get_many(wanted)
        assert len([v async for v in many]) == count
        assert many.missing == ["V-x", "V-z", "V-a"]

    run(main)


@virtual_time
async def test_an_id_that_is_asked_for_twice_comes_once() -> None:
    api = FakeApi()
    [a, b] = api.insert(2)
    many = api.verifications.get_many(iter([a, b, a, "V-x", "V-x"]))
    assert sorted(ids_of([v async for v in many])) == [a, b]
    assert many.missing == ["V-x"]
    assert len(api.requests) == 3


@virtual_time
async def test_no_ids_take_no_request() -> None:
    api = FakeApi()
    assert [v async for v in api.verifications.get_many([])] == []
    assert not api.requests


async def test_after_an_unproved_walk_the_ids_are_fetched_singly() -> None:
    """A page without records whose total says that there are some proves nothing."""
    async with serving(verifications=40) as (harbour, sandbox):
        ids = sandbox.verification_ids()
        empty = {"items": [], "total": 40, "page": 1}
        sandbox.fail(200, times=None, path="/verifications", body=empty)
        many = harbour.verifications.get_many([*ids[:5], "VERIFICATION-none"])
        found = [v.verification_id async for v in many]
        assert sorted(found) == sorted(ids[:5])
        assert many.missing == ["VERIFICATION-none"]


@virtual_time
async def test_a_record_that_cannot_be_read_in_the_listing_is_fetched_singly() -> None:
    def mend(request: Request) -> None:
        if "/" in request.path:
            api.records["V-1"]["is_scan"] = True

    api = FakeApi(trouble=mend)
    ids = api.insert(5)
    api.records["V-1"]["is_scan"] = "no bool"
    many = api.verifications.get_many(ids)
    assert len([v async for v in many]) == 5
    assert paths(api) == ["verifications", "verifications/V-1"]
    assert many.missing == []


@virtual_time
async def test_an_invalid_record_that_was_not_asked_for_is_ignored() -> None:
    api = FakeApi()
    *ids, other = api.insert(5)
    api.records[other]["is_scan"] = "no bool"
    assert len([v async for v in api.verifications.get_many(ids)]) == 4
    assert len(api.requests) == 1


@virtual_time
async def test_an_error_other_than_404_ends_it() -> None:
    def refuses(request: Request) -> None:
        if request.path.endswith("V-1"):
            raise status_error(403, PermissionDeniedError)

    api = FakeApi(trouble=refuses)
    with pytest.raises(PermissionDeniedError):
        async for _ in api.verifications.get_many(api.insert(3)):
            pass
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("eager", FACTORIES.values(), ids=FACTORIES)
def test_leaving_the_loop_stops_its_requests(eager: bool) -> None:
    async def main() -> None:
        api = FakeApi()
        ids = api.insert(4000)[::-1]
        many = api.verifications.get_many([*ids[:1], *ids[150:3000:100]])
        async for _ in many:
            break
        await settle()
        asked = len(api.requests)
        await asyncio.sleep(60)
        assert len(api.requests) == asked
        assert asyncio.all_tasks() == {asyncio.current_task()}
        rest = [v async for v in many]
        assert len(rest) == 29

    run(main, eager=eager)


@virtual_time
async def test_a_reader_goes_on_where_another_one_stops_the_requests() -> None:
    async with serving(verifications=2, latency=0.05) as (harbour, sandbox):
        iterator = aiter(harbour.verifications.get_many(sandbox.verification_ids()))
        waiting = asyncio.create_task(anext(iterator))
        while not sandbox.arrivals:
            await asyncio.sleep(0)
        await iterator.aclose()
        found = {(await waiting).verification_id, *[v.verification_id async for v in iterator]}
        assert found == set(sandbox.verification_ids())


async def test_a_reader_that_gives_up_again_and_again_reaches_the_end_of_the_listing() -> None:
    api = FakeApi()
    ids = [*api.insert(4000)[:50], "gone"]  # listed last
    many = api.verifications.get_many(ids)
    found: list[str] = []
    for _ in range(200):
        try:
            async with asyncio.timeout(0.3):
                found += [v.verification_id async for v in many]
            break
        except TimeoutError:
            continue
    assert many.missing == ["gone"]
    assert len(api.requests) < 120


@virtual_time
async def test_it_waits_in_the_bulk_lane_unless_told_otherwise() -> None:
    api = FakeApi()
    ids = api.insert(50)
    _ = [v async for v in api.verifications.get_many(ids)]
    assert set(api.lanes) == {Priority.BULK}
    _ = [v async for v in api.verifications.get_many(ids, priority=Priority.INTERACTIVE)]
    assert api.lanes[-1] is Priority.INTERACTIVE


async def test_its_timeout_covers_all_its_requests() -> None:
    async with serving(verifications=30, latency=0.2) as (harbour, sandbox):
        many = harbour.verifications.get_many(sandbox.verification_ids(), timeout=0.05)
        with pytest.raises(DeadlineExceededError):
            await anext(many)


@pytest.mark.parametrize("ids", ["V-1", None, 5, [""], [None], ["a/b"]])
@virtual_time
async def test_anything_but_a_list_of_ids_is_refused(ids: Any) -> None:
    with pytest.raises(ConfigurationError):
        FakeApi().verifications.get_many(ids)
