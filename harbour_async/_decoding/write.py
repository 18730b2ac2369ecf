"""Records to JSON: what came goes out as it came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeAlias, get_args, overload

import attrs

from harbour_async._decoding import rules
from harbour_async._decoding.codec import (
    decode_any,
    decode_loosely,
    encode_json,
    refuse_foreign,
    spliced,
)
from harbour_async._decoding.lazy import Lazy, merged
from harbour_async._frames import dropped_frames
from harbour_async._record import Record, source_of
from harbour_async.errors import ConfigurationError, DecodeError
from harbour_async.models import InvalidRecord, Page
from harbour_async.settings import is_aware

Dates: TypeAlias = Literal["wire", "ms", "iso"]
_DATES = get_args(Dates)


@overload
def to_dict(value: Record | Page[Any], *, dates: Dates = "wire") -> dict[str, Any]: ...
@overload
def to_dict(value: Sequence[Any], *, dates: Dates = "wire") -> list[Any]: ...
@overload
def to_dict(value: Any, *, dates: Dates = "wire") -> Any: ...
def to_dict(value: Any, *, dates: Dates = "wire") -> Any:
    """``value`` with the wire's names and plain JSON values; ``extra`` merged back.

    A record or a ``Page`` becomes a dict, a sequence of these a list, an ``InvalidRecord`` what
    the server sent. The result is a copy: changes to it do not reach the record.

    ``dates`` says how timestamps are spelled: ``"wire"``, as they came, and values of one's own as
    epoch milliseconds, or ISO 8601 if they have microseconds; ``"ms"``, always epoch milliseconds,
    rounded down; ``"iso"``, always ISO 8601 in UTC (``2023-05-25T18:08:36Z``). Timestamps inside of
    objects and ``extra`` stay as they are.

    Raises ConfigurationError for anything else, for values that have no JSON form, and for
    datetimes without a time zone; DecodeError for an ``InvalidRecord`` nested too deeply.

    Example: ``to_dict(verification, dates="iso")["created_at"]``
    """
    with dropped_frames():
        text = to_json(value, dates=dates)
        try:
            return decode_any(text)
        except DecodeError:
            pass  # there is an InvalidRecord in it
        return decode_loosely(text)


def to_json(value: Any, *, dates: Dates = "wire") -> bytes:
    """``value`` as JSON on one line, in UTF-8; objects that nobody has read go out as they came.

    Takes what `to_dict` does, and raises its ConfigurationError.

    Example: ``file.write(to_json(verification) + b"\\\\n")``
    """
    with dropped_frames():
        check_dates(dates)
        try:
            return encode_json(_plain(value, dates))
        except RecursionError:
            pass  # and out of the handler, so that the error to come has no context of 1,000 frames
        raise ConfigurationError("nested too deeply for JSON")


def check_dates(dates: object) -> None:
    """Raise ConfigurationError unless it is one of `Dates`."""
    if dates not in _DATES:
        raise ConfigurationError(f"dates must be 'wire', 'ms' or 'iso', not {dates!r}")


def _plain(value: Any, dates: Dates) -> Any:
    if isinstance(value, Record):
        return _record(value, dates)
    if isinstance(value, Page):
        out = {name: _own(name, getattr(value, name), dates) for name in _numbers()}
        extra = _own("extra", value.extra, dates)
        return merged({"items": _plain(value.items, dates), **out}, extra)
    if isinstance(value, InvalidRecord):
        return spliced(value.raw)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return [_plain(item, dates) for item in value]
    raise ConfigurationError(
        f"expected a record, a Page or a sequence of them, not {type(value).__name__}"
    )


def _record(record: Any, dates: Dates) -> dict[str, Any]:
    source, cls = source_of(record), record.__class__
    # What was decoded passed the rules then, and writing it checks what was read since. What a user
    # constructed may hold anything.
    if isinstance(source, Lazy):
        out = source.write()  # values that nobody has read are not made for it
        if dates != "wire":
            moments = {name: getattr(record, name) for name in _moments(cls)}
            out |= {name: _own(name, value, dates) for name, value in moments.items()}
        return out
    own = {name: _own(name, getattr(record, name), dates) for name in _names(cls)}
    return merged(own, _own("extra", record.extra, dates))


def _own(name: str, value: Any, dates: Dates) -> Any:
    """The value of a field; a user's subclass of a record may hold records and lists of them."""
    if isinstance(value, datetime):
        return _spelled(name, value, dates)
    if isinstance(value, Record | Page | InvalidRecord):
        return _plain(value, dates)
    if isinstance(value, list | tuple):
        return [_own(name, item, dates) for item in value]
    # Alone, other foreign values have a usual text, which msgspec writes. These would be lost.
    if isinstance(value, dict | float | bytes | bytearray | memoryview):
        refuse_foreign(value)
    return value


def _spelled(name: str, moment: datetime, dates: Dates) -> int | str:
    if not is_aware(moment):
        raise ConfigurationError(f"{name} must have a time zone")
    try:
        naive = moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        naive = None
    # Outside of the handler, so that the error has no foreign one as its context.
    if naive is None:
        raise ConfigurationError(f"{name} is out of range in UTC")
    # With "wire" this is a value that a user set, so there is no spelling from the wire.
    if dates == "iso" or (dates == "wire" and moment.microsecond % 1000):
        return naive.isoformat() + "Z"
    return rules.micros(moment) // 1000


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(a.name for a in attrs.fields(cls) if a.name != "extra")


@cache
def _numbers() -> tuple[str, ...]:
    return tuple(name for name in _names(Page) if name != "items")


@cache
def _moments(cls: Any) -> tuple[str, ...]:
    fields = attrs.fields(attrs.resolve_types(cls))
    return tuple(a.name for a in fields if datetime in get_args(a.type))
