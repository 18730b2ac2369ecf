"""The wire rules, as cattrs hooks, and the paths of what breaks them.

==================  ==============================================================
annotation          accepted on the wire
==================  ==============================================================
``Id``              a string that is not empty
``str``             a string
``bool``            true or false
``Count``           a non-negative integer, or a string of digits
``int``, ``float``  an integer; any number
``datetime``        epoch milliseconds, as an integer or as a string of digits; or
                    ISO 8601, where no zone means UTC; microseconds are kept
``SomeEnum | str``  a string; a known value in any letter case becomes the member
``dict[str, Any]``  an object; the same for ``dict``
``SomeEnum``        the same, but an unknown value is refused
``list[X]``         an array of X; the same for ``tuple[X, ...]``, ``deque[X]``,
                    ``set[X]``, ``frozenset[X]`` and their abstract classes
``tuple[X, Y]``     an array of an X and a Y; the same for a ``NamedTuple``
``X | None``        X or null
a record            an object; fields it does not name are kept in ``extra``
==================  ==============================================================

Nothing is coerced beyond that: no ``"false"`` for a bool, no ``1`` for a string.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, MutableSequence, MutableSet, Sequence, Set
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from functools import partial
from operator import eq
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from cattrs import AttributeValidationNote, Converter, IterableValidationError
from cattrs.cols import is_namedtuple, list_structure_factory
from cattrs.errors import ClassValidationError

from harbour_async._decoding.codec import BeyondDouble
from harbour_async.errors import DecodeError
from harbour_async.models import Count, Id

Hook = Callable[[Any, Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
_US = timedelta(microseconds=1)
# The milliseconds a datetime can express.
FIRST_MS = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MS
LAST_MS = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MS


class BrokenRuleError(TypeError):
    """What a rule raises; its text holds nothing of the value."""


def register(converter: Converter) -> None:
    """Make ``converter`` follow the rules; records are the business of `WireConverter`."""
    for kind, rule in _RULES:
        if isinstance(kind, type):
            converter.register_structure_hook(kind, rule)
        else:
            converter.register_structure_hook_func(partial(eq, kind), rule)
    # By equality: a TypedDict is a subclass of dict.
    converter.register_structure_hook_func(partial(eq, dict), json_object)
    converter.register_structure_hook_factory(_is_array, partial(_array_rule, converter))
    converter.register_structure_hook_factory(_is_fixed_tuple, partial(_tuple_rule, converter))
    converter.register_structure_hook_factory(lambda shape: bool(open_enum(shape)), _enum_rule)


def moment(value: Any, _: Any = None) -> datetime:
    """The rule for timestamps."""
    try:
        if type(value) is int:  # not isinstance: True is one of those
            return EPOCH + value * MS
        if type(value) is not str:
            raise _wrong("a timestamp", value)
        # Digits come first, because fromisoformat reads eight of them as a date. isascii, because
        # isdigit also takes digits of other scripts.
        if value.isascii() and value.removeprefix("-").isdigit():
            return EPOCH + int(value) * MS
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BrokenRuleError("expected a timestamp, got one malformed or out of range") from None


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exactly."""
    # Not by timestamp(): a float cannot tell microseconds apart after the year 2242.
    return (moment - EPOCH) // _US


def count(value: Any, _: Any = None) -> int:
    """The rule for totals and page numbers."""
    if type(value) is str and value.isascii() and value.isdigit():
        return _whole(value)
    if type(value) is not int:
        raise _wrong("a count", value)
    if value < 0:
        raise BrokenRuleError("expected a count, got a negative number")
    return value


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # more digits than the interpreter converts
        raise BrokenRuleError("expected a count, got too many digits") from None


def open_enum(shape: Any) -> type[StrEnum] | None:
    """The enum in ``SomeEnum | str`` or ``SomeEnum | str | None``."""
    parts = get_args(shape) if get_origin(shape) in (UnionType, Union) else ()
    for part in parts if str in parts else ():
        if isinstance(part, type) and issubclass(part, StrEnum):
            return part
    return None


def known_value(enum: type[StrEnum]) -> Callable[[str], StrEnum | str]:
    """The meaning of a string under an open enum: the member, or the string itself."""
    members: dict[str, StrEnum] = {member.value: member for member in enum}

    def known(text: str) -> StrEnum | str:
        return members.get(text) or members.get(text.lower()) or text

    return known


def text(value: Any, _: Any = None) -> str:
    """The rule for strings."""
    if type(value) is not str:
        raise _wrong("a string", value)
    return value


def own_id(value: Any, _: Any = None) -> str:
    """The rule for ids."""
    if not text(value):
        raise BrokenRuleError("expected an id, got an empty string")
    return str(value)


def _integer(value: Any, _: Any) -> int:
    if type(value) is not int:
        raise _wrong("an integer", value)
    return value


def _number(value: Any, _: Any) -> float:
    if type(value) is not int and not isinstance(value, float):
        raise _wrong("a number", value)
    return value


