"""``ensure`` finds, creates or updates a webhook, also when answers are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harbour_async import (
    APIConnectionError,
    ConfigurationError,
    DeadlineExceededError,
    DecodeError,
    HarbourSession,
    IncompleteListingError,
    RateLimit,
    Retry,
    SessionClosedError,
)
from harbour_async.resources import _ensure
from harbour_async.sandbox import Sandbox

URL = "https://example.com/hooks/5f2c"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ensure, "PAUSE", 0.01)


@asynccontextmanager
async def serving(
    retry: int = 1, read_only: bool = False, **options: Any
) -> AsyncIterator[tuple[HarbourSession, Sandbox]]:
    async with (
        Sandbox(verifications=0, rate_limit=None, **{"webhooks": 3, **options}) as sandbox,
        HarbourSession(
            sandbox.api_key,
            base_url=sandbox.url,
            rate_limit=RateLimit.unlimited(),
            retry=Retry(attempts=retry, base_delay=0.01, max_delay=0.01),
            read_only=read_only,
        ) as harbour,
    ):
        yield harbour, sandbox


def writes(sandbox: Sandbox) -> list[str]:
    return [each.method for each in sandbox.arrivals if each.method != "GET"]


async def listed(harbour: HarbourSession) -> int:
    return len([w async for w in harbour.webhooks.list() if w.destination_url == URL])


@pytest.mark.parametrize("get_webhook", ["object", "short"])
async def test_it_creates_a_missing_webhook_and_returns_all_its_fields(get_webhook: str) -> None:
    async with serving(get_webhook=get_webhook) as (harbour, sandbox):
        webhook = await harbour.webhooks.ensure(
            URL, event_types=["verification"], notification_email="ops@example.com"
        )
        assert webhook.destination_url == URL
        assert webhook.event_types == ["verification"]
        assert webhook.notification_emails == ["ops@example.com"]
        assert webhook.created_at is not None
        assert writes(sandbox) == ["POST"]


async def test_the_second_time_it_finds_it_in_one_request() -> None:
    async with serving() as (harbour, sandbox):
        options: dict[str, Any] = {
            "event_types": ["verification", "agreement.signed"],
            "notification_email": "ops@example.com",
        }
        first = await harbour.webhooks.ensure(URL, **options)
        sandbox.reset_log()
        options["event_types"] = {"agreement.signed", "verification"}
        assert (await harbour.webhooks.ensure(URL, **options)).webhook_id == first.webhook_id
        assert [each.method for each in sandbox.arrivals] == ["GET"]


DIFFERENT: list[dict[str, Any]] = [
    {"event_types": ["agreement.signed"]},
    {"notification_email": "new@example.com"},
    {"event_types": ["verification", "agreement.signed"], "notification_email": "ops@example.com"},
]


@pytest.mark.parametrize("options", DIFFERENT)
async def test_it_updates_what_differs_and_leaves_the_rest_alone(options: dict[str, Any]) -> None:
    async with serving() as (harbour, sandbox):
        first = await harbour.webhooks.ensure(
            URL, event_types=["verification"], notification_email="ops@example.com"
        )
        sandbox.reset_log()
        webhook = await harbour.webhooks.ensure(URL, **options)
        assert webhook.webhook_id == first.webhook_id
        assert set(webhook.event_types or ()) == set(options.get("event_types", ["verification"]))
        email = options.get("notification_email", "ops@example.com")
        assert webhook.notification_emails == [email]
        assert writes(sandbox) == ["PUT"]


async def test_without_fields_it_changes_nothing() -> None:
    async with serving() as (harbour, sandbox):
        await harbour.webhooks.ensure(URL, event_types=["verification"])
        sandbox.reset_log()
        webhook = await harbour.webhooks.ensure(URL)
        assert webhook.event_types == ["verification"]
        assert writes(sandbox) == []


async def test_of_several_webhooks_it_takes_the_oldest() -> None:
    async with serving() as (harbour, sandbox):
        oldest = await harbour.webhooks.create(URL)
        for _ in range(3):
            await harbour.webhooks.create(URL)
        sandbox.reset_log()
        assert (await harbour.webhooks.ensure(URL)).webhook_id == oldest.webhook_id
        assert writes(sandbox) == []


async def test_calls_of_one_session_at_once_create_one_webhook() -> None:
    async with serving() as (harbour, sandbox):
        view = harbour.with_options(retry=2)
        urls = [URL, *SAME, URL]
        found = await asyncio.gather(
            *(each.webhooks.ensure(url) for each in (harbour, view) for url in urls)
        )
        assert len({webhook.webhook_id for webhook in found}) == 1
        assert writes(sandbox) == ["POST"]


async def test_calls_for_other_urls_do_not_wait() -> None:
    async with serving() as (harbour, sandbox):
        sandbox.delay(30, method="POST", path="/webhooks")
        first = asyncio.create_task(harbour.webhooks.ensure(URL))
        while not writes(sandbox):
            await asyncio.sleep(0.01)
        assert await harbour.webhooks.ensure(f"{URL}/other", timeout=5)
        with pytest.raises(DeadlineExceededError):
            await harbour.webhooks.ensure(URL, timeout=0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await harbour.webhooks.ensure(URL, timeout=5)).destination_url == URL


async def test_a_call_that_waits_for_its_turn_ends_with_the_session() -> None:
    async with serving() as (harbour, sandbox):
        sandbox.delay(30, method="POST", path="/webhooks")
        calls = [asyncio.create_task(harbour.webhooks.ensure(URL)) for _ in range(3)]
        while not writes(sandbox):
            await asyncio.sleep(0.01)
        await harbour.aclose()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in ended] == [SessionClosedError] * 3


SAME = ["https://EXAMPLE.com/hooks/5f2c", "https://example.com:443/hooks/5f2c"]
OTHERS = ["https://example.com/hooks/5F2C", f"{URL}/", f"{URL}?a=1", f"http{URL[5:]}", f"{URL}d"]


@pytest.mark.parametrize("url", SAME)
async def test_equivalent_spellings_of_a_url_are_equal(url: str) -> None:
    async with serving() as (harbour, _):
        first = await harbour.webhooks.create(URL)
        assert (await harbour.webhooks.ensure(url)).webhook_id == first.webhook_id


@pytest.mark.parametrize("url", OTHERS)
async def test_similar_urls_are_not_equal(url: str) -> None:
    async with serving() as (harbour, _):
        first = await harbour.webhooks.create(URL)
        assert (await harbour.webhooks.ensure(url)).webhook_id != first.webhook_id


async def test_it_finds_a_webhook_among_hundreds() -> None:
    async with serving(webhooks=350) as (harbour, _sandbox):
        created = await harbour.webhooks.create(URL)
        assert (await harbour.webhooks.ensure(URL)).webhook_id == created.webhook_id


LOST: dict[str, Any] = {
    "the connection": lambda sandbox: sandbox.drop(when="after", method="POST"),
    "within the answer": lambda sandbox: sandbox.drop(when="during", method="POST"),
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
async def test_after_a_lost_answer_it_looks_before_it_creates_again(lose: Any) -> None:
    async with serving() as (harbour, sandbox):
        lose(sandbox)
        webhook = await harbour.webhooks.ensure(URL, event_types=["verification"])
        assert webhook.destination_url == URL
        assert await listed(harbour) == 1
        assert writes(sandbox) == ["POST"]


@pytest.mark.parametrize("status", [200, 500, 502, 504, 409])  # 200: HTML instead of a receipt
async def test_a_webhook_that_a_failed_post_did_not_create_is_created_again(status: int) -> None:
    async with serving() as (harbour, sandbox):
        sandbox.fail(status, method="POST", body="<h1>something else</h1>")
        await harbour.webhooks.ensure(URL)
        assert await listed(harbour) == 1
        assert writes(sandbox) == ["POST", "POST"]


async def test_an_error_that_stays_is_raised_after_four_attempts() -> None:
    async with serving() as (harbour, sandbox):
        sandbox.drop(times=None, when="before", method="POST")
        with pytest.raises(APIConnectionError):
            await harbour.webhooks.ensure(URL)
        assert writes(sandbox) == ["POST"] * 4


async def test_a_webhook_that_is_deleted_before_the_update_is_created() -> None:
    async with serving() as (harbour, sandbox):
        first = await harbour.webhooks.create(URL, event_types=["verification"])

        async with HarbourSession(sandbox.api_key, base_url=sandbox.url) as other:

            @sandbox.on_request
            async def delete(arrival: Any) -> None:
                if arrival.method == "PUT":
                    sandbox.calm()
                    await other.webhooks.delete(first.webhook_id)

            webhook = await harbour.webhooks.ensure(URL, event_types=["agreement.signed"])
        assert webhook.webhook_id != first.webhook_id
        assert webhook.event_types == ["agreement.signed"]


async def test_a_listing_without_proof_creates_nothing() -> None:
    async with serving() as (harbour, sandbox):
        empty = {"items": [], "total": 3, "page": 1, "size": 100}
        sandbox.fail(200, times=None, method="GET", body=empty)
        with pytest.raises(IncompleteListingError):
            await harbour.webhooks.ensure(URL)
        assert writes(sandbox) == []


async def test_a_webhook_that_cannot_be_read_raises_and_nothing_is_written() -> None:
    async with serving() as (harbour, sandbox):
        odd = {"webhook_id": "w", "created_at": 1, "destination_url": 5}
        sandbox.fail(200, method="GET", body={"items": [odd], "total": 1, "page": 1, "size": 100})
        with pytest.raises(DecodeError):
            await harbour.webhooks.ensure(URL)
        assert writes(sandbox) == []


async def test_an_update_that_the_server_ignores_is_sent_once() -> None:
    """The guide calls notification_email "coming next"; a server may not know it yet."""
    async with serving() as (harbour, sandbox):
        listing = {
            "items": [{"webhook_id": "w", "created_at": 1, "destination_url": URL}],
            "total": 1,
            "page": 1,
            "size": 100,
        }
        sandbox.fail(200, times=None, method="GET", body=listing)
        sandbox.fail(200, times=None, method="PUT", body={"webhook_id": "w"})
        webhook = await harbour.webhooks.ensure(URL, notification_email="ops@example.com")
        assert webhook.webhook_id == "w"
        assert writes(sandbox) == ["PUT"]


async def test_a_server_that_respells_urls_gets_one_webhook() -> None:
    async with serving() as (harbour, sandbox):
        none = {"items": [], "total": 0, "page": 1, "size": 100}
        sandbox.fail(200, times=2, method="GET", path="/webhooks", body=none)
        webhook = await harbour.webhooks.ensure(URL)
        assert webhook.destination_url == URL
        assert writes(sandbox) == ["POST"]


async def test_its_timeout_covers_all_its_requests() -> None:
    async with serving(latency=0.2) as (harbour, _):
        with pytest.raises(DeadlineExceededError):
            await harbour.webhooks.ensure(URL, timeout=0.3)


async def test_closing_the_session_wakes_it_in_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ensure, "PAUSE", 3600.0)
    async with serving() as (harbour, sandbox):
        sandbox.fail(500, method="POST")
        task = asyncio.ensure_future(harbour.webhooks.ensure(URL, timeout=None))
        while not writes(sandbox) or not harbour._life._pauses:
            await asyncio.sleep(0.01)
        await harbour.aclose()
        with pytest.raises(SessionClosedError):
            await task


async def test_a_read_only_session_finds_but_does_not_write() -> None:
    async with serving(read_only=True) as (harbour, sandbox):
        with pytest.raises(ConfigurationError):
            await harbour.webhooks.ensure(URL)
        assert writes(sandbox) == []


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("ftp://example.com", {}),
        ("", {}),
        ("https://example.com/a b", {}),
        (" https://example.com/", {}),
        ("https://example.com:99999/", {}),
        ("https://example.com:x/", {}),
        ("https://example.com:0/", {}),
        (None, {}),
        (URL, {"event_types": "verification"}),
        (URL, {"notification_email": " "}),
        (URL, {"timeout": 0}),
    ],
)
async def test_arguments_that_cannot_be_used_are_refused(url: Any, options: dict[str, Any]) -> None:
    async with serving() as (harbour, sandbox):
        with pytest.raises(ConfigurationError, match=next(iter(options), "destination_url")):
            await harbour.webhooks.ensure(url, **options)
        assert not sandbox.arrivals
