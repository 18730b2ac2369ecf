"""Checks of a page's columns: what msgspec does not check while scanning.

Each works on all values of one field at once, mostly in C: a page has 100 records, and a Python
call for each would cost more than scanning them. All raise (any exception) on the slightest doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from harbour_async._decoding import rules


def check_text(body: bytes) -> None:
    """What msgspec scans without keeping may be anything but UTF-8."""
    if not body.isascii():
        str(body, "utf-8")


def check_moments(column: Sequence[int | str | None]) -> None:
    """Every string is a timestamp (the range of ints is checked while scanning)."""
    if column.count(None) < len(column) and _digits_to_micros(column) is None:
        for value in column:
            if type(value) is str:
                rules.moment(value)


def to_micros(column: Sequence[int | str | None]) -> list[int | None]:
    """Timestamps as they came, in microseconds since 1970 UTC."""
    return _digits_to_micros(column) or [
        None if value is None
        else value * 1000 if type(value) is int
        else rules.micros(rules.moment(value))
        for value in column
    ]  # fmt: skip


_decode_micros = msgspec.json.Decoder(
    list[Annotated[int, Meta(ge=rules.FIRST_MS * 1000, le=rules.LAST_MS * 1000)]]
).decode


def _digits_to_micros(column: Sequence[Any]) -> list[int | None] | None:
    """`to_micros` for the usual column, all strings of digits, read as one array; or None."""
    try:
        text = f"[{'000,'.join(column)}000]"
        micros: Any = _decode_micros(text)
    except (TypeError, msgspec.DecodeError):
        return None
    # "1,2" and " 1" would be read without complaint.
    return micros if len(micros) == len(column) and len(text.split()) == 1 else None
