"""The fields that a test gives to verifications, checked before anything changes."""

from __future__ import annotations

import json
from typing import Any

from harbour_async.sandbox._kinds import VERIFICATIONS
from harbour_async.sandbox._options import is_whole
from harbour_async.sandbox._records import Record

_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


def check_fields(fields: Record) -> None:
    """Raise ``ValueError`` for a value that cannot be stored, searched for or sent.

    Other values of a wrong type are allowed, because they make invalid records.
    """
    for name, value in fields.items():
        good, wanted = _rule(name, value)
        if not good:
            raise ValueError(f"{name} must be {wanted}, not {value!r}")
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the fields cannot be sent as JSON: {error}") from None


def _rule(name: str, value: Any) -> tuple[bool, str]:
    """Whether the value will do, and what will."""
    if name == VERIFICATIONS.id_field:
        return isinstance(value, str) and value != "", "a text and not empty"
    if name in VERIFICATIONS.indexed:
        return is_whole(value, _FIRST, _LAST), "epoch milliseconds"
    if name in VERIFICATIONS.searched:
        return value is None or isinstance(value, str), "a text or None"
    if name in VERIFICATIONS.fields:
        return value is None or isinstance(value, str | int | float), "a text, a number or None"
    if name == "verification_metadata":
        # Names that are no texts could not be found: JSON spells them as texts.
        good = isinstance(value, dict) and all(isinstance(key, str) for key in value)
        return value is None or good, "a dict with texts for names, or None"
    return True, ""
