"""A record's fields, by what is to be done with them. The annotations are all there is to know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, get_args, get_origin

import attrs
from msgspec import Meta, Raw

from harbour_async._decoding import rules
from harbour_async.models import Id

_ID = Annotated[str, Meta(min_length=1)]
_MOMENT = Annotated[int, Meta(ge=rules.FIRST_MS, le=rules.LAST_MS)] | str


class Fields:
    """``extra`` aside; ``learned`` are names of further, unknown fields."""

    def __init__(self, record: type, own_id: str, learned: Sequence[str]) -> None:
        self.shapes = {f.name: f.type for f in attrs.fields(attrs.resolve_types(record))}
        del self.shapes["extra"]
        self.own_id = own_id
        self.moments = self._of(lambda shape: datetime in get_args(shape))
        self.payloads = self._of(lambda shape: scanned_as(shape) is Raw)
        self.enums = self._of(rules.open_enum)
        self.lists = self._of(lambda shape: scanned_as(shape) == list[str] | None)
        self.made = (*self.moments, *self.payloads, *self.enums)
        # Their names may be anything, so they get others.
        self.unknown = {f"x{index}": name for index, name in enumerate(learned)}

    def _of(self, kind: Callable[[Any], object]) -> tuple[str, ...]:
        return tuple(name for name, shape in self.shapes.items() if kind(shape))


def scanned_as(shape: Any) -> Any:
    """What msgspec is to take for a field of that shape."""
    parts = get_args(shape)
    if shape == Id:
        return _ID
    if Id in parts:
        return _ID | None
    if datetime in parts:
        return _MOMENT | None
    if any(get_origin(part) is dict for part in parts):
        return Raw
    if any(get_origin(part) is list for part in parts):
        return list[str] | None
    return str | None if rules.open_enum(shape) else shape
