"""The guide's own examples decode, with everything that is in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from harbour_async._decoding import decode_page, decode_record, decode_rows, to_dict, to_json
from harbour_async.models import (
    Verification,
    VerificationReceipt,
    VerificationResult,
    VerificationType,
    Webhook,
    WebhookEvent,
    WebhookEventType,
    WebhookReceipt,
)
from tests.decoding.support import guide

SINGLE = [
    ("verification", Verification),
    ("verification_get", Verification),
    ("verification_delete", VerificationReceipt),
    ("webhook", Webhook),
    ("webhook_get", Webhook),
    ("webhook_create", WebhookReceipt),
    ("webhook_update", WebhookReceipt),
    ("webhook_delete", WebhookReceipt),
    ("event_get", WebhookEvent),
]
LISTS = [("verification_list", Verification), ("webhook_list", Webhook)]


@pytest.mark.parametrize(("name", "cls"), SINGLE)
def test_nothing_of_a_single_object_is_lost(name: str, cls: Any) -> None:
    record = decode_record(cls, guide(name))
    sent = json.loads(guide(name))
    kept = to_dict(record)
    assert sent.keys() <= kept.keys()
    for field, value in sent.items():
        assert kept[field] == value
    assert decode_record(cls, to_json(record)) == record


@pytest.mark.parametrize(("name", "cls"), LISTS)
def test_a_page_and_its_rows_hold_the_same_records(name: str, cls: Any) -> None:
    page, rows = decode_page(cls, guide(name)), decode_rows(cls, guide(name))
    sent = json.loads(guide(name))
    assert page.items == rows.items
    assert (page.total, page.page, page.size, page.pages) == tuple(
        sent[field] for field in ("total", "page", "size", "pages")
    )
    assert rows.total == page.total
    assert decode_page(cls, to_json(page)) == page
    assert json.loads(to_json(page)) == to_dict(page)


def test_a_listed_verification_has_its_fields() -> None:
    rows = decode_rows(Verification, guide("verification_list"))
    [record] = rows.items
    assert record.verification_id == rows.ids[0]
    assert record.result is VerificationResult.VERIFIED
    assert record.status == "Accepted"
    assert type(record.status) is str
    assert record.verification_type is VerificationType.ENHANCED_IDENTITY_VERIFICATION
    assert record.verification_subtype is None
    assert record.is_scan is False
    assert record.created_at == datetime(2023, 5, 25, 18, 8, 36, tzinfo=UTC)
    assert rows.keys == [1_685_038_116_000_000]
    assert record.latest_response is not None
    assert len(record.latest_response["activity_log"]) == 5
    assert record.verification_metadata == {"your_internal_user_id": 123}
    assert record.extra == {}


def test_listed_webhooks_have_their_fields() -> None:
    first, second = decode_rows(Webhook, guide("webhook_list")).items
    assert first.event_types == [
        WebhookEventType.VERIFICATION,
        WebhookEventType.AGREEMENT_VIEWED,
        WebhookEventType.AGREEMENT_COMPLETED,
    ]
    assert first.notification_emails == ["caio@harbourshare.com"]
    assert second.notification_emails is None
    assert second.service_status is True


def test_the_short_answer_to_get_webhook_keeps_its_datetime() -> None:
    webhook = decode_record(Webhook, guide("webhook_get"))
    assert webhook.created_at is None
    assert webhook.extra == {"event_datetime": "2023-05-04T21:33:03.023949"}


@pytest.mark.parametrize("name", ["webhook_create", "webhook_update", "webhook_delete"])
def test_receipts_keep_microseconds(name: str) -> None:
    receipt = decode_record(WebhookReceipt, guide(name))
    assert receipt.event_datetime == datetime(2023, 5, 4, 21, 33, 3, 23949, tzinfo=UTC)
    assert to_dict(receipt)["event_datetime"] == "2023-05-04T21:33:03.023949"


def test_one_bare_event_is_a_page_of_one() -> None:
    page, rows = (
        decode_page(WebhookEvent, guide("event_list")),
        decode_rows(WebhookEvent, guide("event_list")),
    )
    assert (page.total, page.page, page.size, page.pages) == (1, 1, 1, 1)
    assert page.items == rows.items == [decode_record(WebhookEvent, guide("event_get"))]
    assert (rows.ids, rows.keys, rows.total) == ([None], [None], 1)
