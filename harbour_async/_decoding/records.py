"""Bodies to records and records to bodies (guide: "Core resources").

Decoding tries the fast path first and takes the explaining one only when that has failed: to
name the path of what is wrong, or to keep fields nobody knew, whose names it then learns.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import attrs
import msgspec

from harbour_async._decoding import fast, rules
from harbour_async._decoding.codec import decode_any, encode_json
from harbour_async._decoding.wire import Wire
from harbour_async._record import Record, source_of
from harbour_async._rows import Rows
from harbour_async.models import Page, WebhookEvent

R = TypeVar("R", bound=Record)

_fast_paths: dict[type, fast.FastPath[Any]] = {}


def decode_record(cls: type[R], body: bytes) -> R:
    """A single object or receipt."""
    scan = _fast_path(cls).record
    try:
        return scan(body)
    except fast.FAILURES:
        pass  # and out of the handler, so that the error to come does not drag this one along
    record = rules.structure(decode_any(body), cls)
    _learn(cls, [record])
    return record


def decode_rows(cls: type[R], body: bytes, *, key: str = "created_at") -> Rows[R]:
    """A page of a listing, as a walk over it wants it, ordered by the moment ``key``."""
    scan = _fast_path(cls).rows
    try:
        return scan(body, key)
    except fast.FAILURES:
        pass
    page = _explained_page(cls, body)
    moments = [getattr(record, key, None) for record in page.items]
    return Rows(
        items=page.items,
        ids=[getattr(record, _own_id(cls)) for record in page.items],
        keys=[None if moment is None else rules.micros(moment) for moment in moments],
        total=page.total,
    )


def decode_page(cls: type[R], body: bytes) -> Page[R]:
    """A page of a listing, as a user wants it (guide: "List verifications", "Response Body")."""
    scan = _fast_path(cls).rows
    try:
        records = scan(body).items
    except fast.FAILURES:
        records = None
    if records is None:
        return _explained_page(cls, body)
    # A second look for the envelope's own fields, unknown ones included.
    envelope = _scan_object(body)
    del envelope["items"]
    numbers = {name: decode_any(bytes(raw)) for name, raw in envelope.items()}
    page: Page[R] = rules.structure({**numbers, "items": []}, Page[cls])  # type: ignore[valid-type]
    return attrs.evolve(page, items=records)


def to_dict(record: Any) -> dict[str, Any]:
    """The wire's names and plain JSON values of a record or page; ``extra`` merged back."""
    plain: dict[str, Any] = decode_any(to_json(record))
    return plain


def to_json(record: Any) -> bytes:
    """``to_dict(record)`` as bytes; payloads nobody has read are passed on as they came."""
    return encode_json(_outgoing(record))


def _outgoing(record: Any) -> dict[str, Any]:
    source = source_of(record) if isinstance(record, Record) else record
    if isinstance(source, Wire):
        out = source.outgoing()
    else:
        out = {name: getattr(record, name) for name in _names(record.__class__)}
        for name, value in out.items():
            if isinstance(value, datetime):
                out[name] = rules.wire_moment(value)
    if isinstance(record, Page):
        out["items"] = [_outgoing(item) for item in record.items]
    extra = record.extra
    return out | {name: extra[name] for name in extra if name not in out} if extra else out


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(a.name for a in attrs.fields(cls) if a.name != "extra")


def _own_id(cls: type) -> str:
    return "event_id" if cls is WebhookEvent else _names(cls)[0]


def _explained_page(cls: type[R], body: bytes) -> Page[R]:
    value = decode_any(body)
    if cls is WebhookEvent and isinstance(value, dict) and "items" not in value:
        # The guide shows one bare object under "List webhook events".
        event = rules.structure(value, cls)
        return Page(items=[event], total=1, page=1, size=1, pages=1)
    page: Page[R] = rules.structure(value, Page[cls])  # type: ignore[valid-type]
    _learn(cls, page.items)
    return page


def _fast_path(cls: type[R]) -> fast.FastPath[R]:
    if cls not in _fast_paths:
        _fast_paths[cls] = fast.FastPath(cls, _own_id(cls))
    return _fast_paths[cls]


def _learn(cls: type[R], records: Iterable[Any]) -> None:
    names = {name for record in records for name in record.extra}
    _fast_paths[cls] = _fast_path(cls).learn(names)


_scan_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
