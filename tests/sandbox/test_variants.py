"""Other servers: spellings mixed, errors in the newer style, gateways, changes without receipts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import Client, serving

PUT: dict[str, Any] = {"json": {}}


async def statuses(client: Client, method: str, kind: str, key: str) -> tuple[int, int]:
    options = PUT if method == "PUT" else {}
    paths = (f"/{kind}s/{key}", f"/{kind}/{key}")
    plural, singular = [(await client.send(method, path, **options)).status for path in paths]
    return plural, singular


async def test_each_method_can_have_its_own_spelling() -> None:
    spelling = {"GET": "singular", "PUT": "plural", "DELETE": "plural"}
    async with serving(spelling=spelling) as client:
        key = client.sandbox.webhook_ids()[0]
        assert await statuses(client, "GET", "webhook", key) == (405, 200)
        assert await statuses(client, "PUT", "webhook", key) == (200, 405)
        assert await statuses(client, "DELETE", "webhook", key) == (200, 405)
        key = client.sandbox.verification_ids()[0]
        assert await statuses(client, "GET", "verification", key) == (405, 200)
        assert await statuses(client, "DELETE", "verification", key) == (200, 405)


async def test_a_method_that_is_not_named_has_both_spellings() -> None:
    async with serving(spelling={"PUT": "singular"}) as client:
        key = client.sandbox.webhook_ids()[0]
        assert await statuses(client, "PUT", "webhook", key) == (405, 200)
        assert await statuses(client, "GET", "webhook", key) == (200, 200)


async def test_the_guides_detail_sections_mix_the_spellings() -> None:
    async with serving(spelling="guide") as client:
        key = client.sandbox.webhook_ids()[0]
        assert await statuses(client, "GET", "webhook", key) == (405, 200)
        assert await statuses(client, "PUT", "webhook", key) == (200, 405)
        assert await statuses(client, "DELETE", "webhook", key) == (200, 405)
        key = client.sandbox.verification_ids()[0]
        assert await statuses(client, "GET", "verification", key) == (404, 200)
        assert await statuses(client, "DELETE", "verification", key) == (404, 200)


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_gateway_answers_every_unknown_route_with_one_status(status: int) -> None:
    async with serving(spelling="guide", unknown_route=status) as client:
        hook = client.sandbox.webhook_ids()[0]
        for method, path in (
            ("GET", "/nowhere"),
            ("GET", f"/webhooks/{hook}"),
            ("PATCH", f"/webhooks/{hook}"),
        ):
            reply = await client.send(method, path)
            assert reply.status == status
            assert reply.json.keys() == {"message"}
        assert (await client.get("/webhook/none")).json["message"] == "Not found."


@pytest.mark.parametrize(
    ("receipts", "status", "body"),
    [("204", 204, b""), ("blank", 200, b""), ("null", 200, b"null"), ("{}", 200, b"{}")],
)
async def test_changes_can_be_answered_without_a_receipt(
    receipts: str, status: int, body: bytes
) -> None:
    async with serving(receipts=receipts) as client:
        sandbox = client.sandbox
        url = {"destination_url": "https://x.org"}
        created = await client.send("POST", "/webhooks", json=url)
        key = created.json["webhook_id"]
        for reply in (
            await client.send("PUT", f"/webhooks/{key}", json={"event_types": []}),
            await client.send("DELETE", f"/webhooks/{key}"),
            await client.send("DELETE", f"/verifications/{sandbox.verification_ids()[0]}"),
        ):
            assert (reply.status, reply.body) == (status, body)
        assert key not in sandbox.webhook_ids()
        assert len(sandbox.verification_ids()) == 11
        assert (await client.send("DELETE", f"/webhooks/{key}")).status == 404


async def test_an_answer_without_a_body_can_be_dropped_too() -> None:
    async with serving(receipts="204") as client:
        client.sandbox.drop(when="during")
        key = client.sandbox.webhook_ids()[0]
        await client.send("PUT", f"/webhooks/{key}", json={})
        assert [arrival.status for arrival in client.sandbox.arrivals] == [None]


NEWER = {"code", "message", "detail", "docs", "errors"}


async def test_errors_can_come_in_the_style_of_newer_endpoints() -> None:
    async with serving(errors="newer", rate_limit=6) as client:
        client.sandbox.fail(503)
        replies = [
            await client.get("/webhooks"),
            await client.get("/nowhere"),
            await client.get("/webhooks/none"),
            await client.send("PATCH", "/webhooks"),
            await client.send("GET", "/webhooks", headers={"x-api-key": "wrong"}),
            await client.get("/webhooks", size=101, page=0),
            await client.get("/webhooks"),
        ]
    assert [reply.status for reply in replies] == [503, 404, 404, 405, 401, 422, 429]
    assert all(reply.json.keys() == NEWER for reply in replies)
    assert all(isinstance(reply.json["code"], int) for reply in replies)
    invalid = replies[5].json
    assert invalid["code"] == 3001
    assert [error["path"] for error in invalid["errors"]] == ["query.page", "query.size"]
    assert all(
        error.keys() == {"path", "code", "message", "resolution", "docs"}
        for error in invalid["errors"]
    )
    assert replies[0].json["errors"] == []
