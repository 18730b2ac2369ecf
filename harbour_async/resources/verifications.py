"""Verification checks run by the organization (guide: "Verifications")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from harbour_async import _wire
from harbour_async._callbacks import check_function
from harbour_async._caller import Caller, time_limit
from harbour_async._decoding import decode_record
from harbour_async.models import Page, Verification, VerificationReceipt
from harbour_async.pagination import OnInvalid, Pager
from harbour_async.resources._arguments import interval_seconds, lookback_micros, since_micros
from harbour_async.resources._checkpoint import EPOCH
from harbour_async.resources._many import GetMany
from harbour_async.resources._resource import CallPriority, CallTimeout, Resource, Spellings
from harbour_async.resources._sources import Sources
from harbour_async.resources._time_left import TimeLeft
from harbour_async.resources._waiting import SharedWait, finished
from harbour_async.resources._watch import Watch
from harbour_async.settings import INHERIT, Priority, Seconds


class Verifications(Resource):
    """``session.verifications``.

    Every call takes ``timeout`` (seconds or a timedelta, the whole call, None for none) and
    ``priority`` (a Priority; by default INTERACTIVE for single calls and BULK for pagers). Beside
    what is named, calls raise ConfigurationError before anything is sent, and APIConnectionError,
    APIStatusError, DecodeError, ResponseTooLargeError, DeadlineExceededError or SessionClosedError.
    """

    plural = "verifications"
    singular = "verification"

    def __init__(
        self, caller: Caller, spellings: Spellings, waiting: SharedWait | None = None
    ) -> None:
        super().__init__(caller, spellings)
        self._sources = Sources(self)
        self._waiting = waiting or SharedWait(self._sources, caller.life, caller.budget.limit)

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

        The pager's ``resume_token`` is a checkpoint: ``resume`` goes on after the last record that
        was yielded, and ``since`` is ignored. ``lookback`` goes back from there, for records
        that become visible later than they were updated.

        since: an aware datetime.
        resume: a ``resume_token`` of an earlier walk of changes with the same filters.
        lookback: how far to go back before ``resume``; a timedelta of zero or more. Only for the
            token of a walk that reached its end: that of another may stand before its own lookback.
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
            since=since_micros(since),
            lookback=lookback_micros(lookback),
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
        """One page, as the API counts them; nothing is proved of it.

        number: which page, from 1. One beyond the last has no items.
        size: records on a page, 1 to 100.
        search, metadata, order_by: see ``list``.

        ::

            page = await harbour.verifications.page(2, size=20, order_by="created_at ASC")
            print(page.total, [v.verification_id for v in page])

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

    def get_many(
        self,
        ids: Iterable[str],
        *,
        priority: CallPriority = INHERIT,
        timeout: Seconds | None = None,
    ) -> GetMany:
        """The verifications with these ids, in the order found, each once.

        They are fetched singly or by one proved walk over the listing, whichever takes fewer
        requests; 500 of a list of 2,000 take about 23. It ends when all ids were found or are known
        not to exist: ``missing`` has the latter afterwards, in the order asked. Only 404 or a
        proved walk makes an id missing; what an unproved one does not show is fetched singly.
        Records of a walk lack the fields that only single objects have.

        ids: the ids; one that comes twice counts once.
        priority: the lane, BULK by default.
        timeout: seconds for all of it, from the first request; None for no bound.

        ::

            many = harbour.verifications.get_many(ids)
            async for v in many:
                print(v.verification_id, v.status)
            print("do not exist:", many.missing)

        Guide: "Get verification", "List verifications".
        """
        lane = self._caller.lane(priority, Priority.BULK)
        return self._sources.many(ids, lane, left=TimeLeft(self._caller, timeout))

    def watch(
        self,
        *,
        interval: Seconds,
        since: datetime | None = None,
        resume: str | None = None,
        search: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        on_invalid: OnInvalid = "raise",
        priority: CallPriority = INHERIT,
        timeout: Seconds | None = None,
    ) -> Watch:
        """Every change from now on, or from ``since``, as an endless iterator; at least once each.

        There is a walk of ``changes`` after each interval: one or two requests when nothing
        happened. "Now" is taken from the server's list, not from this machine's clock. Connection
        errors, 5xx, 429 and lost proofs are logged and waited out; other errors are raised.
        Deletions are not seen.

        interval: seconds from the end of one walk to the next.
        since: an aware datetime; None for now.
        resume: a ``resume_token`` of a watch or of ``changes`` with the same filters; ``since``
            is ignored then.
        search, metadata, on_invalid: see ``list``.
        priority: the lane, BULK by default.
        timeout: seconds after which DeadlineExceededError ends it; None for never.

        ::

            watch = harbour.verifications.watch(interval=30, resume=load())
            async for v in watch:
                await handle(v)
                save(watch.resume_token)

        Guide: "List verifications" (``order_by``).
        """
        every = interval_seconds(interval)
        filters: dict[str, Any] = {"search": search, "metadata": metadata, "on_invalid": on_invalid}
        self.changes(EPOCH if since is None else since, resume=resume, **filters)  # checks them
        lane = self._caller.lane(priority, Priority.BULK)
        left = TimeLeft(self._caller, timeout)
        return self._sources.watch(every, since, resume, lane=lane, left=left, **filters)

    async def wait_for(
        self,
        verification_id: str,
        *,
        timeout: Seconds | None,
        until: Callable[[Verification], bool] | None = None,
        priority: CallPriority = INHERIT,
    ) -> Verification:
        """Wait until a verification is completed or cancelled; an unknown status does not count.

        It is polled after pauses that grow from 1 to 30 seconds, within half of the budget. All
        calls in a session share the polling: a few verifications are fetched singly, and more
        by one walk of changes. Connection errors, 5xx and 429 are waited out. A verification that
        was seen in a listing lacks the fields that only single objects have.

        verification_id: the verification to wait for.
        timeout: seconds to wait; None for no bound.
        until: what to wait for instead: called with each version seen, true to end the wait.
        priority: the lane, BULK by default.

        Raises NotFoundError if it does not exist or is deleted; DeadlineExceededError, with the
        status seen last as ``last_status``; SessionClosedError as soon as the session is closed;
        what ``until`` raises.

        ::

            v = await harbour.verifications.wait_for(verification_id, timeout=3600)
            print(v.status, v.result)

        Guide: "Get verification", "Verification status enums".
        """
        _wire.segment("verification_id", verification_id)
        if until is not None:
            check_function("until", until)
        return await self._waiting.wait(
            str.__str__(verification_id),
            until=until or finished,
            priority=self._caller.lane(priority, Priority.BULK),
            timeout=time_limit(timeout),
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
