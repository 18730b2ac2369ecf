"""A cattrs converter that follows the rules of the wire, and knows records."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn

from harbour_async._decoding import rules, scan
from harbour_async._decoding.codec import decode_any, encode_json, refuse_lost
from harbour_async._decoding.reader import Reader
from harbour_async._decoding.write import Dates, check_dates, to_dict, to_json
from harbour_async._frames import dropped_frames
from harbour_async._record import Record, is_view
from harbour_async.errors import ConfigurationError, DecodeError
from harbour_async.models import InvalidRecord, Page

T = TypeVar("T")

Data = bytes | bytearray | memoryview | str


class WireConverter(Converter):
    """A cattrs ``Converter`` that follows the rules of Harbour's wire.

    It structures records, pages of them (``Page[Verification]``), lists and tuples, and attrs
    classes of one's own that hold any of these. Nothing is coerced: a value of a wrong type is a
    DecodeError whose ``path`` names the place. The arguments are those of cattrs' ``Converter``;
    with ``detailed_validation=False`` there is no path.

    Example::

        converter = WireConverter()
        page = converter.loads(body, Page[Verification])
        converter.dumps(page, dates="iso")
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reader = Reader(self)
        rules.register(self)
        self.register_structure_hook_factory(_has_extra, partial(_record_rule, self))
        self.register_unstructure_hook_func(_has_extra, to_dict)
        self.register_unstructure_hook_func(_is_set, self._array)
        self.register_unstructure_hook(InvalidRecord, to_dict)

    def loads(self, body: Data, shape: type[T]) -> T:
        """The JSON text ``body`` (bytes, or a str) as ``shape``.

        Raises DecodeError if it is not JSON, breaks a rule, or is nested too deeply, and
        ConfigurationError if ``shape`` or ``body`` is of a kind that cannot be used.
        """
        with dropped_frames():
            text = _bytes(body)
            if _is_view(shape):
                made: Any = self._reader.record(text, cast(type[Any], shape))
            elif get_origin(shape) is Page and _is_view(*get_args(shape)):
                made = self._reader.page(text, *get_args(shape))
            else:
                made = self.structure(decode_any(text), shape)
            return cast(T, made)

    def dumps(self, value: Any, *, dates: Dates = "wire") -> bytes:
        """``value`` as JSON in UTF-8; for records, what `to_json` does.

        ``dates`` concerns records, pages and sequences of them. Raises ConfigurationError for what
        has no JSON form.
        """
        with dropped_frames():
            check_dates(dates)
            ours = (Record, Page, InvalidRecord)
            several = value if isinstance(value, list | tuple) else [value]
            if all(isinstance(item, ours) for item in several):
                return to_json(value, dates=dates)
            try:
                plain = self.unstructure(value)
                refuse_lost(plain)
                return encode_json(plain)
            except RecursionError:
                pass
            raise ConfigurationError("nested too deeply for JSON")

    def structure(self, obj: Any, cl: type[T]) -> T:
        """The plain value ``obj`` as ``cl``; raises what `loads` does.

        A record keeps the dicts of ``obj`` as they are; copies are made by ``from_dict``.
        """
        with dropped_frames():
            try:
                return super().structure(obj, cl)
            except (StructureHandlerNotFoundError, NameError):  # an annotation that names nothing
                problem: Exception = ConfigurationError(f"cannot decode {cl!r}")
            except Exception as error:
                problem = rules.broken(error)
            # Outside of the handlers, because what cattrs raises holds parts of the value.
            raise problem

    def _array(self, values: Iterable[Any]) -> list[Any]:
        # JSON has no sets, and the dict that a record becomes could not be in one.
        return [self.unstructure(value) for value in values]


def _is_view(shape: Any = None) -> bool:
    return isinstance(shape, type) and issubclass(shape, Record) and is_view(shape)


def _has_extra(shape: Any) -> bool:
    base = get_origin(shape) or shape
    return base is Page or (isinstance(base, type) and issubclass(base, Record))


def _is_set(shape: Any) -> bool:
    return (get_origin(shape) or shape) in (set, frozenset)


def _record_rule(converter: Converter, shape: Any) -> rules.Hook:
    """The rule for a record or a page: an object; what it does not name goes to ``extra``."""
    fields = {a.name for a in attrs.fields(get_origin(shape) or shape)} - {"extra"}
    build = make_dict_structure_fn(shape, converter)

    def rule(value: Any, _: Any) -> Any:
        rules.json_object(value)
        known = {name: value[name] for name in fields & value.keys()}
        extra = {name: value[name] for name in value if name not in fields}
        # A wire field of the name `extra` is an unknown one, so that name is free.
        made = build({**known, "extra": extra}, shape)
        # Now that it passed, a view of the plain values is better: it knows what came.
        return scan.scanner_of(shape).made(known, extra) if _is_view(shape) else made

    return rule


def _bytes(data: Any) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if not isinstance(data, str):
        raise ConfigurationError(f"expected JSON as bytes or str, not {type(data).__name__}")
    try:
        return data.encode()
    except UnicodeEncodeError:
        pass
    raise DecodeError("invalid JSON: not UTF-8")
