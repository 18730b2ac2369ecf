"""What the resources share: calls with a deadline, listings, and the two spellings of an object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from harbour_async._caller import Caller, named, time_limit
from harbour_async._decoding import decode_any, decode_page, decode_record, decode_rows, encode_json
from harbour_async._lifetime import Call
from harbour_async._retry import AlreadyDeletedError
from harbour_async._rows import Rows
from harbour_async._wire import Request, extra, json_text, query, segment, whole
from harbour_async.errors import (
    APIStatusError,
    HarbourError,
    NotFoundError,
    PermissionDeniedError,
)
from harbour_async.models import InvalidRecord, Page
from harbour_async.pagination import Fetch, Pager, Source
from harbour_async.settings import Inherit, Priority, Seconds

MAX_PAGE_SIZE = 100

T = TypeVar("T")

CallTimeout = Seconds | None | Inherit
CallPriority = Priority | Inherit

# Answers below 500 that say nothing about the route.
_UNDECIDED = {401, 408, 425, 429}

Spellings = dict[tuple[str, str], str]
"""The spelling that worked: (plural, method) to plural or singular."""


class Resource:
    """Base of a resource that lives under ``plural``.

    The guide spells a single object's path in two ways, ``/verifications/{id}`` in the tables and
    ``/verification/{id}`` in the details, and mixes them from method to method. The plural is tried
    first, and the singular when the server does not know that route; the spelling that worked for a
    method is the only one used for it from then on.
    """

    plural: str
    singular: str

    def __init__(self, caller: Caller, spellings: Spellings) -> None:
        self._caller = caller
        self._spellings = spellings

    def _call(
        self,
        request: Request,
        decode: Callable[[bytes], T],
        priority: CallPriority,
        timeout: CallTimeout,
    ) -> Awaitable[T]:
        caller = self._caller
        return caller.call(
            request,
            _body_read_by(decode),
            priority=caller.lane(priority, Priority.INTERACTIVE),
            deadline=caller.deadline(timeout),
        )

    def _object(
        self,
        method: str,
        object_id: str,
        decode: Callable[[bytes], T],
        *,
        priority: CallPriority,
        timeout: CallTimeout,
        body: bytes | None = None,
    ) -> Awaitable[T]:
        """The answer for a single object, under whichever spelling the server knows."""
        ask = partial(
            self._ask,
            method,
            segment(f"{self.singular}_id", object_id),
            body,
            _body_read_by(decode),
            self._caller.lane(priority, Priority.INTERACTIVE),
            self._caller.deadline(timeout),
        )
        known = self._spellings.get((self.plural, method))
        return self._try_both(method, ask) if known is None else ask(known)

    def _ask(
        self,
        method: str,
        escaped_id: str,
        body: bytes | None,
        read: Callable[[Call], T],
        priority: Priority,
        deadline: float | None,
        spelling: str,
    ) -> Awaitable[T]:
        pattern = f"{spelling}/{{{self.singular}_id}}"
        request = Request(method, f"{spelling}/{escaped_id}", body=body, pattern=pattern)
        return self._caller.call(request, read, priority=priority, deadline=deadline)

    async def _try_both(self, method: str, ask: Callable[[str], Awaitable[T]]) -> T:
        try:
            return await self._remembered(method, self.plural, ask)
        except HarbourError as error:
            if not _may_be_unknown_route(error):
                raise
            first = error
        try:
            return await self._remembered(method, self.singular, ask)
        except HarbourError as error:
            if not _first_stands(first, error):
                raise
            second = error
        first.add_note(f"the other spelling failed, too: {second}")
        raise first from second

    async def _remembered(
        self, method: str, spelling: str, ask: Callable[[str], Awaitable[T]]
    ) -> T:
        answer = await ask(spelling)
        self._spellings[self.plural, method] = spelling
        return answer

    async def _receipt(
        self,
        cls: type[Any],
        method: str,
        object_id: str,
        *,
        priority: CallPriority,
        timeout: CallTimeout,
        body: bytes | None = None,
    ) -> Any:
        """The receipt of a PUT or DELETE, also of a DELETE whose first answer was lost."""
        decode = partial(_decode_receipt, cls, f"{self.singular}_id", object_id)
        try:
            return await self._object(
                method, object_id, decode, body=body, priority=priority, timeout=timeout
            )
        except AlreadyDeletedError:
            return cls(str.__str__(object_id))

    async def _page(
        self,
        path: str,
        record: type[Any],
        params: Mapping[str, str],
        *,
        number: int,
        size: int,
        priority: CallPriority,
        timeout: CallTimeout,
    ) -> Page[Any]:
        number = whole("number", number, low=1)
        size = whole("size", size, low=1, high=MAX_PAGE_SIZE)
        request = _page_request(path, query(params.items()), number, size)
        return await self._call(request, partial(decode_page, record), priority, timeout)

    def _pager(
        self,
        path: str,
        record: type[Any],
        params: Mapping[str, str],
        *,
        order: str | None,
        priority: CallPriority,
        timeout: Seconds | None,
        key: str = "created_at",
        extra_query: Mapping[str, Any] | None = None,
        pattern: str | None = None,
        **walk: Any,
    ) -> Pager[Any]:
        """A pager over a listing; ``timeout`` counts from each walk's first request.

        ``key`` is the moment that the listing is ordered by; ``pattern`` is for a path with an id.
        """
        caller = self._caller
        limit = time_limit(timeout)
        lane = caller.lane(priority, Priority.BULK)
        pairs = [*params.items(), *extra("extra_query", extra_query, own=True)]
        filters = query(pairs)
        read = partial(_rows, partial(decode_rows, record, key=key, keep_invalid=True))

        def begin() -> Fetch[Any]:
            deadline: float | None = None

            async def fetch(number: int, size: int) -> Rows[Any]:
                nonlocal deadline
                if limit is not None and deadline is None:
                    deadline = caller.deadline(limit)
                request = _page_request(path, filters, number, size, pattern)
                return await caller.call(request, read, priority=lane, deadline=deadline)

            return fetch

        listing = repr((path, sorted(pairs), key))
        source = Source(record, caller.budget, Request("GET", path).info)
        return Pager(begin(), listing=listing, order=order, source=source, begin=begin, **walk)


def _body_read_by(decode: Callable[[bytes], T]) -> Callable[[Call], T]:
    return partial(_read_body, decode)


def _read_body(decode: Callable[[bytes], T], call: Call) -> T:
    return decode(json_text(call.answer.body))


def _rows(decode: Callable[[bytes], Rows[Any]], call: Call) -> Rows[Any]:
    """A page; the errors of its invalid records name the request."""
    rows = _read_body(decode, call)
    if rows.invalid:
        for item in rows.items:
            if isinstance(item, InvalidRecord):
                named(item.error, call)
    return rows


def _page_request(
    path: str, filters: str, number: int, size: int, pattern: str | None = None
) -> Request:
    page = f"page={number}&size={size}"
    query = f"{page}&{filters}" if filters else page
    return Request("GET", path, query, page=number, pattern=pattern)


def _may_be_unknown_route(error: HarbourError) -> bool:
    """404; or, of a gateway that does not know the route, 403 or 405."""
    if isinstance(error, NotFoundError | PermissionDeniedError | AlreadyDeletedError):
        return True
    return isinstance(error, APIStatusError) and error.status == 405


def _first_stands(first: HarbourError, second: HarbourError) -> bool:
    """Whether the error of the first spelling is raised, and not that of the second.

    It is if the second route is unknown, too. Another error says more: the second spelling is
    known, or could not be tried. But a DELETE that counts as done stays done if the second route,
    which may not exist, refuses it.
    """
    if isinstance(second, AlreadyDeletedError):
        return False
    if isinstance(first, AlreadyDeletedError) and isinstance(second, APIStatusError):
        return second.status == 501 or (second.status < 500 and second.status not in _UNDECIDED)
    return _may_be_unknown_route(second)


def _decode_receipt(cls: type[Any], id_name: str, asked: str, body: bytes) -> Any:
    """A receipt; an empty success (no body, null, {}) is one with the id that was asked for."""
    value = decode_any(body) if body.strip() else None
    if value is None or value == {}:
        return cls(str.__str__(asked))
    if isinstance(value, dict) and value.get(id_name) is None:
        body = encode_json({**value, id_name: str.__str__(asked)})
    return decode_record(cls, body)
