"""The wire rules, once, as cattrs hooks.

==================  ==============================================================
annotation          accepted on the wire
==================  ==============================================================
``Id``              a string that is not empty
``str``             a string
``bool``            true or false
``int``             a count: a non-negative integer, or a string of digits
``datetime``        epoch milliseconds, as an integer or as a string of digits; or
                    ISO 8601, where no zone means UTC; microseconds are kept
``SomeEnum | str``  a string; a known value in any letter case becomes the member
``dict[str, Any]``  an object
``list[X]``         an array of X
``X | None``        X or null
a record            an object; fields it does not name are kept in ``extra``
==================  ==============================================================

Nothing is coerced beyond that: no ``"false"`` for a bool, no ``1`` for a string.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, partial, reduce
from operator import eq, or_
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, Converter, IterableValidationError
from cattrs.cols import list_structure_factory
from cattrs.errors import ClassValidationError
from cattrs.gen import make_dict_structure_fn, override

from harbour_async.errors import DecodeError
from harbour_async.models import Id

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
_US = timedelta(microseconds=1)
# The milliseconds a datetime can express.
FIRST_MS = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MS
LAST_MS = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MS

_EXTRA = "\0extra"  # the attribute `extra`; a wire field of that name is an unknown one


def structure(value: Any, shape: type[T]) -> T:
    """``value`` as ``shape``; DecodeError names the first place that breaks a rule."""
    try:
        return converter().structure(value, shape)
    except RecursionError:
        raise DecodeError("nested too deeply") from None
    except Exception as error:
        path, cause = _locate(error)
        raise DecodeError(_explain(cause), path=path) from cause


@cache
def converter() -> Converter:
    """The converter that knows the rules. Built on first use: importing should cost nothing."""
    made = Converter(detailed_validation=True)
    for kind, rule in _RULES:
        if isinstance(kind, type):
            made.register_structure_hook(kind, rule)
        else:
            made.register_structure_hook_func(partial(eq, kind), rule)
    for concerns, factory in _FACTORIES:
        made.register_structure_hook_factory(concerns, partial(factory, made))
    return made


def hook(shape: Any) -> Hook:
    """The rule for values of ``shape`` that are not null."""
    core = reduce(or_, (part for part in get_args(shape) if part is not NoneType))
    return converter().get_structure_hook(core)


def moment(value: Any, _: Any = None) -> datetime:
    """The rule for timestamps."""
    try:
        if type(value) is int:
            return EPOCH + value * MS
        if type(value) is not str:
            raise _wrong("a timestamp", value)
        if value.isascii() and value.removeprefix("-").isdigit():
            return EPOCH + int(value) * MS
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("expected a timestamp, got one malformed or out of range") from None


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exactly."""
    return (moment - EPOCH) // _US


def wire_moment(moment: datetime) -> int | str:
    """The spelling a timestamp goes out in: epoch milliseconds (guide: "v2.1") if that is exact."""
    if moment.microsecond % 1000:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return micros(moment) // 1000


def count(value: Any, _: Any = None) -> int:
    """The rule for totals and page numbers."""
    if type(value) is str and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is not int:
        raise _wrong("a count", value)
    if value < 0:
        raise ValueError("expected a count, got a negative number")
    return value


def open_enum(shape: Any) -> type[StrEnum] | None:
    """The enum in ``SomeEnum | str`` or ``SomeEnum | str | None``."""
    for part in get_args(shape):
        if isinstance(part, type) and issubclass(part, StrEnum):
            return part
    return None


def _text(value: Any, _: Any) -> str:
    if type(value) is not str:
        raise _wrong("a string", value)
    return value


def _id(value: Any, _: Any) -> str:
    if not _text(value, _):
        raise ValueError("expected an id, got an empty string")
    return str(value)


def _flag(value: Any, _: Any) -> bool:
    if type(value) is not bool:
        raise _wrong("a boolean", value)
    return value


def _object(value: Any, _: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _wrong("an object", value)
    return value


_RULES: tuple[tuple[Any, Hook], ...] = (
    (str, _text),
    (Id, _id),
    (bool, _flag),
    (int, count),
    (datetime, moment),
    (dict[str, Any], _object),
)


def _enum_rule(_: Converter, shape: Any) -> Hook:
    known = {member.value: member for member in open_enum(shape) or ()}
    nullable = NoneType in get_args(shape)

    def rule(value: Any, _: Any) -> Any:
        if type(value) is str:
            return known.get(value) or known.get(value.lower(), value)
        if value is None and nullable:
            return None
        raise _wrong("a string", value)

    return rule


def _array_rule(made: Converter, shape: Any) -> Hook:
    elements = list_structure_factory(shape, made)

    def rule(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise _wrong("an array", value)
        return elements(value, shape)

    return rule


def _record_rule(made: Converter, shape: Any) -> Hook:
    fields = {a.name for a in attrs.fields(get_origin(shape) or shape)} - {"extra"}
    build = make_dict_structure_fn(shape, made, extra=override(rename=_EXTRA))

    def rule(value: Any, _: Any) -> Any:
        _object(value, _)
        known = {name: value[name] for name in fields & value.keys()}
        known[_EXTRA] = {name: value[name] for name in value if name not in fields}
        return build(known, shape)

    return rule


_FACTORIES: tuple[tuple[Callable[[Any], bool], Callable[[Converter, Any], Hook]], ...] = (
    (lambda shape: get_origin(shape) is list, _array_rule),
    (lambda shape: open_enum(shape) is not None, _enum_rule),
    (lambda shape: attrs.has(get_origin(shape) or shape), _record_rule),
)


_JSON_NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
    dict: "an object",
    list: "an array",
    NoneType: "null",
}


def _wrong(expected: str, value: Any) -> TypeError:
    # The value itself stays out of it: messages end up in logs, and values are personal data.
    return TypeError(f"expected {expected}, got {_JSON_NAMES.get(type(value), 'a number')}")


def _locate(error: BaseException, path: str = "$") -> tuple[str, BaseException]:
    """The first leaf of cattrs' tree of failures, and the path to it."""
    if not isinstance(error, ClassValidationError | IterableValidationError):
        return path, error
    noted, plain = error.group_exceptions()
    for cause, note in noted:
        step = f".{note.name}" if isinstance(note, AttributeValidationNote) else f"[{note.index}]"
        return _locate(cause, path + step)
    return _locate(plain[0], path)


def _explain(cause: BaseException) -> str:
    return "missing" if isinstance(cause, KeyError) else str(cause)
