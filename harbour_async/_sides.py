"""One side of a comparison: its items one by one, each with its key.

A side is read once. Its keys are checked here: none may come twice, and in the ordered form they
must ascend.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Hashable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from typing import Any

from harbour_async._report import PagingReport
from harbour_async.errors import ConfigurationError, IncompleteListingError
from harbour_async.models import InvalidRecord

Key = Callable[[Any], Hashable]

_ID_FIELDS = ("event_id", "verification_id", "webhook_id")  # an event has its webhook's id as well
_IN_MEMORY = (list, set, dict, deque, KeysView, ValuesView, ItemsView)
_YIELD_EVERY = 1000  # items of a blocking source between two turns of the event loop


def record_id(item: Any) -> Hashable:
    """The id of a record, or of a mapping with the field names of one."""
    for name in _ID_FIELDS:
        value = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
        if value is not None:
            return str(value)
    raise ConfigurationError(f"key: a {type(item).__name__} has no id of a record: pass a function")


class Side:
    """The items of ``source``, each with its key.

    ``waiting`` holds the items whose partner has not come yet.
    """

    name = "local"

    def __init__(self, source: Any, key: Key | None, *, ordered: bool) -> None:
        self.waiting: dict[Hashable, Any] = {}
        self.ended: bool = False
        self.last: Hashable = None
        self._source = source
        self._key = key or record_id
        self._ordered = ordered
        self._seen: set[Hashable] = set()
        self._items: AsyncIterator[Any] | None = None
        self._taken = 0

    async def take(self) -> tuple[Hashable, Any] | None:
        """The next item and its key; None after the last one."""
        while not self.ended:
            try:
                item = await anext(self._opened())
            except StopAsyncIteration:
                self.ended = True
                break
            self._taken += 1
            if self._identified(item):
                key = self._key_of(item)
                self._check(key)
                return key, item
        return None

    async def close(self) -> None:
        """Close the iterator if this side made it; an iterator that was passed in stays open."""
        close = getattr(self._items, "aclose", None)
        if close is not None and self._items is not self._source:
            await close()

    def _identified(self, item: Any) -> bool:  # noqa: ARG002  (for Remote)
        return True

    def _key_of(self, item: Any) -> Hashable:
        return self._key(item)

    def _opened(self) -> AsyncIterator[Any]:
        if self._items is None:
            source = self._source
            # A container in memory may be changed while it is read, so take a snapshot.
            if isinstance(source, _IN_MEMORY):
                source = list(source)
            self._items = aiter(source) if isinstance(source, AsyncIterable) else _as_async(source)
        return self._items

    def _check(self, key: Hashable) -> None:
        # Keys may come from an answer, so the messages name the place instead.
        place = f"{self.name} item {self._taken}"
        if key is None:
            raise ConfigurationError(f"{place} has no key: the function returned None")
        if not _equals_itself(key):
            raise ConfigurationError(
                f"{place} has a key of type {type(key).__name__} that equals nothing, not even "
                "itself, so it can have no partner"
            )
        if self._ordered:
            if self._taken > 1 and not before(self.last, key):
                how = "the same key as" if key == self.last else "a key below that of"
                raise ConfigurationError(f"{place} has {how} the item before it: ordered=True")
        else:
            try:
                twice = key in self._seen
            except TypeError:
                raise ConfigurationError(
                    f"{place} has a key of type {type(key).__name__}, which cannot be hashed"
                ) from None
            if twice:
                raise ConfigurationError(f"{place} has a key that an item before it had")
            self._seen.add(key)
        self.last = key


class Remote(Side):
    """The remote side, which knows whether its listing was complete.

    An invalid record (``on_invalid="keep"``) counts as present by its id. If the id could not be
    read, it may be the partner of any local item.

    unproved: why the listing is not proved complete, once it has ended.
    withheld: how many local items were not called extra.
    """

    name = "remote"
    ended: bool

    def __init__(self, source: Any, key: Key | None, *, ordered: bool, local: Side) -> None:
        super().__init__(source, key, ordered=ordered)
        self.unproved: IncompleteListingError | None = None
        self.withheld = 0
        self._local = local
        self._by_id = key is None
        self._invalid = 0
        self._invalid_with_id = 0

    @property
    def report(self) -> PagingReport | None:
        """The report of the listing; None if the source is not a Pager."""
        if not isinstance(getattr(self._source, "report", None), PagingReport):
            return None
        # Of this walk: the pager's own report is that of the walk begun last.
        report: PagingReport = getattr(self._items, "_walk", self._source).report
        return report

    @property
    def sure(self) -> bool:
        """Whether a local item without a partner is extra for certain, once this side has ended."""
        return self.unproved is None and not self._unidentified

    @property
    def _unidentified(self) -> int:
        # A function given as on_invalid may have dropped or replaced some, so the report counts.
        invalid = self._invalid if self.report is None else self.report.invalid
        return invalid - self._invalid_with_id

    def raise_if_unsure(self) -> None:
        """Raise IncompleteListingError if extras were withheld, or the proof failed."""
        if self.unproved is not None:
            raise self.unproved
        if self.withheld:
            raise IncompleteListingError(
                f"local items without a remote record ({self.withheld}) may be among the invalid "
                f"ones whose id is not known ({self._unidentified})",
                report=self.report or PagingReport(),
            )

    async def take(self) -> tuple[Hashable, Any] | None:
        try:
            entry = await super().take()
        except IncompleteListingError as error:
            self.ended, self.unproved = True, error
            return None
        report = self.report
        if entry is None and report is not None and not report.complete and self.unproved is None:
            self.unproved = IncompleteListingError(
                f"the remote listing is not proved complete ({report.reason}), so no record can be "
                "called extra",
                report=report,
            )
        if self._taken == 1 and not self._local.ended:
            _check_kinds(self.last, self._local.last)
        return entry

    def _identified(self, item: Any) -> bool:
        if not isinstance(item, InvalidRecord):
            return True
        self._invalid += 1
        # With a key function the key of an invalid record is not known.
        known = self._by_id and item.record_id is not None
        self._invalid_with_id += known
        return known

    def _key_of(self, item: Any) -> Hashable:
        return item.record_id if isinstance(item, InvalidRecord) else super()._key_of(item)


def _equals_itself(key: Hashable) -> bool:
    """False for NaN and its like, which stand for a missing value in tables."""
    try:
        return bool(key == key)
    except Exception:  # pandas.NA, an array
        return False


def _check_kinds(remote: Hashable, local: Hashable) -> None:
    # A str equals no other type, so every record would be missing and every row extra.
    if isinstance(remote, str) != isinstance(local, str):
        raise ConfigurationError(
            f"key: remote keys are {type(remote).__name__}, local ones {type(local).__name__}, "
            "so none can match: pass a pair of functions"
        )


def before(one: Any, other: Any) -> bool:
    """Whether a key comes before another."""
    try:
        return bool(one < other)
    except TypeError:
        raise ConfigurationError(
            f"keys of {type(one).__name__} and {type(other).__name__} have no order"
        ) from None


async def _as_async(source: Iterable[Any]) -> AsyncIterator[Any]:
    """A blocking source as an asynchronous one, which lets other tasks run in between."""
    items: Iterator[Any] = iter(source)
    for number, item in enumerate(items, 1):
        yield item
        if number % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
