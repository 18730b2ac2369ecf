"""The limit, the log, scripted faults, and a list that changes under the reader."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from harbour_async.sandbox import Arrival
from tests.sandbox.client import Client, serving


async def test_a_request_beyond_the_limit_gets_the_guides_429_with_retry_after() -> None:
    async with serving(rate_limit=2, per=30) as client:
        statuses = [(await client.get("/webhooks")).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        reply = await client.get("/webhooks")
        assert (reply.json["error"], reply.json["message"]) == (2003, "Rate limit exceeded.")
        assert 29 <= int(reply.headers["Retry-After"]) <= 30
        assert client.sandbox.rejections == 2


async def test_the_window_rolls_and_counts_only_what_it_admitted() -> None:
    async with serving(rate_limit=1, per=0.1) as client:
        assert (await client.get("/webhooks")).status == 200
        for _ in range(15):
            await asyncio.sleep(0.01)
            await client.get("/webhooks")
        first, second, *_ = [a.time for a in client.sandbox.arrivals if a.status == 200]
        assert second - first >= 0.1
        assert client.sandbox.rejections >= 1


async def test_retry_after_can_be_a_date_or_missing_and_the_limit_be_changed() -> None:
    async with serving(rate_limit=1, per=30, retry_after="date") as client:
        sandbox = client.sandbox
        await client.get("/webhooks")
        date = parsedate_to_datetime((await client.get("/webhooks")).headers["Retry-After"])
        assert 29 < date.timestamp() - time.time() <= 31
        sandbox.retry_after = None
        assert "Retry-After" not in (await client.get("/webhooks")).headers
        sandbox.rate_limit = None
        assert (await client.get("/webhooks")).status == 200


async def test_every_arrival_is_logged() -> None:
    async with serving(rate_limit=2) as client:
        sandbox = client.sandbox
        before = time.monotonic()
        await client.get("/webhooks", size=7)
        await client.get("/nowhere")
        await client.send("DELETE", "/webhooks/x%20y")
        log = [(a.method, a.path, dict(a.query), a.status) for a in sandbox.arrivals]
        assert log == [
            ("GET", "/webhooks", {"size": "7"}, 200),
            ("GET", "/nowhere", {}, 404),
            ("DELETE", "/webhooks/x%20y", {}, 429),
        ]
        assert sandbox.arrivals[0].headers["X-Api-Key"] == sandbox.api_key
        assert before <= sandbox.arrivals[0].time <= time.monotonic()
        assert sandbox.max_in_window() == 3
        sandbox.reset_log()
        assert (sandbox.arrivals, sandbox.rejections, sandbox.max_in_window()) == ([], 0, 0)
        assert (await client.get("/webhooks")).status == 429


async def test_max_in_window_leaves_out_the_windows_end() -> None:
    async with serving() as client:
        for moment in (0.0, 1.0, 1.5, 60.0, 61.0):
            client.sandbox.arrivals.append(Arrival(moment, "GET", "/", {}, {}))
        assert client.sandbox.max_in_window() == 3
        assert client.sandbox.max_in_window(1.0) == 2
        assert client.sandbox.max_in_window(0.5) == 1


async def test_a_scripted_failure_applies_to_the_next_requests_that_match(client: Client) -> None:
    sandbox = client.sandbox
    sandbox.fail(status=503, times=2, method="GET", path="/verifications/*")
    key = sandbox.verification_ids()[0]
    statuses = [
        (await client.get(path)).status
        for path in ("/verifications", *[f"/verifications/{key}"] * 3)
    ]
    assert statuses == [200, 503, 503, 200]
    assert (await client.send("DELETE", f"/verifications/{key}")).status == 200


@pytest.mark.parametrize("body", [None, "<p>", {"a": 1}])
async def test_a_header_of_a_failure_replaces_that_of_the_answer(body: Any) -> None:
    async with serving() as client:
        client.sandbox.fail(502, headers={"content-type": "text/plain"}, body=body)
        reply = await client.get("/webhooks")
        assert reply.headers.getall("Content-Type") == ["text/plain"]


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        ({"code": 3001}, b'{"code": 3001}', "application/json"),
        ("<h1>Bad gateway</h1>", b"<h1>Bad gateway</h1>", "text/html; charset=utf-8"),
        (b"\xff", b"\xff", "application/octet-stream"),
        (b"", b"", "application/octet-stream"),
    ],
)
async def test_a_failure_can_bring_its_own_body_and_headers(
    client: Client, body: Any, content: bytes, content_type: str
) -> None:
    client.sandbox.fail(502, headers={"Retry-After": "7"}, body=body)
    reply = await client.get("/webhooks")
    assert (reply.status, reply.body) == (502, content)
    assert reply.headers["Content-Type"] == content_type
    assert reply.headers["Retry-After"] == "7"


async def test_faults_without_a_number_last_until_calm(client: Client) -> None:
    seen: list[Arrival] = []
    client.sandbox.on_request(seen.append)
    client.sandbox.fail(500, times=None)
    assert [(await client.get("/webhooks")).status for _ in range(3)] == [500] * 3
    client.sandbox.calm()
    assert (await client.get("/webhooks")).status == 200
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("when", "error", "done"),
    [
        ("before", aiohttp.ServerDisconnectedError, False),
        ("during", aiohttp.ClientPayloadError, True),
        ("after", aiohttp.ServerDisconnectedError, True),
    ],
)
async def test_a_dropped_connection_before_during_or_after_processing(
    client: Client, when: Any, error: type[Exception], done: bool
) -> None:
    sandbox = client.sandbox
    sandbox.drop(when=when)
    with pytest.raises(error):
        await client.send("POST", "/webhooks", json={"destination_url": "https://x.org"})
    assert (len(sandbox.webhook_ids()) == 3) == done
    assert [arrival.status for arrival in sandbox.arrivals] == [None]
    assert (await client.get("/webhooks")).status == 200


async def test_what_aiohttp_resends_by_itself_is_logged_twice(client: Client) -> None:
    key = client.sandbox.verification_ids()[0]
    client.sandbox.drop(when="after")
    assert (await client.send("DELETE", f"/verifications/{key}")).status == 404
    assert [arrival.status for arrival in client.sandbox.arrivals] == [None, 404]


async def test_a_delay_holds_back_one_answer_and_latency_all(client: Client) -> None:
    async def seconds() -> float:
        began = time.perf_counter()
        await client.get("/webhooks")
        return time.perf_counter() - began

    client.sandbox.delay(0.3)
    assert await seconds() >= 0.3
    assert await seconds() < 0.3
    client.sandbox.latency = (0.1, 0.11)
    assert await seconds() >= 0.1
    client.sandbox.fail(503)
    assert await seconds() >= 0.1
    client.sandbox.rate_limit = 1
    assert await seconds() >= 0.1
    assert client.sandbox.rejections == 1


async def test_callbacks_change_the_list_before_the_request_is_served(client: Client) -> None:
    sandbox = client.sandbox
    inserted: list[str] = []

    @sandbox.on_request
    def insert(_arrival: Arrival) -> None:
        inserted.extend(sandbox.insert(2))

    @sandbox.on_request
    async def delete(_arrival: Arrival) -> None:
        await asyncio.sleep(0)
        sandbox.delete(inserted[:1])

    page = await client.get("/verifications", size=2)
    assert page.ids()[:1] == inserted[1:]
    assert page.json["total"] == 13


async def test_inserted_records_are_the_newest_unless_dated_otherwise(client: Client) -> None:
    sandbox = client.sandbox
    one, two = sandbox.insert(2)
    assert sandbox.verification_ids()[:2] == [two, one]
    [old] = sandbox.insert(created_at=1)
    assert sandbox.verification_ids()[-1] == old
    with pytest.raises(TypeError, match="colour"):
        sandbox.insert(colour="red")


async def test_an_updated_record_keeps_its_place_and_is_the_last_changed(client: Client) -> None:
    sandbox = client.sandbox
    order = sandbox.verification_ids()
    sandbox.update(order[7], status="completed", result="rejected")
    assert sandbox.verification_ids() == order
    [first, *_] = (await client.get("/verifications", order_by="updated_at DESC")).json["items"]
    assert (first["verification_id"], first["status"]) == (order[7], "completed")
    assert (await client.get("/verifications", search="rejected", size=1)).json["total"] >= 1
    with pytest.raises(KeyError):
        sandbox.update("none", status="completed")


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": None}, {"created_at": "2023"}, {"created_at": 10**30}, {"updated_at": 1.5},
        {"verification_id": None}, {"verification_id": ""}, {"status": 5}, {"is_scan": []},
        {"verification_metadata": "a"}, {"verification_metadata": {1: "a"}},
        {"latest_response": object()}, {"status": "\ud800"},
    ],
)  # fmt: skip
async def test_a_value_that_cannot_be_stored_or_sent_changes_nothing(
    client: Client, fields: dict[str, Any]
) -> None:
    sandbox = client.sandbox
    before = (await client.get("/verifications")).body
    with pytest.raises(ValueError, match=r"must be|cannot be sent as JSON"):
        sandbox.insert(**fields)
    with pytest.raises(ValueError, match=r"must be|cannot be sent as JSON"):
        sandbox.update(1, **fields)
    assert (await client.get("/verifications")).body == before


async def test_ids_are_unique_and_stay(client: Client) -> None:
    sandbox = client.sandbox
    one, two = sandbox.insert(2)
    with pytest.raises(ValueError, match="one new verification"):
        sandbox.insert(verification_id=one)
    with pytest.raises(ValueError, match="one new verification"):
        sandbox.insert(2, verification_id="another")
    with pytest.raises(ValueError, match="cannot be changed"):
        sandbox.update(one, verification_id=two)
    assert sandbox.verification_ids()[:2] == [two, one]


@pytest.mark.parametrize("count", [-1, 1.5, "2", True])
async def test_a_count_is_a_whole_number(client: Client, count: Any) -> None:
    with pytest.raises(ValueError, match="count must be a whole number"):
        client.sandbox.insert(count)


async def test_a_faults_method_may_be_in_any_letter_case(client: Client) -> None:
    client.sandbox.fail(method="get")
    assert (await client.get("/webhooks")).status == 503


async def test_a_callback_that_cannot_be_called_is_refused_at_once(client: Client) -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="expected a function"):
        client.sandbox.on_request(nothing)


async def test_deleting_at_random_is_repeatable() -> None:
    gone = []
    for _ in range(2):
        async with serving() as client:
            before = client.sandbox.verification_ids()
            deleted = client.sandbox.delete(5)
            assert set(before) - set(client.sandbox.verification_ids()) == set(deleted)
            assert len(client.sandbox.delete(100)) == 7
            gone.append(deleted)
    assert gone[0] == gone[1]
    assert len(gone[0]) == 5


async def test_deleting_returns_the_ids_that_existed(client: Client) -> None:
    [key, *_] = client.sandbox.verification_ids()
    assert client.sandbox.delete([key, "none"]) == [key]
    assert client.sandbox.delete(key) == []
