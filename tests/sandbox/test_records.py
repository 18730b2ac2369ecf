"""What the made-up records are like, and in which of the guide's spellings they come."""

from __future__ import annotations

import re

import pytest

from harbour_async.sandbox import Sandbox
from tests.sandbox.client import Client, serving

EPOCH_TEXT = re.compile(r"\d{13}")
NAIVE_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
TIMES = ("created_at", "updated_at", "last_status_at")


async def test_records_depend_on_the_seed_only() -> None:
    bodies = []
    for seed in (7, 7, 8):
        async with serving(seed=seed) as client:
            [hook, *_] = client.sandbox.webhook_ids()
            paths = ("/verifications", "/webhooks", f"/webhooks/{hook}/events")
            bodies.append([(await client.get(path)).body for path in paths])
    assert bodies[0] == bodies[1]
    assert all(one != other for one, other in zip(bodies[0], bodies[2], strict=True))


async def test_every_value_of_the_guide_and_of_its_examples_occurs() -> None:
    async with serving(verifications=100) as client:
        items = (await client.get("/verifications", size=100)).json["items"]

    def values(name: str) -> set[object]:
        return {item[name] for item in items}

    assert values("status") == {"started", "cancelled", "in_progress", "completed", "Accepted"}
    assert values("result") == {"pending", "verified", "rejected", "Verified", None}
    assert values("sub_status") == {"county_level_check", "national_level_check", None}
    assert values("verification_type") == {
        "enhanced_identity_verification",
        "us_criminal_record_check",
        "motor_vehicle_record",
        "panel_drug",
    }
    assert values("verification_subtype") == {
        "single_state_county_record_check_result",
        "all_state_county_record_check_result",
        "ssn_id_document_reports",
        None,
    }
    assert values("verification_tier") == {
        None,
        *(f"request_us_criminal_record_check_tier_{n}" for n in (1, 2, 3)),
        *(f"panel {n}" for n in (5, 7, 9, 10)),
    }
    assert values("is_scan") == {True, False}


async def test_a_listed_verification_has_times_as_text_and_no_link(client: Client) -> None:
    for item in (await client.get("/verifications")).json["items"]:
        assert all(EPOCH_TEXT.fullmatch(item[name]) for name in TIMES)
        assert "agreement_link_id" not in item
        assert 4 <= len(item["latest_response"]["activity_log"]) <= 8


async def test_a_single_verification_has_times_as_ints_and_its_link(client: Client) -> None:
    [listed, *_] = (await client.get("/verifications")).json["items"]
    alone = (await client.get(f"/verifications/{listed['verification_id']}")).json
    assert all(alone[name] == int(listed[name]) for name in TIMES)
    same = listed.keys() - {*TIMES, "submitted_at"}
    assert {name: alone[name] for name in same} == {name: listed[name] for name in same}
    link = alone["agreement_link_id"]
    assert (await client.get("/verifications", search=link)).json["total"] == 12


async def test_only_a_single_webhook_names_its_organization(client: Client) -> None:
    [listed, *_] = (await client.get("/webhooks")).json["items"]
    alone = (await client.get(f"/webhooks/{listed['webhook_id']}")).json
    assert alone == {**listed, "organization_id": alone["organization_id"]}
    assert isinstance(alone["created_at"], int)


async def test_get_webhook_can_give_the_short_answer_of_the_guide() -> None:
    async with serving(get_webhook="short") as client:
        [key, *_] = client.sandbox.webhook_ids()
        short = (await client.get(f"/webhooks/{key}")).json
    assert short.keys() == {"webhook_id", "event_datetime"}
    assert NAIVE_ISO.fullmatch(short["event_datetime"])


async def test_events_are_paged_newest_first_and_can_be_read_singly(client: Client) -> None:
    [hook, other] = client.sandbox.webhook_ids()
    page = await client.get(f"/webhooks/{hook}/events", size=2)
    assert (page.json["total"], page.json["pages"]) == (3, 2)
    times = [event["event_datetime"] for event in page.json["items"]]
    assert times == sorted(times, reverse=True)
    assert all(map(NAIVE_ISO.fullmatch, times))
    [event, _] = page.json["items"]
    assert event["webhook_id"] == hook
    path = f"/events/{event['event_id']}"
    assert (await client.get(f"/webhooks/{hook}{path}")).json == event
    assert (await client.get(f"/webhooks/{other}{path}")).status == 404


async def test_events_can_come_as_one_bare_object() -> None:
    async with serving(events_shape="bare", webhooks=1) as client:
        [hook] = client.sandbox.webhook_ids()
        event = (await client.get(f"/webhooks/{hook}/events")).json
        assert event["webhook_id"] == hook


@pytest.mark.parametrize(("ties", "distinct"), [(1, 12), (4, 3)])
async def test_created_at_ties_only_with_the_option_ties(ties: int, distinct: int) -> None:
    async with serving(ties=ties) as client:
        items = (await client.get("/verifications")).json["items"]
    assert len({item["created_at"] for item in items}) == distinct


async def test_text_is_sent_as_utf8(client: Client) -> None:
    client.sandbox.insert(verification_metadata={"internal_name": "Łukasz"})
    assert "Łukasz".encode() in (await client.get("/verifications", size=1)).body


async def test_a_record_is_the_same_whichever_answer_shows_it_first() -> None:
    async with serving() as listed_first, serving() as alone_first:
        items = (await listed_first.get("/verifications")).json["items"]
        for item in items:
            path = f"/verifications/{item['verification_id']}"
            assert (await alone_first.get(path)).json == (await listed_first.get(path)).json
        again = (await alone_first.get("/verifications")).json["items"]
        assert again == items


async def test_searching_and_filtering_find_records_that_were_not_read_before(
    client: Client,
) -> None:
    found = await client.get("/verifications", verification_metadata='{"internal_id": "1"}')
    assert found.json["total"] == 3
    key = client.sandbox.verification_ids()[4]
    assert (await client.get("/verifications", search=key)).ids() == [key]


async def test_five_thousand_records_are_ready_soon() -> None:
    async with Sandbox(verifications=5_000) as sandbox:
        assert len(set(sandbox.verification_ids())) == 5_000
