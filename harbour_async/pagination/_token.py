"""Resume tokens: where a walk stands, as text.

Version, listing and order (hashed), and the plan's state as JSON, deflated, behind a checksum, in
base64url. It holds ids and keys of records, and no other field.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from typing import Any

from harbour_async.errors import ConfigurationError

VERSION = 1

LARGEST = 1 << 26
"""Bytes of JSON: the ids of more than a million records with one key. Forged tokens could ask for
any amount of memory."""

_STATE: dict[str, Any] = {
    "key": int | None,
    "ties": list,
    "at": int,
    "assumed": str | None,
    "scan": bool,
    "last": str | None,
}


def pack(listing: str, order: str | None, state: dict[str, Any]) -> str:
    body = json.dumps([VERSION, _digest(listing), order, state], separators=(",", ":"))
    data = zlib.compress(body.encode())
    return base64.urlsafe_b64encode(_check(data) + data).rstrip(b"=").decode()


def unpack(token: str, listing: str, order: str | None) -> dict[str, Any]:
    """The state packed; ConfigurationError if the token is damaged or another listing's."""
    _, digest, packed_order, state = _open(token)
    if digest != _digest(listing):
        raise ConfigurationError(
            "resume: this token belongs to another listing, other filters or another order"
        )
    if packed_order != order:
        raise ConfigurationError(
            f"resume: this token belongs to a walk ordered by {packed_order}, not by {order}"
        )
    return dict(state)


def _open(token: str) -> list[Any]:
    damaged = ConfigurationError("resume: this is not a resume token, or it is damaged")
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        if data[:8] != _check(data[8:]):
            raise damaged
        inflating = zlib.decompressobj()
        text = inflating.decompress(data[8:], LARGEST)
        if not inflating.eof:
            raise damaged
        body = json.loads(text)
    except (TypeError, ValueError, RecursionError, binascii.Error, zlib.error):
        raise damaged from None
    if not isinstance(body, list) or body[:1] != [VERSION]:
        raise ConfigurationError("resume: this token is of another version of the library")
    if len(body) != 4 or not _is_state(body[3]):
        raise damaged
    return body


def _is_state(value: object) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(part, _STATE.get(name, object)) for name, part in value.items())
        and all(isinstance(each, str) for each in value.get("ties", ()))
    )


def _check(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


def _digest(listing: str) -> str:
    return hashlib.blake2b(listing.encode(), digest_size=12).hexdigest()
