"""Bodies to records: scanned if they can be, and if not, structured by the rules.

A body is scanned first (`scan`). Only if that fails, it is read as plain values and structured by
the rules (`rules`). That names the path of what is wrong, or keeps fields that the record class
does not have, and their names are learned. Of a page, each record is tried on its own then. Both
ways make a view of a `lazy.Lazy`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, cast

import attrs
import msgspec
from cattrs import Converter

from harbour_async._decoding import columns, outline, rules, scan
from harbour_async._decoding.codec import decode_any, is_json
from harbour_async._record import Record
from harbour_async._rows import Rows
from harbour_async.errors import DecodeError
from harbour_async.models import InvalidRecord, Page, WebhookEvent

T = TypeVar("T")
R = TypeVar("R", bound=Record)

LARGEST_PAGE = 100
"""No page has more records. Of a body with more invalid ones, not all are explained."""


class Reader:
    """Reads records and pages of them with the rules that are registered with ``converter``."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter

    def record(self, body: bytes, cls: type[R]) -> R:
        """The single object in ``body``."""
        try:
            return scan.scanner_of(cls).one(body)
        except scan.FAILURES:
            pass
        record: Any = self._converter.structure(decode_any(body), cls)
        scan.learn(cls, record.extra)
        return cast(R, record)

    def page(self, body: bytes, cls: type[R]) -> Page[R]:
        """The page of a listing in ``body``."""
        items = self.rows(body, cls).items
        page = self._numbers(self._envelope(body, cls)[0], cls)
        return attrs.evolve(page, items=items)

    def rows(
        self, body: bytes, cls: type[R], key: str = "created_at", keep_invalid: bool = False
    ) -> Rows[Any]:
        """The page of a listing in ``body``, as a walk over it wants it."""
        try:
            return scan.scanner_of(cls).rows(body, key)
        except scan.FAILURES:
            pass
        return self._rows_one_by_one(body, cls, key, keep_invalid)

    def _rows_one_by_one(
        self, body: bytes, cls: type[R], key: str, keep_invalid: bool
    ) -> Rows[Any]:
        envelope, texts = self._envelope(body, cls, keep_invalid)
        items: list[Any] = []
        ids: list[str | None] = []
        keys: list[int | None] = []
        invalid = 0
        for index, text in enumerate(texts):
            item, record_id, moment = self._row(bytes(text), cls, key, f"$.items[{index}]")
            if isinstance(item, InvalidRecord):
                invalid += 1
                if not keep_invalid or invalid > LARGEST_PAGE:
                    raise item.error
            items.append(item)
            ids.append(record_id)
            keys.append(None if moment is None else rules.micros(moment))
        return Rows(items, ids, keys, self._numbers(envelope, cls).total, invalid=invalid > 0)

    def _row(
        self, body: bytes, cls: type[R], key: str, path: str
    ) -> tuple[R | InvalidRecord, str | None, datetime | None]:
        """A record, its own id and the moment of its ``key``; what can be read if it is invalid."""
        try:
            record = self.record(body, cls)
            return record, getattr(record, scan.scanner_of(cls).own_id), getattr(record, key, None)
        except DecodeError as error:
            problem = rules.rooted(error, path)
        # Field by field, because one that cannot be read at all must not hide id and moment.
        fields = dict(_readable(outline.members, body) or ())
        record_id = _readable(_own_id, fields.get(scan.scanner_of(cls).own_id))
        created_at = _readable(_moment, fields.get("created_at"))
        invalid = InvalidRecord(body, problem, record_id, created_at)
        return invalid, record_id, _readable(_moment, fields.get(key))

    def _envelope(
        self, body: bytes, cls: type[R], keep_invalid: bool = False
    ) -> tuple[dict[str, msgspec.Raw], list[msgspec.Raw]]:
        """The fields of a page without its items, and these, all as they came."""
        try:
            columns.check_text(body)
            fields = _scan_object(body)
            if cls is WebhookEvent and "items" not in fields:
                # The guide shows one bare object under "List webhook events".
                return _ONE, [msgspec.Raw(body)]
            return fields, _scan_array(fields.pop("items"))
        except (*scan.FAILURES, KeyError):
            pass
        if keep_invalid and (found := _outlined(body, cls)):
            return found
        self._converter.structure(decode_any(body), Page[cls])  # type: ignore[valid-type]
        raise DecodeError("invalid JSON")

    def _numbers(self, envelope: dict[str, msgspec.Raw], cls: type[R]) -> Page[R]:
        """The page of that envelope, still without items."""
        numbers = {name: decode_any(bytes(raw)) for name, raw in envelope.items()}
        page = self._converter.structure({**numbers, "items": []}, Page[cls])  # type: ignore[valid-type]
        return cast(Page[R], page)


def _outlined(
    body: bytes, cls: type[Any]
) -> tuple[dict[str, msgspec.Raw], list[msgspec.Raw]] | None:
    """The envelope of a body that msgspec refuses; None if it is not JSON for others either."""
    parts = _readable(outline.members, body) or []
    fields = {name: msgspec.Raw(text) for name, text in parts}
    if cls is WebhookEvent and parts and "items" not in fields:
        return (_ONE, [msgspec.Raw(body)]) if is_json(body) else None
    # Of two fields with one name the last one counts, but the other has to be JSON as well.
    array = bytes(fields.pop("items", b""))
    items = _readable(outline.elements, array)
    others = [text for _, text in parts if text != array]
    if items is None or not all(map(is_json, others + items)):
        return None
    return fields, [msgspec.Raw(text) for text in items]


_scan_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_scan_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ONE = {name: msgspec.Raw(b"1") for name in ("total", "page", "size", "pages")}


def _own_id(text: bytes) -> str:
    return rules.own_id(decode_any(text))


def _moment(text: bytes) -> datetime:
    return rules.moment(decode_any(text))


def _readable(read: Callable[[bytes], T], text: bytes | None) -> T | None:
    try:
        return None if text is None else read(text)
    except (TypeError, ValueError, DecodeError):
        return None
