"""Many verifications by their ids, in as few requests as possible."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from harbour_async._wire import segment
from harbour_async.errors import (
    ConfigurationError,
    HarbourError,
    IncompleteListingError,
    NotFoundError,
)
from harbour_async.models import InvalidRecord, Page, Verification
from harbour_async.pagination import Pager
from harbour_async.resources._loop import Loop

FEW = 3
"""Up to so many ids are fetched singly, because reading the listing takes a request itself."""

AT_ONCE = 8
"""Single gets that may be on their way at a time."""

PAGE = 100
OVERLAP = 1.15
"""Requests that a proved walk takes for each page (docs/completeness.md, "What it costs")."""

Get = Callable[[str], Awaitable[Verification]]
Walk = Callable[[str | None], Pager[Verification]]
Refused = Callable[[str, HarbourError], None]


class GetMany:
    """An asynchronous iterator of verifications, in the order found; each id once.

    It ends when all ids were found or are known to be ``missing``. Records of a walk lack the
    fields that only single objects have. Leaving the loop stops its requests; a second loop yields
    the rest. Tasks may share it: they take turns.

    get: one verification by its id.
    walk: a pager over the listing, with pages of 100 and ``on_invalid="keep"``; from the place of a
        token, or from the beginning.
    refused: called with an id and the error of fetching it singly. Without it, 404 makes the id
        missing and any other error ends the iteration.
    """

    def __init__(
        self,
        ids: Iterable[str],
        *,
        get: Get,
        walk: Walk,
        refused: Refused | None = None,
    ) -> None:
        self._asked = _distinct(ids)
        self._left = dict.fromkeys(self._asked)
        self._missing: set[str] = set()
        self._found: deque[Verification] = deque()
        self._singles = _Singles(get)
        self._listing = _Listing(walk)
        self._singly = len(self._asked) <= FEW
        self._refused = refused
        self._turn = asyncio.Lock()

    @property
    def missing(self) -> list[str]:
        """Ids that do not exist, in the order asked: all of them once the iteration has ended."""
        return [each for each in self._asked if each in self._missing]

    @property
    def requests(self) -> int:
        """How many pages and single objects were requested."""
        return self._listing.requests + self._singles.sent

    def __aiter__(self) -> Loop[Verification]:
        return Loop(self)

    async def __anext__(self) -> Verification:
        async with self._turn:
            try:
                while not self._found:
                    await self._find()
            except BaseException:
                self.stop()
                raise
            return self._found.popleft()

    def stop(self) -> None:
        """Stop sending requests, unless the iteration goes on."""
        self._listing.stop()
        self._singles.stop()

    async def _find(self) -> None:
        if not self._left:
            raise StopAsyncIteration
        if self._singly:
            await self._get_one()
        else:
            await self._read_page()

    async def _get_one(self) -> None:
        asked, answer = await self._singles.next(self._left)
        if isinstance(answer, Verification):
            self._found.append(answer)
        elif self._refused is not None:
            self._refused(asked, answer)
        elif isinstance(answer, NotFoundError):
            self._missing.add(asked)
        else:
            raise answer
        del self._left[asked]

    async def _read_page(self) -> None:
        page = await self._listing.next_page()
        if page is None:
            self._singly = True
            gone = self._listing.proved_absent(self._left)
            self._missing |= gone
            for each in gone:
                del self._left[each]
            return
        for record in page:
            if not isinstance(record, InvalidRecord) and record.verification_id in self._left:
                del self._left[record.verification_id]
                self._found.append(record)
        if len(self._left) < _requests_ahead(page):
            self._singly = True
            self._listing.stop()


class _Listing:
    """A proved walk over the listing, page by page. Once stopped, it goes on where it stood.

    A reader that gives up after some seconds each time would otherwise read the first pages only.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._pager: Pager[Verification] | None = None
        self._pages: AsyncIterator[Page[Verification]] | None = None
        self._earlier = 0
        self._unread: set[str | None] = set()

    @property
    def requests(self) -> int:
        return self._earlier + (self._pager.report.requests if self._pager else 0)

    async def next_page(self) -> Page[Verification] | None:
        """The next page, or None at the end, proved or not."""
        if self._pages is None:
            token = self._pager.resume_token if self._pager and self._pager.sound else None
            self._earlier, self._pager = self.requests, self._walk(token)
            self._pages = self._pager.pages()
        try:
            page = await anext(self._pages)
        except (StopAsyncIteration, IncompleteListingError):
            return None
        self._unread |= {each.record_id for each in page if isinstance(each, InvalidRecord)}
        return page

    def proved_absent(self, ids: Iterable[str]) -> set[str]:
        """The ids that are certainly not in the listing, once it has been read."""
        complete = self._pager is not None and self._pager.report.complete
        # A record without a readable id could be any of them.
        if not complete or None in self._unread:
            return set()
        return set(ids) - self._unread

    def stop(self) -> None:
        self._pages = None  # dropping an iteration stops it


class _Singles:
    """Single gets, a few at a time."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._queue: deque[str] | None = None
        self._tasks: dict[asyncio.Task[Verification], str] = {}
        self.sent = 0

    async def next(self, ids: Iterable[str]) -> tuple[str, Verification | HarbourError]:
        """An id of ``ids``, and its record or error."""
        if self._queue is None:
            self._queue = deque(ids)
        while self._queue and len(self._tasks) < AT_ONCE:
            each = self._queue.popleft()
            self._tasks[asyncio.ensure_future(self._ask(each))] = each
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = done.pop()
        if task not in self._tasks:  # another reader has stopped the requests
            return await self.next(ids)
        asked = self._tasks.pop(task)
        try:
            return asked, task.result()
        except HarbourError as error:
            return asked, error

    async def _ask(self, each: str) -> Verification:
        self.sent += 1
        return await self._get(each)

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            task.add_done_callback(_seen)
        self._tasks.clear()
        self._queue = None  # what was under way is fetched again if the iteration goes on


def _seen(task: asyncio.Task[Verification]) -> None:
    if not task.cancelled():
        task.exception()


def _requests_ahead(page: Page[Verification]) -> int:
    """About how many requests the walk takes from here to the end."""
    assert page.page is not None
    assert page.size is not None
    return math.ceil(max(0, page.total - page.page * page.size) / PAGE * OVERLAP)


def _distinct(ids: Iterable[str]) -> list[str]:
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise ConfigurationError(f"ids must be a list of verification ids, not {ids!r}")
    known: dict[str, None] = {}
    for each in ids:
        segment("verification_id", each)
        known[str.__str__(each)] = None
    return list(known)
