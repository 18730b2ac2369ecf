"""A listing to walk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from copy import copy
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar
from weakref import WeakSet

from harbour_async._callbacks import check_function
from harbour_async._frames import dropped_frames
from harbour_async._report import PagingReport
from harbour_async.errors import ConfigurationError
from harbour_async.pagination import _token
from harbour_async.pagination._batch import OnInvalid
from harbour_async.pagination._cursor import Cursor, version
from harbour_async.pagination._iteration import Pages, Records
from harbour_async.pagination._overlap import Overlap
from harbour_async.pagination._plan import Plan
from harbour_async.pagination._prefetch import Fetch
from harbour_async.pagination._scan import Scan
from harbour_async.pagination._walk import Source, Walk, WalkOptions
from harbour_async.pagination._window import LARGEST

T = TypeVar("T")


class Pager(Generic[T]):
    """A listing: iterate over its records, its ``pages()``, or ask for a few of them.

    With ``complete``, and ordered by created_at, every record that exists from the walk's first
    answer to its last is yielded exactly once and any other at most once, however many are created
    and deleted meanwhile. If that cannot be proved, IncompleteListingError is raised after
    everything found was yielded (docs/completeness.md). In other orders no id is yielded twice.

    Each iteration is a new walk; ``report`` and ``resume_token`` speak of the one begun last.
    Leaving the loop stops prefetching at once; ``async with pager:`` also waits until that is done.
    Tasks that share one ``aiter(pager)`` share its records: each goes to one of them. Closing it
    ends it for all of them.
    An error of ``fetch`` ends the walk; if it is a HarbourError, it has the ``resume_token``.

    fetch: answers a page (from 1) and a size (1 to 100) with ``Rows``.
    listing: identifies resource and filters, so that a token of another listing is refused.
    order: "field ASC" or "field DESC"; None if the server's order is not known.
    page_size: records a page, 1 to 100.
    max_items: stop after so many records; the listing is not proved then. None: all.
    concurrency: pages that may be on their way, or read ahead, at a time.
    complete: prove the listing complete where its order allows.
    resume: a ``resume_token`` to go on from.
    on_invalid: "raise" or "keep" what breaks a rule of the wire, or a function that gets the
        InvalidRecord: what it returns is yielded, None drops the record, raising ends the walk.
    since: in ascending order only: read what has this key (microseconds since 1970 UTC) or a later
        one, at least once. With ``resume`` the walk begins where its token stands.
    lookback: microseconds to go back before the key of ``resume``.
    source: where the records come from, for exports and errors.
    begin: makes the ``fetch`` of each walk, where that has a state, like a deadline.

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
        on_invalid: OnInvalid = "raise",
        since: int | None = None,
        lookback: int = 0,
        source: Source | None = None,
        begin: Callable[[], Fetch[T]] | None = None,
    ) -> None:
        _check("page_size", page_size, LARGEST)
        _check("concurrency", concurrency)
        if max_items is not None:
            _check("max_items", max_items)
            page_size = min(page_size, max_items)
        if not isinstance(complete, bool):
            raise ConfigurationError(f"complete must be True or False, not {complete!r}")
        if order is not None and not re.fullmatch(r"\w+ (ASC|DESC)", order):
            raise ConfigurationError(f"order must be 'field ASC' or 'field DESC', not {order!r}")
        if on_invalid not in ("raise", "keep"):
            check_function("on_invalid", on_invalid, '"raise", "keep" or a function')
        self._fetching = begin or (lambda: fetch)
        self._complete = complete
        self._since = since
        self._lookback = lookback
        self._options = WalkOptions(
            listing=listing,
            order=order,
            page_size=page_size,
            max_items=max_items,
            concurrency=concurrency,
            on_invalid=on_invalid,
            proof=self._unprovable(order) is None,
            source=source,
        )
        self._start = None if resume is None else _token.unpack(resume, listing, order)
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
        only = self._with(self._options._replace(max_items=1, page_size=1))
        iteration = aiter(only)
        try:
            return await anext(iteration, None)
        finally:
            await iteration.aclose()

    async def to_list(self) -> list[T]:
        """All records, by a walk of its own."""
        with dropped_frames():
            return [record async for record in self]

    async def count(self) -> int:
        """How many records the server says the listing has now; one small request."""
        return (await self._fetching()(1, 1)).total

    @property
    def resume_token(self) -> str:
        """Where the walk stands, to the record: what was yielded last is not yielded again.

        ``resume=`` goes on from there, in another process too, and both parts together keep the
        promise of one walk, whatever was created or deleted between them. In an order that proves
        nothing, and after a lost proof, the walk goes on at the same position in the list, and
        records that have moved there may be yielded again.
        """
        return (self._walk or Walk(self._fetching(), self._plan(), self._options)).token

    @property
    def sound(self) -> bool:
        """Whether the proof has not been lost so far, so that a token leads to a proof, too."""
        return self._walk is None or self._walk.sound

    @property
    def resumed(self) -> bool:
        """Whether it goes on from a token, so that it gives only the rest of the listing."""
        return self._start is not None

    @property
    def of_changes(self) -> bool:
        """Whether it gives only what was updated since a moment."""
        return self._since is not None

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

    def __repr__(self) -> str:
        source = self._options.source
        of = "records" if source is None else source.record.__name__
        report = self.report
        state = "complete" if report.complete else report.reason
        order = self._options.order or "unknown order"
        return f"<Pager of {of}, {order}: {report.yielded} yielded, {state}>"

    if not TYPE_CHECKING:
        # For a checker they would make it an iterable of Never, and hide the mistakes.

        def __iter__(self) -> NoReturn:
            raise TypeError("a Pager is asynchronous: use `async for record in pager`")

        def __await__(self) -> NoReturn:
            raise TypeError("a Pager is iterated: use `async for`, or `await pager.to_list()`")

        def __len__(self) -> NoReturn:
            raise TypeError("the length takes a request: use `await pager.count()`")

        def __getitem__(self, index: object) -> NoReturn:
            raise TypeError("a Pager has no index: use `await pager.first()` or `to_list()`")

    def __bool__(self) -> bool:
        return True  # else `if pager` would ask for the length

    @property
    def _identity(self) -> str:
        """Tells listings, filters and orders apart; for checkpoints that outlive the process."""
        text = repr((self._options.listing, self._options.order))
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def _token_at(self, key: int, ids: Iterable[str], index: int) -> str:
        """The token of a walk that has passed ``ids``, which share ``key``, and is at ``index``."""
        state = {"key": key, "ties": list(ids), "at": index}
        return _token.pack(self._options.listing, self._options.order, state)

    def _from(self, token: str, given: int = 0) -> Pager[T]:
        """The same listing from where ``token`` stands, ``given`` records less of ``max_items``."""
        options = self._options
        if options.max_items is not None:
            options = options._replace(max_items=options.max_items - given)
        other = self._with(options)
        other._start = _token.unpack(token, options.listing, options.order)
        other._lookback = 0
        return other

    def _keeping(self) -> Pager[Any]:
        """The same listing; what breaks a rule stays in its place, where it would end the walk.

        Always another pager: the report and token of this one may be those of another walk.
        """
        options = self._options
        return self._with(
            options._replace(on_invalid="keep") if options.on_invalid == "raise" else options
        )

    def _with(self, options: WalkOptions) -> Pager[Any]:
        other = copy(self)
        other._options = options
        other._walk, other._walks = None, WeakSet()
        return other

    def _begin(self) -> Walk[T]:
        self._walk = Walk(self._fetching(), self._plan(), self._options)
        self._walks.add(self._walk)
        return self._walk

    def _plan(self) -> Plan:
        size, state = self._options.page_size, self._start or {}
        cursor = Cursor(state.get("key"), dict.fromkeys(state.get("ties", ())))
        reason = self._unprovable(self._options.order)
        if state.get("scan") and not reason:
            reason = "an earlier part of this walk could not be proved"
        if reason:
            at, last = state.get("at", 0), state.get("last")
            by_creation = (self._options.order or "").startswith("created_at ")
            return Scan(size, reason, at=at, last=last, start=cursor, ordered=by_creation)
        place, assumed = state.get("at", 0), state.get("assumed")
        if self._since is None:
            # A listing: each id once, in the order of creation.
            return Overlap(size, cursor, place, assumed=assumed)
        # Changes: an id may come again, under a later key ("Changes" in docs/completeness.md).
        if cursor.key is None:
            return Overlap(size, Cursor(self._since), identity=version)
        # Going back before the token meets again what was given at its key.
        known = cursor if self._lookback else None
        begin = Cursor(cursor.key - self._lookback) if self._lookback else cursor
        return Overlap(size, begin, place, known=known, identity=version, assumed=assumed)

    def _unprovable(self, order: str | None) -> str | None:
        """Why nothing can be proved, or None (docs/completeness.md, "What is not promised")."""
        if not self._complete:
            return "no proof was asked for"
        if order is None:
            return "the server's order is not known"
        field, _, direction = order.partition(" ")
        if field == "created_at" or (self._since is not None and direction == "ASC"):
            return None
        return f"{field} can change while one reads"


def _check(name: str, value: object, most: int | None = None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and value >= 1 and (most is None or value <= most)):  # type: ignore[operator]
        limits = f"from 1 to {most}" if most else "above zero"
        raise ConfigurationError(f"{name} must be a whole number {limits}, not {value!r}")
