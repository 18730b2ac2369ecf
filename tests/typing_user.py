"""A user's program, never run: mypy strict has to find nothing in it, and to infer the types."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, assert_type

from harbour_async import (
    APIStatusError,
    HarbourSession,
    Page,
    Pager,
    PagingReport,
    Priority,
    RateLimit,
    Retry,
    Timeout,
    Verification,
    VerificationReceipt,
    VerificationStatus,
    Webhook,
    WebhookEvent,
    WebhookEventType,
    WebhookReceipt,
    to_dict,
    to_json,
)
from harbour_async.reconcile import Differences, reconcile


async def program() -> None:
    async with HarbourSession(
        "key",
        rate_limit=RateLimit(50, timedelta(minutes=1), burst=5),
        retry=Retry(attempts=1),
        timeout=Timeout(total=None, attempt=timedelta(seconds=5)),
    ) as harbour:
        assert_type(harbour, HarbourSession)
        pager = harbour.verifications.list(metadata={"internal_id": "123"}, timeout=60)
        assert_type(pager, Pager[Verification])
        async for v in pager:
            assert_type(v, Verification)
            assert_type(v.verification_id, str)
            assert_type(v.status, VerificationStatus | str | None)
            assert_type(v.created_at, datetime | None)
            assert_type(v.latest_response, dict[str, Any] | None)
        async for page in pager.pages():
            assert_type(page, Page[Verification])
            assert_type(page.items, list[Verification])
        assert_type(await pager.first(), Verification | None)
        assert_type(await pager.to_list(), list[Verification])
        assert_type(await pager.count(), int)
        assert_type(pager.resume_token, str)
        assert_type(pager.report, PagingReport)
        assert_type(await harbour.verifications.page(2, size=10), Page[Verification])
        one = await harbour.verifications.get("V", timeout=None, priority=Priority.BULK)
        assert_type(one, Verification)
        assert_type(await harbour.verifications.delete("V"), VerificationReceipt)
        assert_type([v async for v in harbour.verifications.get_many(["V"])], list[Verification])
        assert_type(await harbour.verifications.wait_for("V", timeout=60), Verification)
        assert_type(await anext(harbour.verifications.watch(interval=30)), Verification)
        assert_type(await harbour.webhooks.ensure("https://example.com"), Webhook)
        assert_type(harbour.webhooks.list(), Pager[Webhook])
        assert_type(await harbour.webhooks.page(), Page[Webhook])
        assert_type(await harbour.webhooks.get("wb"), Webhook)
        receipt = await harbour.webhooks.create(
            "https://x.example", event_types=[WebhookEventType.VERIFICATION, "agreement.viewed"]
        )
        assert_type(receipt, WebhookReceipt)
        assert_type(await harbour.webhooks.update("wb", event_types=[]), WebhookReceipt)
        assert_type(harbour.webhooks.events("wb"), Pager[WebhookEvent])
        assert_type(await harbour.webhooks.event("wb", "ev"), WebhookEvent)
        differences = reconcile(
            harbour.verifications.list(),
            [{"id": "V"}],
            key=(None, lambda row: row["id"]),
            fingerprint=lambda _: None,
        )
        assert_type(differences, Differences[Verification, dict[str, str]])
        assert_type(to_dict(one), dict[str, Any])
        assert_type(to_json(one), bytes)
        try:
            await harbour.verifications.get("V")
        except APIStatusError as error:
            assert_type(error.status, int)
