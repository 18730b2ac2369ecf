"""Webhooks and the events they delivered (guide: "Webhooks")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from harbour_async import _wire
from harbour_async._caller import Caller
from harbour_async._decoding import decode_record
from harbour_async._wire import Request, segment
from harbour_async.models import Page, Webhook, WebhookEvent, WebhookReceipt
from harbour_async.pagination import OnInvalid, Pager
from harbour_async.resources._ensure import Ensuring, Turns, WantedWebhook
from harbour_async.resources._resource import CallPriority, CallTimeout, Resource, Spellings
from harbour_async.resources._time_left import TimeLeft
from harbour_async.resources._webhook_body import (
    checked_destination,
    checked_event_types,
    webhook_body,
)
from harbour_async.settings import INHERIT, Priority, Seconds


class Webhooks(Resource):
    """``session.webhooks``.

    Every call takes ``timeout`` (seconds or a timedelta, the whole call, None for none) and
    ``priority`` (a Priority; by default INTERACTIVE for single calls and BULK for pagers). Beside
    what is named, calls raise ConfigurationError before anything is sent, and APIConnectionError,
    APIStatusError, DecodeError, ResponseTooLargeError, DeadlineExceededError or SessionClosedError.
    """

    plural = "webhooks"
    singular = "webhook"

    def __init__(self, caller: Caller, spellings: Spellings) -> None:
        super().__init__(caller, spellings)
        self._ensuring = Turns()

    def list(
        self,
        *,
        search: str | None = None,
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
    ) -> Pager[Webhook]:
        """Walk all webhooks, newest first unless ``order_by`` says otherwise.

        With ``complete``, a listing by created_at is proved: IncompleteListingError is raised at
        its end if it cannot be (docs/completeness.md).

        search: text to look for in several fields.
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

            async for webhook in harbour.webhooks.list(order_by="created_at ASC"):
                print(webhook.webhook_id, webhook.destination_url)

        Guide: "List webhooks".
        """
        order = _wire.order(order_by)
        return self._pager(
            self.plural,
            Webhook,
            {**_wire.filters(search), "order_by": order},
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

    async def page(
        self,
        number: int = 1,
        *,
        size: int = 50,
        search: str | None = None,
        order_by: str | None = None,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> Page[Webhook]:
        """One page, as the API counts them; nothing is proved of it.

        number: which page, from 1. One beyond the last has no items.
        size: records on a page, 1 to 100.
        search, order_by: see ``list``.

        ::

            page = await harbour.webhooks.page(1, size=20)
            print(page.total, [webhook.webhook_id for webhook in page])

        Guide: "List webhooks".
        """
        return await self._page(
            self.plural,
            Webhook,
            {**_wire.filters(search), "order_by": _wire.order(order_by)},
            number=number,
            size=size,
            priority=priority,
            timeout=timeout,
        )

    async def get(
        self,
        webhook_id: str,
        *,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> Webhook:
        """One webhook; NotFoundError if there is none.

        The guide shows a short answer of ``webhook_id`` and ``event_datetime``: then the latter is
        in ``extra`` and all other fields are None. Guide: "Get webhook".
        """
        decode = partial(decode_record, Webhook)
        return await self._object("GET", webhook_id, decode, priority=priority, timeout=timeout)

    async def create(
        self,
        destination_url: str,
        *,
        event_types: Iterable[str] | None = None,
        notification_email: str | None = None,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> WebhookReceipt:
        """Create a webhook.

        The request is sent again only if it certainly was not processed, so an APIConnectionError
        with ``sent=True`` leaves open whether the webhook exists.

        destination_url: an absolute http or https URL, to which events are delivered.
        event_types: members of WebhookEventType or other strings; None leaves it to the server.
        notification_email: an address to notify of problems; None leaves it to the server.

        ::

            receipt = await harbour.webhooks.create(
                "https://example.com/hook", event_types=[WebhookEventType.VERIFICATION]
            )

        Guide: "Create webhook".
        """
        destination = checked_destination(destination_url)  # None, too, is refused by its name
        body = webhook_body(destination, event_types, notification_email)
        request = Request("POST", self.plural, body=body)
        return await self._call(request, partial(decode_record, WebhookReceipt), priority, timeout)

    async def ensure(
        self,
        destination_url: str,
        *,
        event_types: Iterable[str] | None = None,
        notification_email: str | None = None,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> Webhook:
        """The webhook of this URL: found, updated where it differs, or created.

        A service can call it at each start. It looks for the URL in a proved listing; of several
        webhooks with that URL it takes the oldest. If the answer to creating one was lost, it looks
        again before it tries again. Calls of one session for one URL run one after another.
        Services that start at the same moment may still create one each: the API has no way to
        prevent it.

        destination_url: an absolute http(s) URL; "https://a.example" and "https://A.example:443/"
            are equal.
        event_types: the events to deliver, compared as sets; None leaves them alone.
        notification_email: an address to notify of problems, compared with the list of this one
            address; None leaves it alone.

        Raises what ``list``, ``create`` and ``update`` raise; after four attempts, the last error.
        An IncompleteListingError means that nothing was created.

        ::

            webhook = await harbour.webhooks.ensure(
                "https://example.com/hooks/5f2c", event_types=["verification"]
            )

        Guide: "List webhooks", "Create webhook", "Update webhook".
        """
        destination = checked_destination(destination_url)
        types = None if event_types is None else checked_event_types(event_types)
        # Refuses what cannot be used before anything is sent.
        webhook_body(destination, types, notification_email)
        wanted = WantedWebhook(destination, types, notification_email)
        return await Ensuring(
            self,
            wanted,
            lane=self._caller.lane(priority, Priority.INTERACTIVE),
            left=TimeLeft(self._caller, timeout),
            turn=self._ensuring.of(wanted),
        ).run()

    async def update(
        self,
        webhook_id: str,
        *,
        destination_url: str | None = None,
        event_types: Iterable[str] | None = None,
        notification_email: str | None = None,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> WebhookReceipt:
        """Change what is not None; NotFoundError if there is no such webhook.

        The receipt of an answer without a body has no ``event_datetime``.

        webhook_id: the webhook to change.
        destination_url, event_types, notification_email: see ``create``; at least one of them.

        ::

            await harbour.webhooks.update(webhook_id, notification_email="ops@example.com")

        Guide: "Update webhook".
        """
        receipt: WebhookReceipt = await self._receipt(
            WebhookReceipt,
            "PUT",
            webhook_id,
            body=webhook_body(destination_url, event_types, notification_email),
            priority=priority,
            timeout=timeout,
        )
        return receipt

    async def delete(
        self,
        webhook_id: str,
        *,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> WebhookReceipt:
        """Delete one webhook; NotFoundError if there is none.

        If an answer was lost on the way and the request's repetition finds nothing any more, it
        counts as deleted: the receipt then has no ``event_datetime``. So does that of an answer
        without a body. Guide: "Delete webhook".
        """
        receipt: WebhookReceipt = await self._receipt(
            WebhookReceipt, "DELETE", webhook_id, priority=priority, timeout=timeout
        )
        return receipt

    def events(
        self,
        webhook_id: str,
        *,
        page_size: int = 100,
        max_items: int | None = None,
        concurrency: int = 4,
        resume: str | None = None,
        on_invalid: OnInvalid = "raise",
        extra_query: Mapping[str, Any] | None = None,
        priority: CallPriority = INHERIT,
        timeout: Seconds | None = None,
    ) -> Pager[WebhookEvent]:
        """Walk a webhook's events, in the server's order.

        The guide names no order for them, so nothing can be proved of the walk: no event id is
        yielded twice, and ``report.complete`` is False.

        webhook_id: the webhook; NotFoundError is raised by the walk if there is none.
        resume: another pager's ``resume_token``; the walk goes on at the same position, where an
            event may come again.
        page_size, max_items, concurrency, on_invalid, extra_query, timeout: see ``list``.

        ::

            async for event in harbour.webhooks.events(webhook_id, max_items=50):
                print(event.event_id, event.event_datetime)

        Guide: "List webhook events".
        """
        return self._pager(
            f"{self.plural}/{segment('webhook_id', webhook_id)}/events",
            WebhookEvent,
            {},
            pattern="webhooks/{webhook_id}/events",
            order=None,
            page_size=page_size,
            max_items=max_items,
            concurrency=concurrency,
            resume=resume,
            on_invalid=on_invalid,
            extra_query=extra_query,
            priority=priority,
            timeout=timeout,
        )

    async def event(
        self,
        webhook_id: str,
        event_id: str,
        *,
        priority: CallPriority = INHERIT,
        timeout: CallTimeout = INHERIT,
    ) -> WebhookEvent:
        """One event of a webhook; NotFoundError if there is none. Guide: "Get webhook event"."""
        webhook = segment("webhook_id", webhook_id)
        path = f"{self.plural}/{webhook}/events/{segment('event_id', event_id)}"
        decode = partial(decode_record, WebhookEvent)
        request = Request("GET", path, pattern="webhooks/{webhook_id}/events/{event_id}")
        return await self._call(request, decode, priority, timeout)
