"""JSON as such, without any shape."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from harbour_async.errors import DecodeError


class BeyondDouble(float):
    """A number no double (or int of sane length) can hold: infinite, but written as it came."""

    def __new__(cls, text: str) -> BeyondDouble:
        self = super().__new__(cls, text)
        self.text = text
        return self

    text: str

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)


def decode_any(body: bytes) -> Any:
    """The plain value of a JSON text; DecodeError if it is none, or is nested absurdly deep."""
    try:
        try:
            return _decode(body)
        except msgspec.ValidationError:
            # Valid JSON all the same: msgspec gives up on numbers out of range. Lazy payloads
            # were only scanned, not read, so these must not fail here.
            return json.loads(body, parse_float=_number, parse_int=_integer)
    except RecursionError:
        raise DecodeError("nested too deeply") from None
    except ValueError as error:  # covers msgspec's errors and UnicodeDecodeError
        raise DecodeError(f"invalid JSON: {error}") from error


def encode_json(value: Any) -> bytes:
    """``value`` as JSON; TypeError for what JSON has no notion of."""
    return _encode(value)


def spliced(payload: bytes) -> msgspec.Raw:
    """Valid JSON to be put into ``encode_json``'s result as it is, but on one line."""
    if b"\n" in payload or b"\r" in payload:
        payload = msgspec.json.format(payload, indent=-1)
    return msgspec.Raw(payload)


def _number(text: str) -> float:
    value = float(text)
    return value if abs(value) != float("inf") else BeyondDouble(text)


def _integer(text: str) -> float:
    try:
        return int(text)
    except ValueError:  # more digits than the interpreter converts
        return BeyondDouble(text)


def _encode_other(value: Any) -> Any:
    if isinstance(value, BeyondDouble):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} has no JSON form")


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(enc_hook=_encode_other).encode
