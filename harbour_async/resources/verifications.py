"""Verification checks run by the organization (guide: "Verifications")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from harbour_async import _wire
from harbour_async._decoding import decode_record
from harbour_async.errors import ConfigurationError
from harbour_async.models import Page, Verification, VerificationReceipt
from harbour_async.pagination import OnInvalid, Pager
from harbour_async.resources._resource import CallPriority, CallTimeout, Resource
from harbour_async.settings import INHERIT, Seconds


class Verifications(Resource):
    """``session.verifications``.

    Every call takes ``timeout`` (seconds or a timedelta, the whole call, None for none) and
    ``priority`` (a Priority; by default INTERACTIVE for single calls and BULK for pagers). Beside
    what is named, calls raise ConfigurationError before anything is sent, and APIConnectionError,
    APIStatusError, DecodeError, ResponseTooLargeError, DeadlineExceededError or SessionClosedError.
    """

    plural = "verifications"
    singular = "verification"

    def list(
        self,
        *,
        search: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        order_by: str | None = None,
        page_size: int = 100,
        max_items: int | None = None,
        concurrency: int = 4,
        complete: bool = True,
        resume: str | None = None,
        on_invalid: OnInvalid = "raise",
        extra_query: Mapping[str, Any] | None = None,
        priority: CallPriority = INHERIT,
        timeout: Seconds | None = None,
    ) -> Pager[Verification]:
        """Walk all verifications, newest first unless ``order_by`` says otherwise.

        With ``complete``, a listing by created_at is proved: IncompleteListingError is raised at
        its end if it cannot be (docs/completeness.md).

        search: text to look for in several fields.
        metadata: name-value pairs that all have to match; text, numbers, bools or None.
        order_by: one field and a direction, like "created_at ASC".
        page_size: records a request, 1 to 100; more where the list grows as fast as it is read.
        max_items: stop after so many records.
        concurrency: pages that may be on their way, or read ahead, at a time.
        complete: False asks for each page once, and proves nothing.
        resume: another pager's ``resume_token``, to go on where that one stood.
        on_invalid: what becomes of a record that breaks a rule of the wire: "raise" a DecodeError,
            "keep" an InvalidRecord in its place, or a function that gets the InvalidRecord: what it
            returns is yielded, None drops the record, raising ends the walk.
        extra_query: query parameters that this library does not know.
        timeout: seconds for the whole walk, from its first request; None for no bound.

        ::

            async for v in harbour.verifications.list(metadata={"internal_id": "123"}):
                print(v.verification_id, v.status)

        Guide: "List verifications".
        """
        order = _wire.order(order_by)
        return self._pager(
            self.plural,
            Verification,
            {**_wire.filters(search, metadata), "order_by": order},
            order=order,
            page_size=page_size,
            max_items=max_items,
            concurrency=concurrency,
            complete=complete,
            resume=resume,
            on_invalid=on_invalid,
            extra_query=extra_query,
            priority=priority,
            timeout=timeout,
        )

    def changes(
        self,
        since: datetime,
        *,
        resume: str | None = None,
        lookback: timedelta = timedelta(0),
        search: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        page_size: int = 100,
        max_items: int | None = None,
        concurrency: int = 4,
        on_invalid: OnInvalid = "raise",
        extra_query: Mapping[str, Any] | None = None,
        priority: CallPriority = INHERIT,
        timeout: Seconds | None = None,
    ) -> Pager[Verification]:
        """Walk what was updated at or after ``since``, oldest update first, at least once.

        Every record that exists at the walk's last answer and was updated at or after ``since`` is
        yielded in its last version; an id comes again if it is updated again meanwhile. That is
        proved, or IncompleteListingError is raised at the end (docs/completeness.md, "Changes").
        Deletions are not seen.

        The pager's ``resume_token`` is a checkpoint: ``resume`` goes on behind the last record that
        was yielded, and ``since`` counts no more. ``lookback`` goes back from there, for records
        that become visible later than they were updated.

        since: an aware datetime.
        resume: a ``resume_token`` of an earlier walk of changes with the same filters.
        lookback: how far to go back before ``resume``; a timedelta of zero or more.
        search, metadata, page_size, max_items, concurrency, on_invalid, extra_query: see ``list``.
        timeout: seconds for the whole walk; None for no bound.

        ::

            pager = harbour.verifications.changes(datetime(2026, 1, 1, tzinfo=UTC))
            async for v in pager:
                ...
            checkpoint = pager.resume_token

        Guide: "List verifications" (``order_by``).
        """
        order = "updated_at ASC"
        return self._pager(
            self.plural,
            Verification,
            {**_wire.filters(search, metadata), "order_by": order},
            order=order,
            key="updated_at",
            since=_since(since),
            lookback=_lookback(lookback),
            on_invalid=on_invalid,
            extra_query=extra_query,
            resume=resume,
            page_size=page_size,
            max_items=max_items,
            concurrency=concurrency,
            priority=priority,
            timeout=timeout,
        )

    async def page(
        self,
        number: int = 1,
        *,
        size: int = 50,
        search: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        order_by: str | None = None,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> Page[Verification]:
        """One page, as the API counts them: ``number`` from 1, ``size`` from 1 to 100.

        Guide: "List verifications".
        """
        return await self._page(
            self.plural,
            Verification,
            {**_wire.filters(search, metadata), "order_by": _wire.order(order_by)},
            number=number,
            size=size,
            priority=priority,
            timeout=timeout,
        )

    async def get(
        self,
        verification_id: str,
        *,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> Verification:
        """One verification; NotFoundError if there is none. Guide: "Get verification"."""
        decode = partial(decode_record, Verification)
        return await self._object(
            "GET", verification_id, decode, priority=priority, timeout=timeout
        )

    async def delete(
        self,
        verification_id: str,
        *,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> VerificationReceipt:
        """Delete one verification; NotFoundError if there is none.

        If an answer was lost on the way and the request's repetition finds nothing any more, it
        counts as deleted: the receipt then has no ``event_datetime``. So does that of an answer
        without a body. Guide: "Delete verification".
        """
        receipt: VerificationReceipt = await self._receipt(
            VerificationReceipt, "DELETE", verification_id, priority=priority, timeout=timeout
        )
        return receipt


def _since(since: datetime) -> int:
    """Microseconds since 1970 UTC."""
    if not isinstance(since, datetime) or since.tzinfo is None:
        raise ConfigurationError(f"since must be a datetime with a time zone, not {since!r}")
    return (since - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _lookback(lookback: timedelta) -> int:
    """Microseconds."""
    if not isinstance(lookback, timedelta) or lookback < timedelta(0):
        raise ConfigurationError(f"lookback must be a timedelta of zero or more, not {lookback!r}")
    return lookback // timedelta(microseconds=1)
