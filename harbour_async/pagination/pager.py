"""A listing to walk."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from types import TracebackType
from typing import Generic, TypeVar
from weakref import WeakSet

from attrs import evolve

from harbour_async._report import PagingReport
from harbour_async.errors import ConfigurationError
from harbour_async.pagination import _token
from harbour_async.pagination._cursor import Cursor
from harbour_async.pagination._flight import Fetch
from harbour_async.pagination._iteration import Pages, Records
from harbour_async.pagination._newest_first import NewestFirst
from harbour_async.pagination._oldest_first import OldestFirst
from harbour_async.pagination._plan import Plan
from harbour_async.pagination._scan import Scan
from harbour_async.pagination._walk import Options, Walk
from harbour_async.pagination._windows import LARGEST

T = TypeVar("T")


class Pager(Generic[T]):
    """A listing: iterate over its records, its ``pages()``, or ask for a few of them.

    With ``complete``, and ordered by created_at, every record that exists from the walk's first
    answer to its last is yielded exactly once and any other at most once, however many are created
    and deleted meanwhile; if that cannot be proved, IncompleteListingError is raised after
    everything found was yielded (docs/completeness.md). In other orders no id is yielded twice.

    Each iteration is a new walk; ``report`` and ``resume_token`` speak of the one begun last.
    Leaving the loop stops prefetching at once; ``async with pager:`` also waits until that is done.
    Tasks that share one ``aiter(pager)`` share its records: each goes to one of them.
    What ``fetch`` raises ends the walk, with the ``resume_token`` on it if it is a HarbourError.

    fetch: answers page (from 1) and size (1 to 100) with a Rows of one moment.
    listing: identifies resource and filters, so that a token of another listing is refused.
    order: "field ASC" or "field DESC"; None if the server's order is not known.
    page_size: records a page, 1 to 100.
    max_items: stop after so many records; no proof is owed then. None: all.
    concurrency: pages that may be on their way, or read ahead, at a time.
    complete: prove the listing complete where its order allows.
    resume: a ``resume_token`` to go on from.
    until: stop before the first record for which this is true; no proof is owed then.

    Raises ConfigurationError at once for arguments that cannot be used.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        *,
        listing: str,
        order: str | None = "created_at DESC",
        page_size: int = 100,
        max_items: int | None = None,
        concurrency: int = 4,
        complete: bool = True,
        resume: str | None = None,
        until: Callable[[T], bool] | None = None,
    ) -> None:
        _check("page_size", page_size, LARGEST)
        _check("concurrency", concurrency)
        if max_items is not None:
            _check("max_items", max_items)
            page_size = min(page_size, max_items)
        if order is not None and not re.fullmatch(r"\w+ (ASC|DESC)", order):
            raise ConfigurationError(f"order must be 'field ASC' or 'field DESC', not {order!r}")
        self._fetch = fetch
        self._complete = complete
        self._options = Options(
            listing, order, page_size, max_items, concurrency, until, not self._unprovable(order)
        )
        self._start = None if resume is None else _token.unpack(resume, listing, order)
        self._plan()  # a token that cannot be used is refused here
        self._walk: Walk[T] | None = None
        self._walks: WeakSet[Walk[T]] = WeakSet()

    def __aiter__(self) -> Records[T]:
        return Records(self._begin())

    def pages(self) -> Pages[T]:
        """The records in batches, as they come: what is new in each page that was requested.

        ``page``, ``size`` and ``total`` are of that request and its answer. A token counts a
        page's records as given once the page is.
        """
        return Pages(self._begin())

    async def first(self) -> T | None:
        """The first record, or None; one small request, unless there is a place to find first."""
        only = copy(self)
        only._options = evolve(self._options, max_items=1, page_size=1)
        iteration = aiter(only)
        try:
            return await anext(iteration, None)
        finally:
            await iteration.aclose()

    async def to_list(self) -> list[T]:
        """All records, by a walk of its own."""
        return [record async for record in self]

    async def count(self) -> int:
        """How many records the server says the listing has now; one small request."""
        return (await self._fetch(1, 1)).total

    @property
    def resume_token(self) -> str:
        """Where the walk stands, to the record: what was yielded last is not yielded again.

        ``resume=`` goes on from there, in another process too, and both parts together keep the
        promise of one walk, whatever was created or deleted between them. Orders that prove
        nothing, and walks that lost their proof, go on at the same position, which is as good as
        can be: what is met again there may be yielded again.
        """
        return (self._walk or Walk(self._fetch, self._plan(), self._options)).token

    @property
    def report(self) -> PagingReport:
        """The account of the walk so far."""
        return self._walk.report if self._walk else PagingReport()

    async def __aenter__(self) -> Pager[T]:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for walk in list(self._walks):
            await walk.close()

    def _begin(self) -> Walk[T]:
        self._walk = Walk(self._fetch, self._plan(), self._options)
        self._walks.add(self._walk)
        return self._walk

    def _plan(self) -> Plan:
        options, state = self._options, self._start or {}
        reason = self._unprovable(options.order)
        try:
            if reason or state.get("scan"):
                reason = reason or "an earlier part of this walk could not be proved"
                at, last = state.get("at", 0), state.get("last")
                passed = Cursor(state.get("key"), dict.fromkeys(state.get("ties", ())))
                return Scan(options.page_size, reason, at=at, last=last, start=passed)
            if options.order and options.order.endswith("ASC"):
                return OldestFirst(options.page_size, state, limit=options.max_items)
            return NewestFirst(options.page_size, state)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError("resume: this token is damaged") from error

    def _unprovable(self, order: str | None) -> str | None:
        """Why no proof is owed, or None."""
        if not self._complete:
            return "no proof was asked for"
        if order is None:
            return "the server's order is not known"
        field = order.partition(" ")[0]
        return None if field == "created_at" else f"{field} can change while one reads"


def _check(name: str, value: object, most: int | None = None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and value >= 1 and (most is None or value <= most)):  # type: ignore[operator]
        limits = f"from 1 to {most}" if most else "above zero"
        raise ConfigurationError(f"{name} must be a whole number {limits}, not {value!r}")
