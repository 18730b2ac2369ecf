"""Check the arguments of calls, and bring them into the form in which they are sent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any
from urllib.parse import quote

from harbour_async._decoding import encode_json, refuse_lost
from harbour_async.errors import ConfigurationError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ORDER = re.compile(r"([A-Za-z_]+)(?: (ASC|DESC))?", re.IGNORECASE)
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DEEPEST = 100

# Parameters that a listing sets itself ("List verifications").
_OWN_PARAMETERS = frozenset({"page", "size", "order_by", "search", "verification_metadata"})


def has_control(text: str) -> bool:
    """Whether the text has control characters, or characters that cannot be encoded."""
    return _CONTROL.search(text) is not None


def plain(value: Any) -> Any:
    """A text or number as a plain str, int or float.

    Template engines and array libraries have subclasses of these, whose ``str()`` may differ from
    their value, and which encoders refuse.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    return int(value) if isinstance(value, Integral) else value


def segment(name: str, value: str) -> str:
    """An id as exactly one path segment, however a server reads paths.

    Escaped slashes are refused too: servers that unescape before they route would read them as
    further segments, and reach another resource.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be text and not empty, not {value!r}")
    own = str.__str__(value)
    if own in (".", "..") or "/" in own or "\\" in own or has_control(own):
        raise ConfigurationError(
            f"{name} must not hold slashes or control characters, nor be dots: {own!r}"
        )
    return quote(own, safe="")


def text(name: str, value: str) -> str:
    """The text; ConfigurationError if it is blank or has control characters."""
    if not isinstance(value, str) or not value.strip() or has_control(value):
        raise ConfigurationError(f"{name} must be text without control characters, not {value!r}")
    return str.__str__(value)


def whole(name: str, value: int, *, low: int, high: int | None = None) -> int:
    """The whole number; ConfigurationError if it is not within the bounds."""
    span = f"from {low} to {high}" if high is not None else f"of {low} or more"
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"{name} must be a whole number {span}, not {value!r}")
    if value < low or (high is not None and value > high):
        raise ConfigurationError(f"{name} must be a whole number {span}, not {value}")
    return int.__int__(value)


def order(given: str | None) -> str:
    """``order_by`` as "field ASC" or "field DESC"; the guide's default is created_at DESC."""
    if given is None:
        return "created_at DESC"
    match = _ORDER.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ConfigurationError(
            f'order_by must be one field and a direction, like "created_at DESC", not {given!r}'
        )
    return f"{match[1]} {(match[2] or 'ASC').upper()}"


def filters(search: str | None, metadata: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The filtering parameters of a listing ("List verifications")."""
    params = {}
    if search is not None:
        if not isinstance(search, str) or has_control(search):
            raise ConfigurationError("search must be text without control characters")
        params["search"] = str.__str__(search)
    if metadata is not None:
        params["verification_metadata"] = _metadata(metadata)
    return params


def _metadata(pairs: Mapping[str, Any]) -> str:
    if not isinstance(pairs, Mapping):
        raise ConfigurationError(f"metadata must be a mapping, not {type(pairs).__name__}")
    sent = {}
    for name, given in pairs.items():
        if not isinstance(name, str):
            raise ConfigurationError(f"metadata names must be text, not {name!r}")
        value = plain(given)
        if not isinstance(value, str | int | float | bool | None) or _is_endless(value):
            raise ConfigurationError(
                f"metadata must be flat: {name!r} is neither text, number, bool nor None"
            )
        sent[str.__str__(name)] = value
    try:
        return encode_json(sent).decode()
    except ValueError as error:
        raise ConfigurationError(f"metadata cannot be sent as JSON: {error}") from error


def _is_endless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def extra(name: str, given: Mapping[str, Any] | None, own: bool = False) -> list[tuple[str, str]]:
    """Further query parameters as pairs; None is left out, a list becomes repeated pairs.

    With ``own``, names of parameters that a listing sets itself are refused.
    """
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{name} must be a mapping, not {type(given).__name__}")
    pairs = []
    for key, value in given.items():
        if not isinstance(key, str) or not key or has_control(key):
            raise ConfigurationError(f"{name}: names must be text, not {key!r}")
        if own and key in _OWN_PARAMETERS:
            raise ConfigurationError(f"{name} must not hold {key!r}: it is a separate argument")
        many = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        each = value if many else [value]
        pairs += [(str.__str__(key), _parameter(name, key, x)) for x in each if x is not None]
    return pairs


def _parameter(name: str, key: str, given: object) -> str:
    value = plain(given)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float) or _is_endless(value):
        raise ConfigurationError(f"{name}: {key!r} must be text, a number or a bool")
    if isinstance(value, str) and _LONE_SURROGATE.search(value):
        raise ConfigurationError(f"{name}: {key!r} cannot be encoded")
    return str(value)


def body(value: object) -> bytes:
    """A request's body as JSON."""
    try:
        sent = _jsonable(value, 0)
        refuse_lost(sent)
        return encode_json(sent)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"json cannot be sent as JSON: {error}") from error


def _jsonable(given: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ConfigurationError(f"json is nested more than {_DEEPEST} levels deep")
    if isinstance(given, Mapping):
        return {plain(key): _jsonable(value, depth + 1) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_jsonable(value, depth + 1) for value in given]
    return plain(given)
