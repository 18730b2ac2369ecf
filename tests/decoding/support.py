"""The guide's examples, and the slow path on its own, to compare the fast one with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harbour_async._decoding import WireConverter, decode_any, decode_rows
from harbour_async._rows import Rows
from harbour_async.errors import DecodeError
from harbour_async.models import (
    Page,
    Verification,
    VerificationReceipt,
    Webhook,
    WebhookEvent,
    WebhookReceipt,
)

FIXTURES = Path(__file__).parent / "fixtures"
RECORDS: tuple[Any, ...] = (
    Verification,
    Webhook,
    WebhookEvent,
    VerificationReceipt,
    WebhookReceipt,
)


def guide(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def page_of(*items: Any, **envelope: Any) -> bytes:
    return dumps({"items": items, "total": len(items), **envelope})


def ids(cls: Any) -> dict[str, str]:
    """The only fields that a record must have."""
    return {"verification_id" if "Verification" in cls.__name__ else "webhook_id": "id"}


def outcome(decode: Any, *args: Any) -> Any:
    """The result: a value, or the path of the error."""
    try:
        return decode(*args)
    except DecodeError as error:
        return ("DecodeError", error.path)


def explained(cls: Any, body: bytes) -> Any:
    return WireConverter().structure(decode_any(body), cls)


def explained_items(cls: Any, body: bytes) -> Any:
    return WireConverter().structure(decode_any(body), Page[cls]).items


def chunk_items(cls: Any, body: bytes) -> Any:
    rows: Rows[Any] = decode_rows(cls, body)
    return rows.items
