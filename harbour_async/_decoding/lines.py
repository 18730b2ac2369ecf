"""One JSON object a line, taken apart and put together without reading the values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harbour_async._decoding.codec import encode_json
from harbour_async.errors import DecodeError


def split_line(line: bytes) -> dict[str, bytes]:
    """The fields of a JSON object, each value as the bytes it was written with.

    Raises DecodeError for anything else.
    """
    try:
        fields = _split(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise DecodeError("not a JSON object") from None
    return {name: bytes(raw) for name, raw in fields.items()}


def join_line(fields: Mapping[str, bytes]) -> bytes:
    """The opposite of ``split_line``, on one line."""
    parts: dict[str, Any] = {name: msgspec.Raw(value) for name, value in fields.items()}
    return encode_json(parts)


_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
