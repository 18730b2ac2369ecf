"""What the resources share: calls with a deadline, listings, and the two spellings of an object."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from harbour_async._caller import Caller
from harbour_async._decoding import decode_page, decode_rows
from harbour_async._retry import AlreadyDeletedError
from harbour_async._rows import Rows
from harbour_async._wire import Request, query, segment, whole
from harbour_async.errors import ConfigurationError, NotFoundError
from harbour_async.models import Page
from harbour_async.pagination import Pager
from harbour_async.settings import Priority, Seconds, seconds

MAX_PAGE_SIZE = 100


class _Inherit:
    def __repr__(self) -> str:
        return "INHERIT"


INHERIT = _Inherit()
"""Stands for the session's setting where None already means "no limit"."""

CallTimeout = Seconds | None | _Inherit


class Resource:
    """Base of a resource that lives under ``plural``.

    The guide spells a single object's path in two ways, ``/verifications/{id}`` in the tables and
    ``/verification/{id}`` in the details. The plural is tried first and the singular when that
    answers 404; the spelling that once worked is the only one used from then on.
    """

    plural: str
    singular: str

    def __init__(self, caller: Caller, timeout: float | None) -> None:
        self._caller = caller
        self._timeout = timeout
        self._spelling: str | None = None

    def _call(self, request: Request, priority: Priority, timeout: CallTimeout) -> Awaitable[bytes]:
        return self._caller.call(request, priority=priority, deadline=self._deadline(timeout))

    def _deadline(self, timeout: CallTimeout) -> float | None:
        limit = self._timeout if isinstance(timeout, _Inherit) else _limit(timeout)
        return None if limit is None else asyncio.get_running_loop().time() + limit

    def _object(
        self,
        method: str,
        object_id: str,
        *,
        priority: Priority,
        timeout: CallTimeout,
        body: bytes | None = None,
    ) -> Awaitable[bytes]:
        """The answer for a single object, under whichever spelling the server knows."""
        escaped = segment(f"{self.singular}_id", object_id)
        deadline = self._deadline(timeout)

        def ask(spelling: str) -> Awaitable[bytes]:
            request = Request(method, f"{spelling}/{escaped}", body=body)
            return self._caller.call(request, priority=priority, deadline=deadline)

        return self._try_both(ask) if self._spelling is None else ask(self._spelling)

    async def _try_both(self, ask: Callable[[str], Awaitable[bytes]]) -> bytes:
        try:
            answer = await ask(self.plural)
            self._spelling = self.plural
        except (NotFoundError, AlreadyDeletedError) as not_found:
            try:
                answer = await ask(self.singular)
                self._spelling = self.singular
            except NotFoundError:
                raise not_found from None
        return answer

    async def _page(
        self,
        path: str,
        record: type[Any],
        params: Mapping[str, str],
        *,
        number: int,
        size: int,
        priority: Priority,
        timeout: CallTimeout,
    ) -> Page[Any]:
        whole("number", number, low=1)
        request = _page_request(path, query(params), number, _page_size(size))
        return decode_page(record, await self._call(request, priority, timeout))

    def _pager(
        self,
        path: str,
        record: type[Any],
        params: Mapping[str, str],
        *,
        order: str | None,
        priority: Priority,
        timeout: Seconds | None,
        key: str = "created_at",
        **walk: Any,
    ) -> Pager[Any]:
        """A pager over a listing; ``timeout`` counts from the walk's first request.

        ``key`` is the moment that the listing is ordered by.
        """
        limit = _limit(timeout)
        deadline: float | None = None
        filters = query(params)

        async def fetch(number: int, size: int) -> Rows[Any]:
            nonlocal deadline
            if limit is not None and deadline is None:
                deadline = self._deadline(limit)
            request = _page_request(path, filters, number, size)
            answer = await self._caller.call(request, priority=priority, deadline=deadline)
            return decode_rows(record, answer, key=key)

        listing = repr((path, sorted(params.items()), key))
        pager: Pager[Any] = Pager(fetch, listing=listing, order=order, **walk)
        pager._record, pager._budget = record, self._caller.budget
        return pager


def _page_request(path: str, filters: str, number: int, size: int) -> Request:
    page = f"page={number}&size={size}"
    return Request("GET", path, f"{page}&{filters}" if filters else page)


def _page_size(size: int) -> int:
    return whole("size", size, low=1, high=MAX_PAGE_SIZE)


def _limit(timeout: Seconds | None) -> float | None:
    limit = seconds(timeout)
    if limit is not None and not (isinstance(limit, int | float) and limit > 0):
        raise ConfigurationError(f"timeout must be above zero seconds, or None, not {timeout!r}")
    return limit
