"""Single objects, receipts, bodies and error answers."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from tests.sandbox.client import Client, serving

RECEIPT_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
ENVELOPE = {"detail", "error", "message", "more_info"}


def is_receipt(body: Any, webhook_id: str) -> bool:
    return body["webhook_id"] == webhook_id and bool(RECEIPT_TIME.fullmatch(body["event_datetime"]))


@pytest.mark.parametrize("key", [None, "", "wrong"])
async def test_a_request_without_the_key_gets_the_guides_401(
    client: Client, key: str | None
) -> None:
    headers = {} if key is None else {"x-api-key": key}
    async with (
        aiohttp.ClientSession(headers=headers) as stranger,
        stranger.get(f"{client.sandbox.url}/nowhere") as response,
    ):
        assert response.status == 401
        assert await response.json() == {
            "detail": "Please, make sure your request HEADER contains the API key "
            "and it is a valid one.",
            "error": 2002,
            "message": "Unauthorized access.",
            "more_info": "https://knowledgebase.harbourshare.com/knowledge/errors/2002",
        }


async def test_a_path_outside_the_base_url_is_answered_with_where_paths_begin(
    client: Client,
) -> None:
    origin = client.sandbox.url.removesuffix("/v2")
    async with client.http.get(f"{origin}/verifications") as response:
        assert response.status == 404
        assert (await response.json())["detail"].endswith("paths begin with /v2.")
    assert "begin" not in (await client.get("/elsewhere")).json["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/verifications/none", 404),
        ("DELETE", "/verifications/none", 404),
        ("GET", "/webhooks/none/events", 404),
        ("GET", "/webhooks/none/events/none", 404),
        ("GET", "/elsewhere", 404),
        ("GET", "/webhook", 404),
        ("GET", "/webhook/none/events", 404),
        ("POST", "/verifications", 405),
    ],
)
async def test_unknown_objects_and_paths_get_the_guides_error_envelope(
    client: Client, method: str, path: str, status: int
) -> None:
    reply = await client.send(method, path)
    assert reply.status == status
    assert reply.json.keys() == ENVELOPE


@pytest.mark.parametrize(
    ("spelling", "plural", "singular"),
    [
        ("both", 200, 200),
        ("plural", 200, 404),
        ("singular", 404, 200),
        ({"GET": "plural", "PUT": "plural", "DELETE": "plural"}, 200, 404),
        ({}, 200, 200),
    ],
)
async def test_single_objects_answer_in_the_spelling_asked_for(
    spelling: Any, plural: int, singular: int
) -> None:
    async with serving(spelling=spelling) as client:
        verification = client.sandbox.verification_ids()[0]
        webhook = client.sandbox.webhook_ids()[0]
        for name, key in (("verification", verification), ("webhook", webhook)):
            assert (await client.get(f"/{name}s/{key}")).status == plural
            assert (await client.get(f"/{name}/{key}")).status == singular
            assert (await client.get(f"/{name}s")).status == 200
        assert (await client.get(f"/webhooks/{webhook}/events")).status == 200


async def test_a_deleted_verification_is_gone_and_its_receipt_dated_in_epoch_ms(
    client: Client,
) -> None:
    key = client.sandbox.verification_ids()[5]
    receipt = await client.send("DELETE", f"/verification/{key}")
    assert receipt.json.keys() == {"verification_id", "event_datetime"}
    assert receipt.json["verification_id"] == key
    assert isinstance(receipt.json["event_datetime"], int)
    assert key not in client.sandbox.verification_ids()
    assert (await client.send("DELETE", f"/verifications/{key}")).status == 404


async def test_a_webhook_from_creation_to_deletion(client: Client) -> None:
    body = {
        "destination_url": "https://webhook.destination.url",
        "notification_email": "notification@email.com",
        "event_types": ["verification"],
    }
    created = (await client.send("POST", "/webhooks", json=body)).json
    key = created["webhook_id"]
    assert is_receipt(created, key)
    assert client.sandbox.webhook_ids()[0] == key

    webhook = (await client.get(f"/webhooks/{key}")).json
    assert webhook["destination_url"] == body["destination_url"]
    assert webhook["notification_emails"] == ["notification@email.com"]
    assert webhook["event_types"] == ["verification"]

    change = {"notification_email": None, "event_types": ["agreement.signed"]}
    assert is_receipt((await client.send("PUT", f"/webhooks/{key}", json=change)).json, key)
    changed = (await client.get(f"/webhooks/{key}")).json
    assert changed["updated_at"] > webhook["updated_at"]
    assert changed == {
        **webhook,
        "notification_emails": None,
        "event_types": ["agreement.signed"],
        "updated_at": changed["updated_at"],
    }

    assert is_receipt((await client.send("DELETE", f"/webhook/{key}")).json, key)
    assert (await client.get(f"/webhooks/{key}")).status == 404


async def test_a_webhook_created_with_a_url_alone_gets_all_events(client: Client) -> None:
    body = {"destination_url": "http://localhost/hook"}
    key = (await client.send("POST", "/webhooks", json=body)).json["webhook_id"]
    webhook = (await client.get(f"/webhooks/{key}")).json
    assert len(webhook["event_types"]) == 4
    assert webhook["notification_emails"] is None


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["body", "destination_url"]),
        ({"destination_url": None}, ["body", "destination_url"]),
        ({"destination_url": "ftp://x.org"}, ["body", "destination_url"]),
        ({"destination_url": "https://"}, ["body", "destination_url"]),
        ({"destination_url": "https://x.org", "event_types": ["a"]}, ["body", "event_types", 0]),
        ({"destination_url": "https://x.org", "event_types": "a"}, ["body", "event_types"]),
        (
            {"destination_url": "https://x.org", "notification_email": "me"},
            ["body", "notification_email"],
        ),
        ([], ["body"]),
    ],
)
async def test_a_bad_body_is_answered_as_fastapi_does(
    client: Client, body: Any, where: list[str]
) -> None:
    reply = await client.send("POST", "/webhooks", json=body)
    assert reply.status == 422
    assert [objection["loc"] for objection in reply.json["detail"]] == [where]
    assert client.sandbox.webhook_ids() == client.sandbox.webhook_ids()[:2]


@pytest.mark.parametrize(
    ("data", "content_type"),
    [("{", "application/json"), ('{"destination_url": "https://x.org"}', "text/plain")],
)
async def test_a_body_must_be_json_with_its_content_type(
    client: Client, data: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    reply = await client.send("POST", "/webhooks", data=data, headers=headers)
    assert reply.status == 422


async def test_an_update_may_leave_out_every_field_but_may_not_empty_the_url(
    client: Client,
) -> None:
    key = client.sandbox.webhook_ids()[0]
    assert (await client.send("PUT", f"/webhooks/{key}", json={})).status == 200
    bad = {"destination_url": ""}
    assert (await client.send("PUT", f"/webhooks/{key}", json=bad)).status == 422
    assert (await client.send("PUT", "/webhooks/none", json={})).status == 404


async def test_an_escaped_slash_stays_inside_the_id(client: Client) -> None:
    key = "../webhooks%2F"
    client.sandbox.insert(verification_id="a/b")
    assert (await client.get("/verifications/none%2Fevents")).status == 404
    assert (await client.get(f"/verifications/{key}")).status == 404
    assert client.sandbox.arrivals[-2].path == "/verifications/none%2Fevents"


async def test_a_url_may_have_several_webhooks_and_search_finds_all_of_them(
    client: Client,
) -> None:
    url = "https://hooks.example.org/one"
    first = (await client.send("POST", "/webhooks", json={"destination_url": url})).json
    client.sandbox.drop(when="after", method="POST")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.send("POST", "/webhooks", json={"destination_url": url})
    found = (await client.get("/webhooks", search=url, order_by="created_at ASC")).json["items"]
    assert [webhook["destination_url"] for webhook in found] == [url, url]
    assert found[0]["webhook_id"] == first["webhook_id"]
    assert found[0]["created_at"] < found[1]["created_at"]


async def test_a_body_that_is_not_in_its_content_encoding_is_answered_with_400(
    client: Client,
) -> None:
    reply = await client.send(
        "POST", "/webhooks", data=b"not gzip", headers={"Content-Encoding": "gzip"}
    )
    assert (reply.status, reply.json) == (400, {"detail": "There was an error parsing the body"})
