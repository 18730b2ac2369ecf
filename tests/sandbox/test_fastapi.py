"""Answers written down from fastapi 0.165, pydantic 2.14 and fastapi-pagination 0.16.1."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.sandbox.client import Client, serving

INTEGER = "Input should be a valid integer, unable to parse string as an integer"
SCHEMES = "'http' or 'https'"
TYPES = "'verification', 'agreement.viewed', 'agreement.signed' or 'agreement.completed'"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "page=0&size=101",
            [
                {
                    "type": "greater_than_equal",
                    "loc": ["query", "page"],
                    "msg": "Input should be greater than or equal to 1",
                    "input": "0",
                    "ctx": {"ge": 1},
                },
                {
                    "type": "less_than_equal",
                    "loc": ["query", "size"],
                    "msg": "Input should be less than or equal to 100",
                    "input": "101",
                    "ctx": {"le": 100},
                },
            ],
        ),
        (
            "page=1.5",
            [{"type": "int_parsing", "loc": ["query", "page"], "msg": INTEGER, "input": "1.5"}],
        ),
        (
            "verification_metadata=null",
            [
                {
                    "type": "dict_type",
                    "loc": ["query", "verification_metadata"],
                    "msg": "Input should be a valid dictionary",
                    "input": None,
                }
            ],
        ),
    ],
)
async def test_the_422_of_a_list_is_the_same(client: Client, query: str, detail: Any) -> None:
    reply = await client.send("GET", f"/verifications?{query}")
    assert (reply.status, reply.json) == (422, {"detail": detail})


@pytest.mark.parametrize("text", ["1", "01", "+1", " 1 ", "1.0", "1.00", "0_1", "1\n", "\u00a01"])
async def test_whole_numbers_are_those_that_pydantic_takes(client: Client, text: str) -> None:
    assert (await client.get("/verifications", page=text)).json["page"] == 1


@pytest.mark.parametrize(
    "text", ["", "1.", ".0", "1e1", "0x1", "1__0", "1_", "++1", "\u0661", "null"]
)
async def test_other_spellings_of_whole_numbers_are_refused(client: Client, text: str) -> None:
    [objection] = (await client.get("/verifications", page=text)).json["detail"]
    assert objection["type"] == "int_parsing"


async def test_a_number_of_too_many_digits_has_an_error_of_its_own(client: Client) -> None:
    [objection] = (await client.get("/verifications", page="9" * 5000)).json["detail"]
    assert objection["type"] == "int_parsing_size"
    assert objection["msg"] == "Unable to parse input string as an integer, exceeded maximum size"


async def test_a_page_is_written_as_fastapi_writes_it() -> None:
    async with serving(verifications=0) as client:
        body = (await client.get("/verifications", size=2)).body
    assert body == b'{"items":[],"total":0,"page":1,"size":2,"pages":0}'


def url_fault(value: str, fault: str) -> dict[str, Any]:
    message = f"Input should be a valid URL, {fault}"
    where = ["body", "destination_url"]
    ctx = {"error": fault}
    return {"type": "url_parsing", "loc": where, "msg": message, "input": value, "ctx": ctx}


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "input is empty"),
        ("x.org", "relative URL without a base"),
        ("//x.org", "relative URL without a base"),
        ("https://", "empty host"),
        ("https://:80", "empty host"),
        ("https://x.org:99999", "invalid port number"),
        ("https://[::1", "invalid IPv6 address"),
        ("https://x y.org", "invalid international domain name"),
    ],
)
async def test_the_422_of_a_bad_url_is_the_same(client: Client, url: str, fault: str) -> None:
    reply = await client.send("POST", "/webhooks", json={"destination_url": url})
    assert (reply.status, reply.json) == (422, {"detail": [url_fault(url, fault)]})


GOOD = {"destination_url": "https://x.org"}


@pytest.mark.parametrize(
    ("body", "objection"),
    [
        (
            {"destination_url": 5},
            {
                "type": "url_type",
                "loc": ["body", "destination_url"],
                "msg": "URL input should be a string or URL",
                "input": 5,
            },
        ),
        (
            {"destination_url": "ftp://x.org"},
            {
                "type": "url_scheme",
                "loc": ["body", "destination_url"],
                "msg": f"URL scheme should be {SCHEMES}",
                "input": "ftp://x.org",
                "ctx": {"expected_schemes": SCHEMES},
            },
        ),
        (
            GOOD | {"event_types": ["verification", "a"]},
            {
                "type": "literal_error",
                "loc": ["body", "event_types", 1],
                "msg": f"Input should be {TYPES}",
                "input": "a",
                "ctx": {"expected": TYPES},
            },
        ),
        (
            GOOD | {"event_types": "a"},
            {
                "type": "list_type",
                "loc": ["body", "event_types"],
                "msg": "Input should be a valid list",
                "input": "a",
            },
        ),
        (
            GOOD | {"notification_email": 5},
            {
                "type": "string_type",
                "loc": ["body", "notification_email"],
                "msg": "Input should be a valid string",
                "input": 5,
            },
        ),
        (
            GOOD | {"notification_email": "me"},
            {
                "type": "value_error",
                "loc": ["body", "notification_email"],
                "msg": "value is not a valid email address: An email address must have an @-sign.",
                "input": "me",
                "ctx": {"reason": "An email address must have an @-sign."},
            },
        ),
        (
            [],
            {
                "type": "model_attributes_type",
                "loc": ["body"],
                "msg": "Input should be a valid dictionary or object to extract fields from",
                "input": [],
            },
        ),
    ],
)
async def test_the_422_of_a_bad_body_is_the_same(client: Client, body: Any, objection: Any) -> None:
    reply = await client.send("POST", "/webhooks", json=body)
    assert (reply.status, reply.json) == (422, {"detail": [objection]})


def broken(position: int, fault: str) -> dict[str, Any]:
    where = ["body", position]
    ctx = {"error": fault}
    return {
        "type": "json_invalid",
        "loc": where,
        "msg": "JSON decode error",
        "input": {},
        "ctx": ctx,
    }


@pytest.mark.parametrize(
    ("content", "objection"),
    [
        (b"", {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}),
        (b"nonsense", broken(0, "Expecting value")),
        (b"{} x", broken(3, "Extra data")),
    ],
)
async def test_the_422_of_what_is_not_json_is_the_same(
    client: Client, content: bytes, objection: Any
) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await client.send("PUT", "/webhooks/x", data=content, headers=headers)
    assert (reply.status, reply.json) == (422, {"detail": [objection]})


UNREADABLE = [
    b"\xff",
    b"[" * 100_000,
    b'{"destination_url": NaN}',
    b'{"destination_url": "https://x.org", "event_types": [1e999]}',
    b'{"destination_url": "https://x.org/\\ud800"}',
]


@pytest.mark.parametrize("content", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_a_body_that_cannot_be_read_is_400(client: Client, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await client.send("POST", "/webhooks", data=content, headers=headers)
    assert (reply.status, reply.json) == (400, {"detail": "There was an error parsing the body"})


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.api+json"])
async def test_other_content_types_of_json_are_accepted(client: Client, kind: str) -> None:
    data = b'{"destination_url": " HTTPS://x.org/a b ", "event_types": null, "other": 1}'
    reply = await client.send("POST", "/webhooks", data=data, headers={"Content-Type": kind})
    assert reply.status == 200
    webhook = (await client.get(f"/webhooks/{reply.json['webhook_id']}")).json
    assert webhook["destination_url"] == " HTTPS://x.org/a b "
    assert len(webhook["event_types"]) == 4


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
async def test_a_body_of_json_may_have_any_unicode_encoding(client: Client, encoding: str) -> None:
    data = '{"destination_url": "https://x.org/é"}'.encode(encoding)
    headers = {"Content-Type": "application/json"}
    reply = await client.send("POST", "/webhooks", data=data, headers=headers)
    assert reply.status == 200
    webhook = (await client.get(f"/webhooks/{reply.json['webhook_id']}")).json
    assert webhook["destination_url"] == "https://x.org/é"


@pytest.mark.parametrize("method", ["PATCH", "POST", "HEAD"])
async def test_an_unknown_method_is_405_and_lists_the_allowed_ones(
    client: Client, method: str
) -> None:
    key = client.sandbox.webhook_ids()[0]
    reply = await client.send(method, f"/webhooks/{key}")
    assert reply.status == 405
    assert reply.headers["Allow"] == "DELETE,GET,PUT"


async def test_a_body_that_is_too_large_is_refused_in_the_guides_envelope(client: Client) -> None:
    reply = await client.send("POST", "/webhooks", data=io.BytesIO(b"a" * 2_000_000))
    assert reply.status == client.sandbox.arrivals[-1].status == 413
    assert reply.json.keys() == {"detail", "error", "message", "more_info"}


async def test_a_number_out_of_range_is_shown_as_it_came(client: Client) -> None:
    [objection] = (await client.get("/verifications", verification_metadata="[1e999]")).json[
        "detail"
    ]
    assert objection["input"] == "[1e999]"
