"""Bodies to records and back, as a cattrs converter: all decoding goes through here.

A body is scanned first (`scan`). Only if that fails, it is read as plain values and structured by
the rules (`rules`). That names the path of what is wrong, or keeps fields that the record class
does not have, and their names are learned. Both ways make a view of a `lazy.Lazy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
import msgspec
from cattrs import Converter
from cattrs.errors import StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn

from harbour_async._decoding import columns, outline, rules, scan
from harbour_async._decoding.codec import decode_any, decode_loosely, encode_json
from harbour_async._decoding.write import Dates, check_dates, to_dict, to_json
from harbour_async._record import Record, is_view
from harbour_async._rows import Rows
from harbour_async.errors import ConfigurationError, DecodeError
from harbour_async.models import InvalidRecord, Page, WebhookEvent

T = TypeVar("T")
R = TypeVar("R", bound=Record)

Data = bytes | bytearray | memoryview | str


LARGEST_PAGE = 100
"""No page has more records. Of a body with more invalid ones, not all are explained."""


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
        text = _bytes(body)
        if _is_view(shape):
            made: Any = self._record(text, cast(type[Any], shape))
        elif get_origin(shape) is Page and _is_view(*get_args(shape)):
            made = self._page(text, *get_args(shape))
        else:
            made = self.structure(decode_any(text), shape)
        return cast(T, made)

    def dumps(self, value: Any, *, dates: Dates = "wire") -> bytes:
        """``value`` as JSON in UTF-8; for records, what `to_json` does.

        ``dates`` concerns records, pages and sequences of them. Raises ConfigurationError for what
        has no JSON form.
        """
        check_dates(dates)
        ours = (Record, Page, InvalidRecord)
        several = value if isinstance(value, list | tuple) else [value]
        if all(isinstance(item, ours) for item in several):
            return to_json(value, dates=dates)
        try:
            return encode_json(self.unstructure(value))
        except RecursionError:
            pass
        raise ConfigurationError("nested too deeply for JSON")

    def structure(self, obj: Any, cl: type[T]) -> T:
        """The plain value ``obj`` as ``cl``; raises what `loads` does.

        A record keeps the dicts of ``obj`` as they are; copies are made by ``from_dict``.
        """
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

    def rows(
        self, body: bytes, cls: type[R], key: str = "created_at", keep_invalid: bool = False
    ) -> Rows[Any]:
        """The page of a listing in ``body``, as a walk over it wants it."""
        try:
            return scan.scanner_of(cls).rows(body, key)
        except scan.FAILURES:
            pass
        return self._rows_one_by_one(body, cls, key, keep_invalid)

    def _rows_one_by_one(
        self, body: bytes, cls: type[R], key: str, keep_invalid: bool
    ) -> Rows[Any]:
        envelope, texts = self._envelope(body, cls, keep_invalid)
        items: list[Any] = []
        ids: list[str | None] = []
        keys: list[int | None] = []
        invalid = 0
        for index, text in enumerate(texts):
            item, record_id, moment = self._row(bytes(text), cls, key, f"$.items[{index}]")
            if isinstance(item, InvalidRecord):
                invalid += 1
                if not keep_invalid or invalid > LARGEST_PAGE:
                    raise item.error
            items.append(item)
            ids.append(record_id)
            keys.append(None if moment is None else rules.micros(moment))
        return Rows(items, ids, keys, self._numbers(envelope, cls).total, invalid=invalid > 0)

    def _row(
        self, body: bytes, cls: type[R], key: str, path: str
    ) -> tuple[R | InvalidRecord, str | None, datetime | None]:
        """A record, its own id and the moment of its ``key``; what can be read if it is invalid."""
        try:
            record = self._record(body, cls)
            return record, getattr(record, scan.scanner_of(cls).own_id), getattr(record, key, None)
        except DecodeError as error:
            problem = rules.rooted(error, path)
        plain: Any = _readable(decode_loosely, body)
        fields = plain if isinstance(plain, dict) else {}
        record_id = _readable(_sound_id, fields.get(scan.scanner_of(cls).own_id))
        created_at = _readable(rules.moment, fields.get("created_at"))
        invalid = InvalidRecord(body, problem, record_id, created_at)
        return invalid, record_id, _readable(rules.moment, fields.get(key))

    def _record(self, body: bytes, cls: type[R]) -> R:
        try:
            return scan.scanner_of(cls).one(body)
        except scan.FAILURES:
            pass
        record: Any = self.structure(decode_any(body), cls)
        scan.learn(cls, record.extra)
        return cast(R, record)

    def _page(self, body: bytes, cls: type[R]) -> Page[R]:
        items = self.rows(body, cls).items
        page = self._numbers(self._envelope(body, cls)[0], cls)
        return attrs.evolve(page, items=items)

    def _envelope(
        self, body: bytes, cls: type[R], keep_invalid: bool = False
    ) -> tuple[dict[str, msgspec.Raw], list[msgspec.Raw]]:
        """The fields of a page without its items, and these, all as they came."""
        try:
            columns.check_text(body)
            fields = _scan_object(body)
            if cls is WebhookEvent and "items" not in fields:
                # The guide shows one bare object under "List webhook events".
                return _ONE, [msgspec.Raw(body)]
            return fields, _scan_array(fields.pop("items"))
        except (*scan.FAILURES, KeyError):
            pass
        plain = _readable(decode_loosely, body) if keep_invalid else None
        if isinstance(plain, dict) and isinstance(plain.get("items"), list):
            parts = outline.members(body)
            items = outline.elements(parts.pop("items"))
            fields = {name: msgspec.Raw(text) for name, text in parts.items()}
            return fields, [msgspec.Raw(text) for text in items]
        self.structure(decode_any(body), Page[cls])  # type: ignore[valid-type]
        raise DecodeError("invalid JSON")

    def _numbers(self, envelope: dict[str, msgspec.Raw], cls: type[R]) -> Page[R]:
        """The page of that envelope, still without items."""
        numbers = {name: decode_any(bytes(raw)) for name, raw in envelope.items()}
        page = self.structure({**numbers, "items": []}, Page[cls])  # type: ignore[valid-type]
        return cast(Page[R], page)


_scan_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_scan_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ONE = {name: msgspec.Raw(b"1") for name in ("total", "page", "size", "pages")}


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


def _sound_id(value: Any) -> str:
    return rules.own_id(value).encode().decode()  # not half of a surrogate pair


def _readable(rule: Callable[[Any], T], value: Any) -> T | None:
    try:
        return rule(value)
    except (TypeError, ValueError, DecodeError):
        return None


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
