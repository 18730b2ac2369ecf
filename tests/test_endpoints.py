"""The ten endpoints of the guide, through the client, against the sandbox, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest

from harbour_async import (
    ConfigurationError,
    DecodeError,
    HarbourError,
    HarbourSession,
    NotFoundError,
    RateLimit,
    Verification,
    VerificationStatus,
    VerificationTier,
    VerificationType,
    WebhookEventType,
    to_dict,
)
from harbour_async.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(verifications=230, webhooks=3, rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
async def harbour(sandbox: Sandbox) -> AsyncIterator[HarbourSession]:
    async with connect(sandbox) as harbour:
        yield harbour


def connect(sandbox: Sandbox) -> HarbourSession:
    return HarbourSession(sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited())


async def test_a_listing_is_walked_newest_first(harbour: HarbourSession, sandbox: Sandbox) -> None:
    pager = harbour.verifications.list()
    records = await pager.to_list()
    assert [record.verification_id for record in records] == sandbox.verification_ids()
    report = pager.report
    assert (report.requests, report.pages, report.yielded) == (3, 3, 230)
    assert report.gaps_repaired == 0
    assert (report.total_first, report.total_last) == (230, 230)
    assert report.complete


async def test_each_walk_of_a_pager_has_the_whole_timeout(
    harbour: HarbourSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    pager = harbour.verifications.list(timeout=300)
    assert await pager.count() == len(await pager.to_list()) == 230
    loop = asyncio.get_running_loop()
    then = loop.time
    monkeypatch.setattr(loop, "time", lambda: then() + 600)
    assert await pager.count() == len(await pager.to_list()) == 230


async def test_a_listing_in_ascending_order_is_walked_oldest_first(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    records = await harbour.verifications.list(order_by="created_at ASC").to_list()
    assert [r.verification_id for r in records] == sandbox.verification_ids()[::-1]


async def test_records_are_typed(harbour: HarbourSession) -> None:
    records = await harbour.verifications.list().to_list()
    assert {type(r) for r in records} == {Verification}
    assert all(r.created_at is not None and r.created_at.tzinfo is UTC for r in records)
    assert set(VerificationStatus) <= {r.status for r in records}
    assert set(VerificationType) <= {r.verification_type for r in records}
    assert set(VerificationTier) <= {r.verification_tier for r in records}
    assert "Accepted" in {r.status for r in records}


async def test_all_metadata_pairs_have_to_match(harbour: HarbourSession) -> None:
    one = await harbour.verifications.list().first()
    assert one is not None
    assert one.verification_metadata is not None
    pairs = dict(list(one.verification_metadata.items())[:2])
    found = await harbour.verifications.list(metadata=pairs).to_list()
    assert one in found
    assert await harbour.verifications.list(metadata={**pairs, "no": "such"}).to_list() == []


async def test_search_finds_the_agreement_link(harbour: HarbourSession, sandbox: Sandbox) -> None:
    one = await harbour.verifications.get(sandbox.verification_ids()[7])
    found = await harbour.verifications.list(search=one.agreement_link_id).to_list()
    assert one.verification_id in {record.verification_id for record in found}


async def test_a_page_has_the_numbers_and_records_of_the_api(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    page = await harbour.verifications.page(3, size=100)
    assert (page.total, page.page, page.size, page.pages) == (230, 3, 100, 3)
    assert [r.verification_id for r in page.items] == sandbox.verification_ids()[200:]
    assert (await harbour.verifications.page(99)).items == []


async def test_a_record_is_the_same_from_get_and_from_a_list(harbour: HarbourSession) -> None:
    listed = await harbour.verifications.list().first()
    assert listed is not None
    alone = await harbour.verifications.get(listed.verification_id)
    # The guide spells timestamps as strings in lists and as numbers in single objects.
    fields = to_dict(listed, dates="ms").items()
    shared = {name: value for name, value in fields if value is not None}
    assert shared.items() <= to_dict(alone, dates="ms").items()


async def test_a_deleted_verification_is_gone(harbour: HarbourSession, sandbox: Sandbox) -> None:
    victim = sandbox.verification_ids()[0]
    receipt = await harbour.verifications.delete(victim)
    assert receipt.verification_id == victim
    assert receipt.event_datetime is not None
    with pytest.raises(NotFoundError):
        await harbour.verifications.get(victim)
    with pytest.raises(NotFoundError):
        await harbour.verifications.delete(victim)


async def test_a_webhook_is_created_updated_and_deleted(harbour: HarbourSession) -> None:
    receipt = await harbour.webhooks.create(
        "https://example.com/hook",
        event_types=[WebhookEventType.VERIFICATION],
        notification_email="ops@example.com",
    )
    assert receipt.event_datetime is not None
    assert receipt.event_datetime.tzinfo is UTC
    webhook = await harbour.webhooks.get(receipt.webhook_id)
    assert webhook.destination_url == "https://example.com/hook"
    assert webhook.event_types == [WebhookEventType.VERIFICATION]
    assert webhook.notification_emails == ["ops@example.com"]

    await harbour.webhooks.update(receipt.webhook_id, destination_url="https://example.com/2")
    assert (await harbour.webhooks.get(receipt.webhook_id)).destination_url.endswith("/2")  # type: ignore[union-attr]
    assert receipt.webhook_id in {w.webhook_id async for w in harbour.webhooks.list()}
    assert (await harbour.webhooks.page()).total == 4

    await harbour.webhooks.delete(receipt.webhook_id)
    with pytest.raises(NotFoundError):
        await harbour.webhooks.get(receipt.webhook_id)


async def test_events_are_walked_and_got(harbour: HarbourSession) -> None:
    webhook = await harbour.webhooks.list().first()
    assert webhook is not None
    pager = harbour.webhooks.events(webhook.webhook_id, page_size=3)
    events = await pager.to_list()
    assert len(events) > 3
    assert not pager.report.complete
    event = events[0]
    assert event.event_id is not None
    assert await harbour.webhooks.event(webhook.webhook_id, event.event_id) == event


async def test_a_bare_event_for_a_list_and_a_short_webhook_are_accepted() -> None:
    """The guide's examples have both."""
    async with (
        Sandbox(webhooks=1, rate_limit=None, events_shape="bare", get_webhook="short") as sandbox,
        connect(sandbox) as harbour,
    ):
        webhook = await harbour.webhooks.list().first()
        assert webhook is not None
        assert len(await harbour.webhooks.events(webhook.webhook_id).to_list()) == 1
        short = await harbour.webhooks.get(webhook.webhook_id)
        assert short.webhook_id == webhook.webhook_id
        assert "event_datetime" in short.extra


