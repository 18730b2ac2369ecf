"""Records that broke the guide's rules, as lines of ``PATH.invalid.jsonl``."""

from __future__ import annotations

from typing import Any

from harbour_async._decoding import decode_any, encode_json
from harbour_async.errors import DecodeError
from harbour_async.export._columns import Columns
from harbour_async.models import InvalidRecord


def invalid_line(record: InvalidRecord, columns: Columns) -> bytes:
    """What is known of an invalid record, and the record itself as it came.

    Fields that were not chosen stay out of this file, too.
    """
    raw: Any = _plain(record.raw)
    if isinstance(raw, dict):
        raw = columns.project(raw)
    elif not columns.everything:
        raw = None  # it may hold excluded fields
    created = record.created_at
    return encode_json(
        {
            "id": record.record_id,
            "created_at": None if created is None else created.isoformat(),
            "error": str(record.error),
            "path": record.error.path,
            "raw": raw,
        }
    )


def id_of(line: bytes) -> str | bytes:
    """The id in such a line; the line itself if it has none."""
    try:
        fields = decode_any(line)
    except DecodeError:  # changed by hand
        return line
    own_id = fields.get("id") if isinstance(fields, dict) else None
    return own_id if isinstance(own_id, str) else line


def _plain(raw: bytes) -> Any:
    try:
        return decode_any(raw)
    except DecodeError:  # NaN or half of a surrogate pair, which a line of JSON had better not hold
        return raw.decode()
