"""Lists as databases give them: counted and read at two moments, ties in any order, late rows."""

from __future__ import annotations

from typing import Any

import pytest

from harbour_async.sandbox import Arrival
from tests.sandbox.client import Client, serving


async def test_a_change_between_count_and_rows_shows_in_the_rows_only(client: Client) -> None:
    sandbox = client.sandbox
    order = sandbox.verification_ids()
    seen: list[str] = []

    @sandbox.between_count_and_rows
    def delete(arrival: Arrival) -> None:
        seen.append(arrival.path)
        sandbox.delete(order[:2])

    page = (await client.get("/verifications", size=5)).json
    assert (page["total"], page["pages"]) == (12, 3)
    assert [item["verification_id"] for item in page["items"]] == order[2:7]
    assert seen == ["/verifications"]
    sandbox.calm()
    assert (await client.get("/verifications")).json["total"] == 10
    assert len(seen) == 1


async def test_the_callback_between_count_and_rows_is_awaited_in_lists_only(client: Client) -> None:
    paths: list[str] = []

    @client.sandbox.between_count_and_rows
    async def note(arrival: Arrival) -> None:
        paths.append(arrival.path)

    [hook, _] = client.sandbox.webhook_ids()
    lists = ["/verifications", "/webhooks", f"/webhooks/{hook}/events"]
    for path in [*lists, f"/webhooks/{hook}", "/verifications?size=101"]:
        await client.get(path)
    assert paths == lists


async def orders(client: Client, times: int = 8) -> list[list[str]]:
    return [(await client.get("/verifications")).ids() for _ in range(times)]


async def test_shuffled_ties_come_in_another_order_in_each_answer() -> None:
    async with serving(ties=4, shuffle_ties=True) as client:
        seen = await orders(client)
        [key, *_] = client.sandbox.verification_ids()
        assert (await client.get(f"/verifications/{key}")).json["verification_id"] == key
        client.sandbox.shuffle_ties = False
        quiet = await orders(client, 2)
    groups = [[sorted(order[n : n + 4]) for n in (0, 4, 8)] for order in seen]
    assert all(group == groups[0] for group in groups)
    assert len({tuple(order) for order in seen}) > 4
    assert quiet[0] == quiet[1]


async def test_the_same_seed_shuffles_ties_in_the_same_way() -> None:
    runs = []
    for _ in range(2):
        async with serving(ties=4, shuffle_ties=True, seed=3) as client:
            runs.append(await orders(client))
    assert runs[0] == runs[1]


async def test_every_order_of_three_ties_occurs() -> None:
    async with serving(verifications=3, ties=3, shuffle_ties=True) as client:
        assert len({tuple(order) for order in await orders(client, 60)}) == 6


async def test_without_ties_shuffling_changes_nothing() -> None:
    async with serving(shuffle_ties=True) as client:
        expected = client.sandbox.verification_ids()
        assert await orders(client, 3) == [expected] * 3


async def test_a_late_commit_appears_behind_newer_records(client: Client) -> None:
    sandbox = client.sandbox
    newest = (await client.get("/verifications", size=1)).json["items"][0]
    at = int(newest["created_at"]) - 1
    [late, later] = sandbox.insert(2, created_at=at)
    assert sandbox.verification_ids()[:3] == [newest["verification_id"], later, late]
    record = (await client.get(f"/verifications/{late}")).json
    assert record["created_at"] == record["updated_at"] == at < sandbox.now
    assert late.startswith(f"VERIFICATION-{at}_")


async def test_a_new_record_was_last_updated_when_it_was_created(client: Client) -> None:
    before = client.sandbox.now
    [key] = client.sandbox.insert()
    record = (await client.get(f"/verifications/{key}")).json
    assert record["created_at"] == record["updated_at"] == client.sandbox.now > before


async def changed_last(client: Client, count: int) -> list[str]:
    query: dict[str, Any] = {"order_by": "updated_at DESC", "size": count}
    return (await client.get("/verifications", **query)).ids()


async def test_updates_move_records_to_the_end_of_the_order_by_update(client: Client) -> None:
    sandbox = client.sandbox
    order = sandbox.verification_ids()
    assert sandbox.update([order[9], order[4]], status="completed") == [order[9], order[4]]
    assert await changed_last(client, 2) == [order[4], order[9]]
    some = sandbox.update(3)
    assert len(set(some)) == 3
    assert await changed_last(client, 3) == some[::-1]
    assert sandbox.verification_ids() == order


async def test_an_update_of_an_unknown_id_changes_nothing(client: Client) -> None:
    sandbox = client.sandbox
    [key, *_] = sandbox.verification_ids()
    before = (await client.get(f"/verifications/{key}")).json
    with pytest.raises(KeyError, match="none"):
        sandbox.update([key, "none"], status="started")
    with pytest.raises(TypeError, match="colour"):
        sandbox.update(key, colour="red")
    assert (await client.get(f"/verifications/{key}")).json == before


async def test_records_can_share_the_moment_of_an_update(client: Client) -> None:
    at = client.sandbox.now + 1_000
    client.sandbox.update(5, updated_at=at)
    items = (await client.get("/verifications", order_by="updated_at DESC")).json["items"]
    assert [int(item["updated_at"]) for item in items[:5]] == [at] * 5
    assert int(items[5]["updated_at"]) < at <= client.sandbox.now
