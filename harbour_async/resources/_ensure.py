"""Makes sure that a webhook exists, once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from harbour_async._frames import dropped_frames
from harbour_async.errors import (
    APIConnectionError,
    APIStatusError,
    ConflictError,
    DecodeError,
    HarbourError,
    IncompleteListingError,
    InternalServerError,
    NotFoundError,
    ResponseTooLargeError,
)
from harbour_async.models import InvalidRecord, Webhook
from harbour_async.resources._time_left import TimeLeft
from harbour_async.settings import Priority

if TYPE_CHECKING:
    from harbour_async.resources.webhooks import Webhooks

ATTEMPTS = 4
"""How often to read the listing and write, before the last error is raised."""

PAUSE = 0.5
"""Seconds before the listing is read again, doubled each time: the server may be slow."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class WantedWebhook(NamedTuple):
    """The webhook that should exist; None leaves a field alone."""

    destination_url: str
    event_types: Collection[str] | None
    notification_email: str | None

    def fits(self, url: str | None) -> bool:
        return url is not None and _canonical(url) == _canonical(self.destination_url)

    def differs_from(self, webhook: Webhook) -> bool:
        types, email = self.event_types, self.notification_email
        if types is not None and set(map(_folded, types)) != set(
            map(_folded, webhook.event_types or ())
        ):
            return True
        return email is not None and list(webhook.notification_emails or ()) != [email]

    @property
    def fields(self) -> dict[str, Any]:
        return {"event_types": self.event_types, "notification_email": self.notification_email}


class Turns:
    """Lets the calls of a session for one URL run one after another: each finds what was created.

    A call holds the lock of its URL, so the locks that nobody uses are gone.
    """

    def __init__(self) -> None:
        # With the loop: a lock of a closed one may be held by a task that never ends.
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = (
            WeakValueDictionary()
        )

    def of(self, wanted: WantedWebhook) -> asyncio.Lock:
        key = (asyncio.get_running_loop(), _canonical(wanted.destination_url))
        return self._locks.setdefault(key, asyncio.Lock())


class Ensuring:
    """Reads the listing, then creates or updates, until the webhook is as wanted.

    left: the seconds left for all of it.
    turn: what the other calls for this URL wait for.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        wanted: WantedWebhook,
        *,
        lane: Priority,
        left: TimeLeft,
        turn: asyncio.Lock,
    ) -> None:
        self._webhooks = webhooks
        self._wanted = wanted
        self._lane = lane
        self._left = left
        self._turn = turn
        self._written: str | None = None

    async def run(self) -> Webhook:
        """The webhook as it is at the end."""
        await self._left.turn(self._turn)
        try:
            with dropped_frames():
                return await self._ensured()
        finally:
            self._turn.release()

    async def _ensured(self) -> Webhook:
        for attempt in range(ATTEMPTS):
            webhook = await self._oldest()
            if webhook is None and self._written is not None:
                return await self._written_but_not_listed(self._written)
            # A server may store less than it was sent. Sending it again would change nothing.
            if webhook is not None and (
                webhook.webhook_id == self._written or not self._wanted.differs_from(webhook)
            ):
                return webhook
            try:
                self._written = await self._write(webhook)
            except HarbourError as error:
                if attempt == ATTEMPTS - 1 or not _may_have_written(
                    error, updating=webhook is not None
                ):
                    raise
                await self._left.pause(PAUSE * 2.0**attempt * random.uniform(0.75, 1.25))
        webhook = await self._oldest()
        return webhook or await self._written_but_not_listed(self._written or "")

    async def _oldest(self) -> Webhook | None:
        """The oldest webhook with the URL. Only a proved listing says that there is none.

        The whole listing is read, because it is not certain what ``search`` finds.
        """
        pager = self._webhooks.list(
            order_by="created_at ASC", on_invalid="keep", priority=self._lane, timeout=self._left()
        )
        found: list[Webhook] = []
        unread: list[DecodeError] = []
        try:
            async for each in pager:
                if isinstance(each, InvalidRecord):
                    unread.append(each.error)
                elif self._wanted.fits(each.destination_url):
                    found.append(each)
        except IncompleteListingError:
            if not found:
                raise
        if not found and unread and self._written is None:
            raise unread[0]  # it may be the wanted one, and a second must not be created
        return min(found, key=_age, default=None)

    async def _write(self, webhook: Webhook | None) -> str:
        """Create or update it; its id."""
        lane, fields = self._lane, self._wanted.fields
        if webhook is None:
            url = self._wanted.destination_url
            created = await self._webhooks.create(
                url, **fields, priority=lane, timeout=self._left()
            )
            return created.webhook_id
        key, url = webhook.webhook_id, webhook.destination_url or ""
        await self._webhooks.update(
            key, destination_url=url, **fields, priority=lane, timeout=self._left()
        )
        return key

    async def _written_but_not_listed(self, webhook_id: str) -> Webhook:
        """Get it: the server spells its URL differently, or its listing lags behind."""
        return await self._webhooks.get(webhook_id, priority=self._lane, timeout=self._left())


def _may_have_written(error: HarbourError, *, updating: bool) -> bool:
    """Whether the write may have happened, so that the listing has to be read again."""
    if isinstance(error, APIConnectionError):
        return error.sent and not error.final
    if isinstance(error, NotFoundError):
        return updating  # deleted meanwhile
    if isinstance(error, APIStatusError):
        # 409: another client may have created it.
        return isinstance(error, InternalServerError | ConflictError)
    return isinstance(error, DecodeError | ResponseTooLargeError)  # of the receipt


def _age(webhook: Webhook) -> tuple[datetime, str]:
    return webhook.created_at or _NEVER, webhook.webhook_id


def _folded(event_type: str) -> str:
    return str(event_type).casefold()


def _canonical(url: str) -> str:
    """Equivalent spellings of scheme, host, port and an empty path made equal (RFC 3986, 6.2)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    default = {"http": 80, "https": 443}.get(parts.scheme)
    user, at, _ = parts.netloc.rpartition("@")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    netloc = f"{user}{at}{host}{'' if port in (None, default) else f':{port}'}"
    return parts._replace(netloc=netloc, path=parts.path or "/").geturl()
