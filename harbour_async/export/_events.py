"""The events of all webhooks as one listing."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

from attrs import evolve

from harbour_async._report import PagingReport
from harbour_async.errors import ConfigurationError, NotFoundError
from harbour_async.export._checkpoint import together
from harbour_async.export._listing import Facts
from harbour_async.models import Page, WebhookEvent
from harbour_async.pagination import Pager
from harbour_async.resources import Webhooks

_UNPROVED = "the API names no order for events, so they cannot be proved complete"
_AHEAD = 4


class AllEvents:
    """Walks the webhooks first, oldest first, and then the events of one after the other.

    A webhook that is deleted meanwhile is skipped.
    """

    def __init__(self, webhooks: Webhooks, *, max_items: int | None = None) -> None:
        self._webhooks = webhooks
        self._left: list[str] | None = None
        self._token: str | None = None
        self._before = PagingReport()
        self._current: Pager[Any] | None = None
        self._given = 0
        source = webhooks.list(max_items=max_items)._options.source  # checks max_items, too
        budget = None if source is None else source.budget
        self.facts = Facts(WebhookEvent, "events of all webhooks", max_items, _AHEAD, budget)

    @property
    def _identity(self) -> str:
        return "events"

    def _from(self, token: str, given: int = 0) -> AllEvents:  # noqa: ARG002 - the token has it
        rest = AllEvents(self._webhooks, max_items=self.facts.max_items)
        try:
            rest._left, rest._token, rest._given = json.loads(token)
        except (ValueError, TypeError):
            raise ConfigurationError("resume: this is not a token of all events") from None
        return rest

    @property
    def resume_token(self) -> str:
        token = self._token if self._current is None else self._current.resume_token
        return json.dumps([self._left, token, self._given])

    @property
    def report(self) -> PagingReport:
        now = PagingReport() if self._current is None else self._current.report
        both = together(self._before, now)
        return evolve(both, complete=False, reason=_UNPROVED, total_first=None, total_last=None)

    async def pages(self) -> AsyncGenerator[Page[Any], None]:
        """The pages of all walks, one after the other."""
        if self._left is None:
            self._left = await self._ids()
        while self._left and self._given != self.facts.max_items:
            self._current = self._events_of(self._left[0])
            found = self._current.pages()
            try:
                async for page in found:
                    self._given += len(page.items)
                    yield page
            except NotFoundError:  # the webhook was deleted meanwhile
                pass
            finally:
                await found.aclose()
            self._before = together(self._before, self._current.report)
            self._left, self._current, self._token = self._left[1:], None, None

    async def _ids(self) -> list[str]:
        oldest_first = self._webhooks.list(order_by="created_at ASC")
        ids = [webhook.webhook_id async for webhook in oldest_first]
        self._before = PagingReport(requests=oldest_first.report.requests)
        return ids

    def _events_of(self, webhook_id: str) -> Pager[Any]:
        most = self.facts.max_items
        rest = None if most is None else most - self._given
        pager = self._webhooks.events(webhook_id, max_items=rest, on_invalid="keep")
        return pager if self._token is None else pager._from(self._token)
