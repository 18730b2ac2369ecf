"""The fast path: bytes to records without a step of Python for most of their fields.

msgspec scans a body into structs (`lazy.Lazy`) whose types are derived from the records'
annotations. Columns of these are then checked, so that nothing can turn out wrong when it is read.
Any doubt is one of `FAILURES`. This path never says what is wrong; `rules` do, on plain values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, cast, get_args, get_origin

import attrs
import msgspec
from msgspec import Meta, Raw, defstruct
from msgspec.json import Decoder

from harbour_async._decoding import columns, lazy, rules
from harbour_async._decoding.lazy import Lazy
from harbour_async._record import Record, views
from harbour_async._rows import Rows
from harbour_async.models import Id, WebhookEvent

R = TypeVar("R", bound=Record)

FAILURES = (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError)
"""What a body can make the fast path raise (UnicodeDecodeError is a ValueError)."""

MAX_LEARNED = 64

_ID = Annotated[str, Meta(min_length=1)]
_MOMENT = Annotated[int, Meta(ge=rules.FIRST_MS, le=rules.LAST_MS)] | str | None
_NOTHING = Annotated[int, Meta(gt=0, lt=0)]  # no value is of this type

# msgspec cannot name a field like that. \x7f begins the names of what never comes over the wire.
_UNUSABLE = re.compile(r'[\\"\x00-\x1f\x7f]')


class Scanner(Generic[R]):
    """Decodes one record class, with fields of ``learned`` names besides those of the class.

    msgspec drops or refuses what it does not know. Without the learned names, every page of a
    server that has a new field would take the slow path.
    """

    def __init__(self, record: type[Any], learned: tuple[str, ...] = ()) -> None:
        self._record = record
        self.learned = learned
        self.own_id = "event_id" if record is WebhookEvent else attrs.fields(record)[0].name
        shapes = {f.name: f.type for f in attrs.fields(attrs.resolve_types(record))}
        fields = [_field(name, shape) for name, shape in shapes.items() if name != "extra"]
        self._attributes = {field.name: field.attribute for field in fields}
        self._moments = _names(fields, _MOMENT)
        self._read = columns.reading([self.own_id, *(f"raw_{name}" for name in self._moments)])
        self._settle_payloads = columns.settling(_names(fields, Raw))
        self.struct = _struct(record, fields, learned)
        envelope = [("items", list[self.struct]), ("total", Any)]  # type: ignore[name-defined]
        numbers = [(name, Any, None) for name in ("page", "size", "pages")]
        page = defstruct("PageEnvelope", [*envelope, *numbers], gc=False)
        self._scan_one: Callable[[bytes], Any] = Decoder(self.struct).decode
        self._scan_page: Callable[[bytes], Any] = Decoder(page).decode

    def one(self, body: bytes) -> R:
        """The single object in ``body``."""
        columns.check_text(body)
        item = self._scan_one(body)
        self._settle([item])
        return cast(R, views(self._record, [item])[0])

    def rows(self, body: bytes, key: str) -> Rows[R]:
        """The page of a listing in ``body``; ``key`` names the field of its ``keys``."""
        columns.check_text(body)
        page = self._scan_page(body)
        for number in (page.page, page.size, page.pages):
            if number is not None:
                rules.count(number)
        ids, keys = self._settle(page.items, key)
        return Rows(views(self._record, page.items), ids, keys, rules.count(page.total))

    def made(self, values: dict[str, Any], extra: dict[str, Any]) -> R:
        """A record of plain values, which have to have passed the rules."""
        attributes = {self._attributes[name]: value for name, value in values.items()}
        [record] = views(self._record, [self.struct(**attributes, made_extra=extra)])
        return cast(R, record)

    def learn(self, names: Iterable[str]) -> Scanner[R]:
        """One that knows ``names`` as well; self if there is nothing (more) to learn."""
        new = {name for name in names if not _UNUSABLE.search(name)}.difference(self.learned)
        if not new or len(self.learned) + len(new) > MAX_LEARNED:
            return self
        return Scanner(self._record, (*self.learned, *sorted(new)))

    def _settle(
        self, items: Sequence[Lazy], key: str = ""
    ) -> tuple[list[str | None], list[int | None]]:
        """Copy and check what was scanned; the ids, and the moments of the field ``key``."""
        self._settle_payloads(items)
        for attribute in self.struct.unknown:
            columns.settle(items, attribute, columns.copies)
        ids, *moments = self._read(items)
        keys: list[int | None] = [None] * len(items)
        for name, values in zip(self._moments, moments, strict=True):
            if name == key:
                keys = columns.micros(values)
            else:
                columns.check_moments(values)
        return ids, keys


_scanners: dict[type, Scanner[Any]] = {}


def scanner_of(record: type[R]) -> Scanner[R]:
    """The scan of a record class, made when it is first asked for."""
    if record not in _scanners:
        _scanners[record] = Scanner(record)
    return _scanners[record]


def learn(record: type[R], names: Iterable[str]) -> None:
    """Have the next bodies of ``record`` scanned with fields of ``names``."""
    _scanners[record] = scanner_of(record).learn(names)


# --- types ----------------------------------------------------------------------------------


class _Field(NamedTuple):
    """One field of a record: what msgspec takes for it, and how it is made when it is read."""

    name: str
    scanned: Any
    read: lazy.Read | None = None
    """None if what was scanned is the value."""
    known: Callable[[str], Any] | None = None
    """The meaning of each string, for a list of an open enum's values."""

    @property
    def attribute(self) -> str:
        return f"raw_{self.name}" if self.read else self.name


