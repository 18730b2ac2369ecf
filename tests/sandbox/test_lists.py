"""Pages, filters and order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.client import Client, serving


async def test_a_page_has_fifty_records_newest_first_by_default() -> None:
    async with serving(verifications=60) as client:
        page = await client.get("/verifications")
        assert page.ids() == client.sandbox.verification_ids()[:50]
        numbers = {name: page.json[name] for name in ("total", "page", "size", "pages")}
        assert numbers == {"total": 60, "page": 1, "size": 50, "pages": 2}


async def test_all_pages_together_are_the_list(client: Client) -> None:
    pages = [await client.get("/verifications", page=n, size=5) for n in (1, 2, 3)]
    assert [key for page in pages for key in page.ids()] == client.sandbox.verification_ids()


async def test_a_page_beyond_the_end_is_empty_and_knows_the_total(client: Client) -> None:
    for number in (2, 10**30):
        page = (await client.get("/verifications", page=number)).json
        assert (page["items"], page["total"], page["pages"]) == ([], 12, 1)


async def test_an_empty_table_has_no_pages() -> None:
    async with serving(verifications=0) as client:
        page = (await client.get("/verifications")).json
        assert page == {"items": [], "total": 0, "page": 1, "size": 50, "pages": 0}


async def test_page_size_and_pages_can_be_strings_as_in_the_guides_tables() -> None:
    async with serving(envelope="strings") as client:
        page = (await client.get("/webhooks", size=1)).json
        assert page["total"] == 2
        assert (page["page"], page["size"], page["pages"]) == ("1", "1", "2")


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"size": "101"}, "less_than_equal"),
        ({"size": "0"}, "greater_than_equal"),
        ({"page": "0"}, "greater_than_equal"),
        ({"page": "two"}, "int_parsing"),
        ({"order_by": "latest_response DESC"}, "value_error"),
        ({"order_by": "created_at SIDEWAYS"}, "value_error"),
        ({"order_by": "created_at DESC, status ASC"}, "value_error"),
        ({"verification_metadata": "{"}, "json_invalid"),
        ({"verification_metadata": "[1]"}, "dict_type"),
    ],
)
async def test_a_bad_parameter_is_answered_as_fastapi_does(
    client: Client, query: dict[str, str], kind: str
) -> None:
    reply = await client.get("/verifications", **query)
    assert reply.status == 422
    [objection] = reply.json["detail"]
    assert objection["type"] == kind
    assert objection["loc"] == ["query", next(iter(query))]
    given = next(iter(query.values()))
    assert objection["input"] == (json.loads(given) if kind == "dict_type" else given)


async def test_the_last_of_a_repeated_parameter_counts(client: Client) -> None:
    reply = await client.send("GET", "/verifications?size=1&size=2")
    assert len(reply.ids()) == 2


@pytest.mark.parametrize("field", ["created_at", "updated_at", "status", "verification_id"])
async def test_every_field_orders_in_both_directions(field: str) -> None:
    async with serving(verifications=100, ties=7) as client:
        up = await client.get("/verifications", size=100, order_by=f"{field} ASC")
        down = await client.get("/verifications", size=100, order_by=f"{field} DESC")
        values = [item[field] for item in up.json["items"]]
        assert values == sorted(values)
        assert down.ids() == up.ids()[::-1]


async def test_search_finds_a_part_of_any_text_field_in_any_case(client: Client) -> None:
    sandbox = client.sandbox
    [link] = sandbox.insert(agreement_link_id="LINK-One")
    [kind] = sandbox.insert(verification_type="one-LINK-more")
    sandbox.insert(latest_response={"note": "link-one"})
    assert (await client.get("/verifications", search="link-ONE")).ids() == [link]
    both = (await client.get("/verifications", search="link")).ids()
    assert both == [kind, link]


async def test_search_takes_wildcards_literally(client: Client) -> None:
    assert (await client.get("/verifications", search="%")).json["total"] == 0


async def filtered(client: Client, metadata: dict[str, Any]) -> list[str]:
    reply = await client.get("/verifications", verification_metadata=json.dumps(metadata))
    return reply.ids()


async def test_metadata_must_match_in_every_pair(client: Client) -> None:
    [one] = client.sandbox.insert(verification_metadata={"a": "1", "b": "x"})
    [two] = client.sandbox.insert(verification_metadata={"a": "1", "b": "y"})
    assert await filtered(client, {"a": "1"}) == [two, one]
    assert await filtered(client, {"a": "1", "b": "x"}) == [one]
    assert await filtered(client, {"a": "2", "b": "x"}) == []


async def test_metadata_is_compared_as_the_url_parameters_it_came_from(client: Client) -> None:
    [number] = client.sandbox.insert(verification_metadata={"n": 123})
    [text] = client.sandbox.insert(verification_metadata={"n": "123"})
    assert await filtered(client, {"n": "123"}) == [text, number]
    assert await filtered(client, {"n": 123}) == [text, number]
    assert await filtered(client, {"n": "12"}) == []


async def test_odd_metadata_names_and_values_match_literally(client: Client) -> None:
    odd = {'k"]\n["': "é\x1f\n", "": "'"}
    [key] = client.sandbox.insert(verification_metadata=odd)
    assert await filtered(client, odd) == [key]
    assert await filtered(client, {'k"]': "é"}) == []


async def test_empty_filters_filter_nothing(client: Client) -> None:
    reply = await client.get("/verifications", search="", verification_metadata="{}")
    assert reply.json["total"] == 12


async def test_totals_follow_every_change(client: Client) -> None:
    async def total() -> Any:
        return (await client.get("/verifications", search="VERIFICATION-")).json["total"]

    assert await total() == 12
    client.sandbox.insert(3)
    assert await total() == 15
    client.sandbox.delete(4)
    assert await total() == 11
