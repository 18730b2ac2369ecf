"""JSON as such, without any shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from math import isfinite
from types import NoneType
from typing import Any

import msgspec

from harbour_async.errors import ConfigurationError, DecodeError
from harbour_async.settings import is_aware


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
        return _decode(body)
    except msgspec.ValidationError:
        # Valid JSON all the same: msgspec gives up on numbers out of range. Lazy payloads
        # were only scanned, not read, so these must not fail here.
        value, problem = _decode_slowly(body)
    except (ValueError, RecursionError) as error:  # covers msgspec's errors
        value, problem = None, _problem(error)
        if oddity := not isinstance(error, RecursionError) and _oddity(body):
            problem = f"invalid JSON: {oddity}"
    # Outside of the handlers: the decoders' errors hold the body, or bytes of it.
    if problem:
        raise DecodeError(problem)
    return value


def decode_loosely(body: bytes) -> Any:
    """`decode_any`, but what careless servers write is taken: NaN, infinities, and halves of
    surrogate pairs. Texts with such halves cannot be encoded again.
    """
    try:
        return _loads(body, float)
    except (ValueError, RecursionError) as error:
        problem = _problem(error)
    raise DecodeError(problem)


def is_json(text: bytes) -> bool:
    """Whether `decode_loosely` takes it; what is nested too deeply for it counts."""
    try:
        _loads(text, float)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def encode_json(value: Any) -> bytes:
    """``value`` as JSON; ConfigurationError for what JSON has no notion of."""
    try:
        return _encode(value)
    except RecursionError:
        problem = "nested too deeply for JSON"
    except (TypeError, ValueError, OverflowError) as error:
        problem = str(error)
    raise ConfigurationError(problem)


def refuse_foreign(value: Any) -> None:
    """Raise ConfigurationError if ``value`` holds what has no JSON form.

    `encode_json` alone would write decimals, dates and more as texts.
    """
    for part in _parts(value):
        _refuse_lost(part)
        if not isinstance(part, _ENCODABLE):
            raise ConfigurationError(f"{type(part).__name__} has no JSON form")
        if isinstance(part, datetime) and not is_aware(part):
            raise ConfigurationError("a datetime must have a time zone")


def refuse_lost(value: Any) -> None:
    """Raise ConfigurationError if ``value`` holds numbers that are not finite, or bytes.

    `encode_json` alone would write null, or base64.
    """
    for part in _parts(value):
        _refuse_lost(part)


def _parts(value: Any) -> Iterator[Any]:
    """The value and all that it holds, the names of dicts included, but for plain ones."""
    left, seen = [value], set()
    for item in left:  # grows
        yield item
        if isinstance(item, _CONTAINERS) and id(item) not in seen:  # it may hold itself
            seen.add(id(item))
            held = [*item, *item.values()] if isinstance(item, dict) else item
            left += [part for part in held if type(part) not in _PLAIN]


def _refuse_lost(part: Any) -> None:
    if isinstance(part, float):
        if not isinstance(part, BeyondDouble) and not isfinite(part):
            raise ConfigurationError("a number that is not finite has no JSON form")
    elif isinstance(part, bytes | bytearray | memoryview):
        raise ConfigurationError(f"{type(part).__name__} has no JSON form")


def spliced(payload: bytes) -> msgspec.Raw:
    """Valid JSON to be put into ``encode_json``'s result as it is, but on one line."""
    if b"\n" in payload or b"\r" in payload:
        try:
            payload = msgspec.json.format(payload, indent=-1)
        except (msgspec.DecodeError, RecursionError):  # of an InvalidRecord
            # Line breaks are in no string.
            payload = b" ".join(payload.splitlines())
    return msgspec.Raw(payload)


def _decode_slowly(body: bytes) -> tuple[Any, str | None]:
    try:
        _scan(body)  # the standard library takes NaN and halves of surrogate pairs, JSON does not
        return json.loads(body, parse_float=_number, parse_int=_integer), None
    except (ValueError, RecursionError) as error:
        return None, _problem(error)


def _problem(error: Exception) -> str:
    """What is wrong with a JSON text, without any of it."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "invalid JSON: not UTF-8"
    return f"invalid JSON: {error}"


def _number(text: str) -> float:
    value = float(text)
    return value if abs(value) != float("inf") else BeyondDouble(text)


def _integer(text: str) -> float:
    try:
        return int(text)
    except ValueError:  # more digits than the interpreter converts
        return BeyondDouble(text)


def _oddity(body: bytes) -> str | None:
    """What `decode_loosely` would take, if that is all that is wrong with the text."""
    constants: list[str] = []
    try:
        _loads(body, constants.append)
    except (ValueError, RecursionError):
        return None
    return f"{constants[0]} is no number" if constants else "half of a surrogate pair"


def _loads(body: bytes, constant: Callable[[str], Any]) -> Any:
    text = str(body, "utf-8")  # of bytes, json would take UTF-16 as well
    return json.loads(text, parse_float=_number, parse_int=_integer, parse_constant=constant)


def _encode_other(value: Any) -> Any:
    if isinstance(value, BeyondDouble):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} has no JSON form")


_PLAIN = {str, int, bool, NoneType}  # most values are
_CONTAINERS = (dict, list, tuple, set, frozenset)
_ENCODABLE = (dict, list, tuple, str, int, float, NoneType, datetime, Enum, msgspec.Raw)
_decode = msgspec.json.Decoder().decode
_scan = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder(enc_hook=_encode_other).encode