def _field(name: str, shape: Any) -> _Field:
    """The annotation is all there is to know."""
    parts = get_args(shape)
    if shape == Id:
        return _Field(name, _ID)
    if Id in parts:
        return _Field(name, _ID | None)
    if datetime in parts:
        return _Field(name, _MOMENT, lazy.moment(name))
    if any(get_origin(part) is dict for part in parts):
        return _Field(name, Raw, lazy.payload(name))
    if enum := rules.open_enum(shape):
        return _Field(name, str | None, lazy.open_enum(name, rules.known_value(enum)))
    for part in parts:
        if get_origin(part) is list and (enum := rules.open_enum(*get_args(part))):
            known = rules.known_value(enum)
            return _Field(name, list[str] | None, lazy.enum_list(name, known), known)
    return _Field(name, shape)


def _struct(record: type, fields: Sequence[_Field], learned: Sequence[str]) -> type[Lazy]:
    """The struct of a record class."""
    unknown = {f"x{index}": name for index, name in enumerate(learned)}
    lists = {field.name: field.known for field in fields if field.known}
    made = [f"made_{name}" for name in (*lists, "extra")]
    getters = {field.name: field.read for field in fields if field.read}
    own_id, *optional = fields
    struct: Any = defstruct(
        f"Lazy{record.__name__}",
        [
            (own_id.name, own_id.scanned),
            *(_column(field.attribute, field.scanned, field.name) for field in optional),
            *(_column(attribute, Raw, name) for attribute, name in unknown.items()),
            *(_column(attribute, _NOTHING, f"\x7f{attribute}") for attribute in made),
        ],
        bases=(Lazy,),
        namespace={n: property(read) for n, read in {**getters, "extra": lazy.extra}.items()},
        forbid_unknown_fields=True,
    )
    struct.record, struct.unknown = record, unknown
    attributes = {field.name: field.attribute for field in fields}
    texts = _names(fields, list[str] | None)
    struct.write = lazy.writer(attributes, _names(fields, Raw), texts, lists)
    return cast(type[Lazy], struct)


def _column(attribute: str, kind: Any, name: str) -> tuple[str, Any, Any]:
    return attribute, kind, msgspec.field(default=None, name=name)


def _names(fields: Sequence[_Field], scanned: Any) -> list[str]:
    return [field.name for field in fields if field.scanned == scanned]
