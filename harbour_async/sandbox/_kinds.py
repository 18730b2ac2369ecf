"""The three kinds of record: what each can be ordered by and searched for, how a list shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harbour_async.sandbox._records import Record, completed


@dataclass(frozen=True)
class Kind:
    """One kind of record: its table, its scalar fields, and how a list shows it."""

    table: str
    id_field: str
    fields: tuple[str, ...]
    """The fields to order by. The first is the default, descending."""
    indexed: tuple[str, ...]
    """Those of them that long lists are ordered by."""
    searched: tuple[str, ...]
    listed: Callable[[Record], Record]
    filters: tuple[str, ...]
    """The query parameters of its list, besides page and size."""
    completed: Callable[[Record, int], Record] | None = None
    """Makes the seeded record of a number from its fields, for kinds whose rows may be outlines."""


def _listed_verification(record: Record) -> Record:
    """Guide, "List verifications": times as strings, and no agreement_link_id."""
    shown = dict(record)
    del shown["agreement_link_id"]
    for name in ("created_at", "updated_at", "last_status_at", "submitted_at"):
        if shown[name] is not None:
            shown[name] = str(shown[name])
    return shown


def _listed_webhook(record: Record) -> Record:
    """Guide, "List webhooks": no organization_id."""
    return {name: value for name, value in record.items() if name != "organization_id"}


_VERIFICATION_TEXTS = (
    "verification_id",
    "result",
    "status",
    "verification_type",
    "verification_subtype",
    "verification_tier",
    "sub_status",
    "agreement_link_id",
    "organization_id",
)
VERIFICATIONS = Kind(
    table="verifications",
    id_field="verification_id",
    fields=(
        "created_at",
        "updated_at",
        "last_status_at",
        "submitted_at",
        "is_scan",
        *_VERIFICATION_TEXTS,
    ),
    indexed=("created_at", "updated_at"),
    searched=_VERIFICATION_TEXTS,
    listed=_listed_verification,
    filters=("search", "order_by", "verification_metadata"),
    completed=completed,
)
WEBHOOKS = Kind(
    table="webhooks",
    id_field="webhook_id",
    fields=(
        "created_at",
        "updated_at",
        "webhook_id",
        "destination_url",
        "created_by",
        "updated_by",
        "service_status",
        "organization_id",
    ),
    indexed=("created_at", "updated_at"),
    searched=("webhook_id", "destination_url", "event_types", "notification_emails"),
    listed=_listed_webhook,
    filters=("search", "order_by"),
)
EVENTS = Kind(
    table="events",
    id_field="event_id",
    fields=("event_datetime", "event_id", "webhook_id", "event_type"),
    indexed=("event_datetime", "webhook_id"),
    searched=(),
    listed=dict,
    filters=(),
)
KINDS = (VERIFICATIONS, WEBHOOKS, EVENTS)
