"""``session.request``, ``with_options`` and ``read_only``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harbour_async import (
    APIConnectionError,
    ConfigurationError,
    DeadlineExceededError,
    DecodeError,
    HarbourSession,
    NotFoundError,
    Priority,
    RateLimit,
    Response,
    Retry,
    Timeout,
)
from tests.servers import KEY, Handler, RawServer, ReceivedRequest, answer, raw_server

RECORD = b'{"verification_id": "VERIFICATION-1"}'
FAST = Retry(attempts=3, base_delay=0.001, max_delay=0.002)


@asynccontextmanager
async def talking(
    handler: Handler, **settings: Any
) -> AsyncIterator[tuple[HarbourSession, RawServer]]:
    options: dict[str, Any] = {"retry": FAST, "timeout": Timeout(10, 5, 5)} | settings
    async with (
        raw_server(handler) as server,
        HarbourSession(KEY, base_url=server.url, **options) as harbour,
    ):
        yield harbour, server


def script(*answers: bytes | None) -> Handler:
    left = list(answers)

    async def handler(_: ReceivedRequest) -> bytes | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return handler


async def test_any_path_below_the_base_url_can_be_requested() -> None:
    data = answer(200, b'\xef\xbb\xbf{"name": "n"}', X_Request_ID="r-1", X_Other="o")
    async with talking(script(answer(503), data)) as (harbour, server):
        got = await harbour.request(
            "get", "/organizations/a b", params={"expand": ["x", "y"], "n": 1, "none": None}
        )
        assert harbour.budget.snapshot().used == 2
    assert [request.target for request in server.received] == [
        "/v2/organizations/a%20b?expand=x&expand=y&n=1"
    ] * 2
    assert isinstance(got, Response)
    assert (got.status, got.request_id, got.attempts) == (200, "r-1", 2)
    assert got.json() == {"name": "n"}
    assert type(got.headers) is dict
    assert got.headers["X-Other"] == "o"
    assert got.elapsed > 0
    assert "name" not in repr(got)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_write_sends_its_body_once(method: str) -> None:
    async with talking(script(None, answer(200))) as (harbour, server):
        with pytest.raises(APIConnectionError):
            await harbour.request(method, "things", json={"a": [1, None]})
    assert len(server.received) == 1
    assert json.loads(server.received[0].body) == {"a": [1, None]}


async def test_a_patch_that_was_answered_with_429_is_sent_again() -> None:
    async with talking(script(answer(429, Retry_After="0"), answer(204))) as (harbour, server):
        got = await harbour.request("PATCH", "things/1", json={})
    assert (got.status, got.body, got.attempts) == (204, b"", 2)
    assert len(server.received) == 2


async def test_errors_are_typed_as_in_every_call() -> None:
    async with talking(script(answer(404))) as (harbour, _):
        with pytest.raises(NotFoundError) as caught:
            await harbour.request("GET", "things/1")
    assert str(caught.value.request) == "GET /things/1"


async def test_a_lost_delete_that_is_not_found_counts_as_deleted() -> None:
    async with talking(script(None, answer(404, b"gone"))) as (harbour, _):
        got = await harbour.request("DELETE", "things/1")
    assert (got.status, got.body, got.attempts) == (404, b"gone", 2)
    assert got.elapsed > 0


async def test_a_body_that_is_not_json_says_what_it_is() -> None:
    data = answer(200, b"<html>", Content_Type="text/html")
    async with talking(script(data)) as (harbour, _):
        got = await harbour.request("GET", "things")
    with pytest.raises(DecodeError, match=r"status 200, .*text/html, 6 bytes") as caught:
        got.json()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("GET", "https://evil.example/"),
        ("GET", "../up"),
        ("GET", ""),
        ("TRACE", "x"),
        ("GET", "x?y=1"),
    ],
)
async def test_a_path_outside_the_base_url_is_refused_before_it_is_sent(
    arguments: tuple[str, str],
) -> None:
    async with talking(script(answer(200))) as (harbour, server):
        with pytest.raises(ConfigurationError):
            await harbour.request(*arguments)
        with pytest.raises(ConfigurationError):
            await harbour.request("POST", "x", json=object())
        with pytest.raises(ConfigurationError):
            await harbour.request("GET", "x", priority="bulk")  # type: ignore[arg-type]
    assert server.received == []


Call = Callable[[HarbourSession], Awaitable[object]]
WRITES: list[Call] = [
    lambda h: h.webhooks.create("https://destination.example"),
    lambda h: h.webhooks.update("wb_1", destination_url="https://destination.example"),
    lambda h: h.webhooks.delete("wb_1"),
    lambda h: h.verifications.delete("VERIFICATION-1"),
    lambda h: h.request("PATCH", "things"),
    lambda h: h.with_options(timeout=5).request("POST", "things"),
]


@pytest.mark.parametrize("write", WRITES)
async def test_a_read_only_session_refuses_writes_before_they_are_sent(write: Call) -> None:
    async with talking(script(answer(200, RECORD)), read_only=True) as (harbour, server):
        with pytest.raises(ConfigurationError, match="read-only"):
            await write(harbour)
        assert server.received == []
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id


async def test_a_view_has_defaults_of_its_own_and_the_same_connections_and_budget() -> None:
    async with talking(script(answer(503))) as (harbour, server):
        view = harbour.with_options(retry=2)
        with pytest.raises(Exception, match="2 attempts"):
            await view.verifications.get("VERIFICATION-1")
        with pytest.raises(Exception, match="3 attempts"):
            await harbour.verifications.get("VERIFICATION-1")
        assert view.budget is harbour.budget
        assert server.connections == 1


async def test_a_view_has_what_a_subclass_of_the_session_added() -> None:
    class Tenant(HarbourSession):
        def __init__(self, name: str) -> None:
            super().__init__(KEY)
            self.name = name

    async with Tenant("north") as tenant:
        view: Tenant = tenant.with_options(timeout=5)
        assert view.name == "north"


async def test_a_views_timeout_bounds_its_calls() -> None:
    async def silence(_: ReceivedRequest) -> None:
        import asyncio

        await asyncio.Event().wait()

    async with talking(silence, timeout=Timeout(None, None, None)) as (harbour, _):
        with pytest.raises(DeadlineExceededError) as caught:
            await harbour.with_options(timeout=0.2).verifications.get("VERIFICATION-1")
        assert caught.value.sent
        with pytest.raises(APIConnectionError):
            await (
                harbour.with_options(timeout=Timeout(None, attempt=0.1), retry=1)
                .verifications.list()
                .first()
            )


async def test_a_views_priority_replaces_that_of_single_calls_and_of_pagers() -> None:
    lanes: list[Priority] = []
    async with talking(
        script(answer(200, b'{"items": [], "total": 0}')), rate_limit=RateLimit.unlimited()
    ) as (harbour, _):
        acquire = harbour.budget.acquire

        async def noting(priority: Priority, *, deadline: float | None = None) -> Any:
            lanes.append(priority)
            return await acquire(priority, deadline=deadline)

        harbour.budget.acquire = noting  # type: ignore[method-assign,assignment]
        bulk = harbour.with_options(priority=Priority.BULK)
        await harbour.verifications.page()
        await bulk.verifications.page()
        await bulk.verifications.page(priority=Priority.INTERACTIVE)
        await bulk.with_options(timeout=5).request("GET", "x")
        await harbour.verifications.list().to_list()
        await harbour.with_options(priority=Priority.INTERACTIVE).webhooks.list().to_list()
    interactive, slow = Priority.INTERACTIVE, Priority.BULK
    assert lanes == [interactive, slow, interactive, slow, slow, interactive]


async def test_a_view_cannot_be_closed_or_entered() -> None:
    async with talking(script(answer(200, RECORD))) as (harbour, _):
        view = harbour.with_options(timeout=5)
        with pytest.raises(ConfigurationError, match="view"):
            await view.aclose()
        with pytest.raises(ConfigurationError, match="view"):
            async with view:
                pass
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id


@pytest.mark.parametrize("bad", [{"timeout": "5"}, {"retry": None}, {"priority": "bulk"}])
def test_a_view_with_invalid_defaults_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HarbourSession(KEY).with_options(**bad)


async def test_extra_query_is_sent_and_is_part_of_the_token() -> None:
    page = json.dumps(
        {
            "items": [{"verification_id": f"V{n}", "created_at": str(n)} for n in (9, 8)],
            "total": 4,
        }
    ).encode()
    async with talking(script(answer(200, page))) as (harbour, server):
        pager = harbour.verifications.list(extra_query={"created_at__gte": 5}, page_size=2)
        assert await pager.first() is not None
        assert "created_at__gte=5" in server.received[0].target
        walk = aiter(pager)
        await anext(walk)
        token = pager.resume_token
        await walk.aclose()
        harbour.verifications.list(extra_query={"created_at__gte": 5}, resume=token)
        with pytest.raises(ConfigurationError):
            harbour.verifications.list(resume=token)
        with pytest.raises(ConfigurationError):
            harbour.verifications.list(extra_query={"size": 5})