@pytest.mark.parametrize("spelling", ["plural", "singular"])
async def test_single_objects_are_found_under_plural_and_singular_paths(spelling: Any) -> None:
    async with (
        Sandbox(verifications=3, webhooks=1, rate_limit=None, spelling=spelling) as sandbox,
        connect(sandbox) as harbour,
    ):
        first, second, third = sandbox.verification_ids()
        await harbour.verifications.get(first)
        sandbox.reset_log()
        await harbour.verifications.get(second)
        assert len(sandbox.arrivals) == 1
        await harbour.verifications.delete(third)
        webhook = await harbour.webhooks.list().first()
        assert webhook is not None
        await harbour.webhooks.update(webhook.webhook_id, destination_url="https://example.com/2")


async def test_two_listings_are_walked_side_by_side(harbour: HarbourSession) -> None:
    seen: list[str] = []

    async def walk(name: str, pager: Any) -> None:
        async for _ in pager:
            seen.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(
        walk("v", harbour.verifications.list(page_size=10)),
        walk("w", harbour.webhooks.list(page_size=1)),
    )
    assert seen.index("w") < len(seen) - seen[::-1].index("v") - 1
    assert (seen.count("v"), seen.count("w")) == (230, 3)


async def test_leaving_the_loop_stops_the_requests(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    async for _ in harbour.verifications.list(page_size=5, concurrency=4):
        break
    sent = len(sandbox.arrivals)
    tasks = len(asyncio.all_tasks())
    await harbour.verifications.page()
    assert len(sandbox.arrivals) - sent <= 1 + 4
    assert len(asyncio.all_tasks()) <= tasks


async def test_the_list_may_be_emptied_while_it_is_walked(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    expected = set(sandbox.verification_ids())
    seen = set()
    async for record in harbour.verifications.list(page_size=50):
        seen.add(record.verification_id)
        await harbour.verifications.delete(record.verification_id)
    assert seen == expected
    assert sandbox.verification_ids() == []


async def test_a_walk_ended_by_an_error_goes_on_from_its_token(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    seen: list[str] = []
    sandbox.on_request(lambda _: sandbox.fail(status=400, times=1) if len(seen) > 60 else None)
    with pytest.raises(HarbourError) as caught:
        async for record in harbour.verifications.list(page_size=20, concurrency=1):
            seen.append(record.verification_id)
    sandbox.calm()
    async for record in harbour.verifications.list(page_size=20, resume=caught.value.resume_token):
        seen.append(record.verification_id)
    assert seen == sandbox.verification_ids()


async def test_changes_are_the_records_updated_since_oldest_update_first(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    latest = await harbour.verifications.list(order_by="updated_at DESC").first()
    assert latest is not None
    assert latest.updated_at is not None
    touched = sandbox.verification_ids()[5:150:7]
    for verification_id in touched:
        sandbox.update(verification_id, status="completed")
    sandbox.reset_log()
    pager = harbour.verifications.changes(latest.updated_at, page_size=50)
    changed = [v.verification_id async for v in pager]
    assert changed == [latest.verification_id, *touched]
    assert pager.report.complete
    assert len(sandbox.arrivals) <= 4


async def test_changes_go_on_from_their_checkpoint_in_a_request(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    pager = harbour.verifications.changes(since)
    assert len(await pager.to_list()) == 230
    [touched] = sandbox.update(sandbox.verification_ids()[100], status="completed")
    sandbox.reset_log()
    rest = harbour.verifications.changes(since, resume=pager.resume_token)
    assert [v.verification_id async for v in rest] == [touched]
    assert len(sandbox.arrivals) <= 2
    again = harbour.verifications.changes(
        since, resume=rest.resume_token, lookback=timedelta(days=10_000)
    )
    assert len(await again.to_list()) == 229  # the one at the checkpoint's moment was given


Call = Callable[[HarbourSession], Awaitable[object]]


class Nowhere(tzinfo):
    """A time zone that does not say how far it is from UTC."""

    def utcoffset(self, _moment: datetime | None) -> None: ...

    def dst(self, _moment: datetime | None) -> None: ...

    def tzname(self, _moment: datetime | None) -> None: ...


@pytest.mark.parametrize(
    "call",
    [
        lambda h: h.verifications.get(""),
        lambda h: h.verifications.get("../webhooks"),
        lambda h: h.verifications.delete("a/b"),
        lambda h: h.webhooks.get(".."),
        lambda h: h.webhooks.event("wb", "\n"),
        lambda h: h.webhooks.event("..", "ev"),
        lambda h: h.webhooks.events("").to_list(),
        lambda h: h.verifications.page(0),
        lambda h: h.verifications.page(size=0),
        lambda h: h.verifications.page(size=101),
        lambda h: h.verifications.list(page_size=101).to_list(),
        lambda h: h.verifications.list(page_size=0).to_list(),
        lambda h: h.verifications.list(concurrency=0).to_list(),
        lambda h: h.verifications.list(metadata={"a": {}}).to_list(),
        lambda h: h.verifications.list(order_by="created_at; DROP").to_list(),
        lambda h: h.verifications.list(resume="nonsense").to_list(),
        lambda h: h.verifications.changes(datetime(2026, 1, 1)).to_list(),
        lambda h: h.verifications.changes(datetime(2026, 1, 1, tzinfo=Nowhere())).to_list(),
        lambda h: h.webhooks.create(""),
        lambda h: h.webhooks.create("ftp://example.com"),
        lambda h: h.webhooks.create(None),
        lambda h: h.webhooks.create("https://example.com", event_types="verification"),
        lambda h: h.webhooks.update("wb_1"),
        lambda h: h.webhooks.update("wb_1", notification_email="\n"),
        lambda h: h.verifications.get("V", timeout=timedelta(0)),
        lambda h: h.verifications.get("V", timeout=10**400),
        lambda h: h.verifications.get("V", priority="bulk"),
        lambda h: h.verifications.list(priority=None).to_list(),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(
    call: Call, harbour: HarbourSession, sandbox: Sandbox
) -> None:
    with pytest.raises(ConfigurationError):
        await call(harbour)
    assert sandbox.arrivals == []


async def test_an_odd_id_reaches_its_own_resource_and_no_other(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    for odd in ("a?b=c", "a#b", "a b", "%2e%2e", "%2F", "ü", "a;b", "...", "*"):
        sandbox.reset_log()
        with pytest.raises(NotFoundError):
            await harbour.webhooks.get(odd)
        assert all(arrival.path.count("/") == 2 for arrival in sandbox.arrivals)


async def test_a_decode_error_names_the_path_of_a_wrong_type(
    harbour: HarbourSession, sandbox: Sandbox
) -> None:
    sandbox.fail(
        status=200,
        times=1,
        body=b'{"items":[{"verification_id":"a"},{"verification_id":"b","is_scan":"no"}],'
        b'"total":2}',
    )
    with pytest.raises(DecodeError) as caught:
        await harbour.verifications.page()
    assert caught.value.path == "$.items[1].is_scan"


class Markup(str):
    """A str as template engines have it, whose ``str()`` is not its value."""

    def __str__(self) -> str:
        return f"<{str.__str__(self)}>"

    def __format__(self, spec: str) -> str:
        return str(self)


async def test_subclasses_of_str_are_sent_by_their_value(harbour: HarbourSession) -> None:
    receipt = await harbour.webhooks.create(
        Markup("https://example.com/hook"),
        event_types=[Markup("verification")],
        notification_email=Markup("ops@example.com"),
    )
    webhook = await harbour.webhooks.get(Markup(receipt.webhook_id))
    assert webhook.destination_url == "https://example.com/hook"
    assert webhook.notification_emails == ["ops@example.com"]
    assert webhook.event_types == [WebhookEventType.VERIFICATION]
    assert await harbour.verifications.list(metadata={Markup("no"): Markup("such")}).to_list() == []
    assert (await harbour.webhooks.delete(Markup(receipt.webhook_id))).webhook_id


async def test_any_path_can_be_requested(harbour: HarbourSession) -> None:
    answer = await harbour.request("GET", "verifications", params={"size": 1})
    assert (answer.status, answer.json()["total"]) == (200, 230)
    with pytest.raises(NotFoundError):
        await harbour.request("GET", "no/such")
