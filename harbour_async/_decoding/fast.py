"""The fast path: bytes to records without looking at a record twice.

msgspec scans the body into wire structs, columns of these are checked so that nothing can turn out
wrong when it is read, and records are views of them. Any doubt is one of `FAILURES`: this path
never says what is wrong, the explaining one does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import defstruct
from msgspec.json import Decoder

from harbour_async._decoding import columns, rules
from harbour_async._decoding.fields import Fields
from harbour_async._decoding.wire import Wire, derive
from harbour_async._record import Record, views
from harbour_async._rows import Rows

R = TypeVar("R", bound=Record)

FAILURES = (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError)
"""What a body can make the fast path raise (UnicodeDecodeError is a ValueError)."""

MAX_LEARNED = 64
# msgspec cannot name a field like that; \x7f is the one name that wire structs use themselves.
_UNUSABLE = re.compile(r'[\\"\x00-\x1f\x7f]')


class FastPath(Generic[R]):
    """Decodes one record class, and fields of ``learned`` names besides those of the class.

    Without these, a server that has learned a new field would put every page on the slow path.
    """

    def __init__(self, record: type[R], own_id: str, learned: tuple[str, ...] = ()) -> None:
        self._record = record
        self._own_id = own_id
        self.learned = learned
        struct = derive(Fields(record, own_id, learned))
        self._settle = struct.settle
        self._moments = struct.moments
        envelope = [("items", list[struct]), ("total", Any)]  # type: ignore[valid-type]
        numbers = [(name, Any, None) for name in ("page", "size", "pages")]
        page = defstruct("PageWire", [*envelope, *numbers], gc=False)
        self._scan_one: Callable[[bytes], Any] = Decoder(struct).decode
        self._scan_page: Callable[[bytes], Any] = Decoder(page).decode

    def learn(self, names: Iterable[str]) -> FastPath[R]:
        """One that knows ``names`` as well; self if there is nothing (more) to learn."""
        new = {name for name in names if not _UNUSABLE.search(name)}.difference(self.learned)
        if not new or len(self.learned) + len(new) > MAX_LEARNED:
            return self
        return FastPath(self._record, self._own_id, (*self.learned, *sorted(new)))

    def record(self, body: bytes) -> R:
        """The single object in ``body``."""
        columns.check_text(body)
        return self._checked([self._scan_one(body)]).items[0]

    def rows(self, body: bytes, key: str = "created_at") -> Rows[R]:
        """The page of a listing in ``body``, ordered by the moment ``key``."""
        columns.check_text(body)
        page = self._scan_page(body)
        for number in (page.page, page.size, page.pages):
            if number is not None:
                rules.count(number)
        return self._checked(page.items, rules.count(page.total), key)

    def _checked(self, items: Sequence[Wire], total: int = 1, key: str = "created_at") -> Rows[R]:
        ids, *moments = self._settle(items)
        keys: list[int | None] = [None] * len(items)
        for name, column in zip(self._moments, moments, strict=True):
            if name == key:
                keys = columns.to_micros(column)
            else:
                columns.check_moments(column)
        return Rows(items=views(self._record, items), ids=ids, keys=keys, total=total)