def _flag(value: Any, _: Any) -> bool:
    if type(value) is not bool:
        raise _wrong("a boolean", value)
    return value


def _no_bytes(value: Any, _: Any) -> Any:
    # cattrs would call `bytes`, which makes as many zeros of a number.
    raise _wrong("bytes, which JSON has not", value)


def json_object(value: Any, _: Any = None) -> dict[str, Any]:
    """The rule for objects."""
    if type(value) is not dict:
        raise _wrong("an object", value)
    return value


def _of_kind(rule: Hook) -> Hook:
    """The rule for a type and its subclasses: an enum, a string type of a user's own."""

    def subclass_rule(value: Any, shape: Any) -> Any:
        plain = rule(value, shape)
        if not isinstance(shape, type) or isinstance(plain, shape) or shape is float:
            return plain
        made: Callable[[Any], Any] = shape
        return _member(shape, plain) if issubclass(shape, Enum) else made(plain)

    return subclass_rule


def _member(enum: type[Any], value: Any) -> Any:
    try:
        return enum(known_value(enum)(value) if isinstance(value, str) else value)
    except ValueError:
        raise BrokenRuleError(f"expected a value of {enum.__name__}") from None


_RULES: tuple[tuple[Any, Hook], ...] = (
    (str, _of_kind(text)),
    (Id, own_id),
    (bool, _flag),
    (Count, count),
    (int, _of_kind(_integer)),
    (float, _of_kind(_number)),
    (datetime, moment),
    (dict[str, Any], json_object),
    (bytes, _no_bytes),
)


def _enum_rule(shape: Any) -> Hook:
    known = known_value(cast(type[StrEnum], open_enum(shape)))
    nullable = NoneType in get_args(shape)
    return lambda value, _: None if value is None and nullable else known(text(value))


_ARRAYS: dict[Any, Any] = {  # and what they become
    **{kind: kind for kind in (list, tuple, deque, set, frozenset)},
    Sequence: list,
    MutableSequence: list,
    Set: frozenset,
    MutableSet: set,
}


def _is_array(shape: Any) -> bool:
    return (get_origin(shape) or shape) in _ARRAYS and not _is_fixed_tuple(shape)


def _is_fixed_tuple(shape: Any) -> bool:
    return is_namedtuple(shape) or (get_origin(shape) is tuple and get_args(shape)[1:] != (...,))


def _array_rule(converter: Converter, shape: Any) -> Hook:
    array: Any = list.__class_getitem__((*get_args(shape), Any)[0])
    elements = list_structure_factory(array, converter)
    made = _ARRAYS[get_origin(shape) or shape]

    def rule(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise _wrong("an array", value)
        return made(elements(value, shape))

    return rule


def _tuple_rule(converter: Converter, shape: Any) -> Hook:
    parts, made = get_args(shape), tuple
    if is_namedtuple(shape):
        parts, made = (*get_type_hints(shape, include_extras=True).values(),), shape._make

    def rule(value: Any, _: Any) -> Any:
        if type(value) is not list or len(value) != len(parts):
            raise _wrong(f"an array of {len(parts)} elements", value)
        return made(map(element, range(len(parts)), value))

    def element(index: int, value: Any) -> Any:
        try:
            return converter.structure(value, parts[index])
        except DecodeError as error:
            raise rooted(error, f"$[{index}]") from None

    return rule


_JSON_NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
    BeyondDouble: "a number",
    dict: "an object",
    list: "an array",
    NoneType: "null",
}


def _wrong(expected: str, value: Any) -> BrokenRuleError:
    kind = type(value)
    # The value itself stays out of it: messages end up in logs, and values are personal data.
    return BrokenRuleError(f"expected {expected}, got {_JSON_NAMES.get(kind, kind.__name__)}")


def broken(error: BaseException, path: str = "$") -> DecodeError:
    """The first failure in cattrs' tree of them, with the path to it."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        noted, plain = error.group_exceptions()
        for cause, note in noted:
            if isinstance(note, AttributeValidationNote):
                return broken(cause, f"{path}.{note.name}")
            return broken(cause, f"{path}[{note.index}]")
        return broken(plain[0], path)
    if isinstance(error, DecodeError):
        return rooted(error, path)
    if isinstance(error, RecursionError):
        return DecodeError("nested too deeply", path=path)
    if isinstance(error, BrokenRuleError):
        return DecodeError(str(error), path=path)
    # Of any other error the text stays out of it: it may quote the value.
    missing = isinstance(error, KeyError)
    return DecodeError("missing" if missing else f"refused by {type(error).__name__}", path=path)


def rooted(error: DecodeError, path: str) -> DecodeError:
    """``error`` as seen from a larger value that holds the failing one at ``path``."""
    message = str(error).removeprefix(f"{error.path}: ")
    return DecodeError(message, path=path + error.path.removeprefix("$"))
