"""The ten endpoints of the guide as an aiohttp application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from harbour_async.sandbox import _answers
from harbour_async.sandbox._bodies import webhook_changes
from harbour_async.sandbox._kinds import EVENTS, VERIFICATIONS, WEBHOOKS, Kind
from harbour_async.sandbox._options import Method, Options
from harbour_async.sandbox._query import parse
from harbour_async.sandbox._records import Maker, Record, iso
from harbour_async.sandbox._store import Store

# The paths of single objects in the guide's detail sections, which contradict its own tables.
_GUIDE_PLURAL = {("PUT", "webhook"), ("DELETE", "webhook")}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MissingError(Exception):
    """No such record: answered with 404."""


class Endpoints:
    """Handlers over one store. Receipts carry the time of the maker's clock.

    ``between`` is awaited within each list, after counting and before reading the rows.
    """

    def __init__(
        self,
        options: Options,
        store: Store,
        maker: Maker,
        between: Callable[[], Awaitable[None]],
    ) -> None:
        self._options = options
        self._store = store
        self._maker = maker
        self._between = between

    def routes(self) -> list[web.RouteDef]:
        """Single objects in the spellings chosen; lists, creation and events plural only."""
        routes = [
            web.get("/v2/verifications", self.list_verifications, allow_head=False),
            web.get("/v2/webhooks", self.list_webhooks, allow_head=False),
            web.post("/v2/webhooks", self.create_webhook),
            web.get("/v2/webhooks/{id}/events", self.list_events, allow_head=False),
            web.get("/v2/webhooks/{id}/events/{event_id}", self.get_event, allow_head=False),
        ]
        singles: list[tuple[Method, str, Handler]] = [
            ("GET", "verification", self.get_verification),
            ("DELETE", "verification", self.delete_verification),
            ("GET", "webhook", self.get_webhook),
            ("PUT", "webhook", self.update_webhook),
            ("DELETE", "webhook", self.delete_webhook),
        ]
        for method, name, handler in singles:
            paths = [f"/v2/{spelling}/{{id}}" for spelling in self._spellings(method, name)]
            options = {"allow_head": False} if method == "GET" else {}
            routes += [web.route(method, path, handler, **options) for path in paths]
        return routes

    def _spellings(self, method: Method, name: str) -> tuple[str, ...]:
        spelling = self._options.spelling
        if isinstance(spelling, Mapping):
            spelling = spelling.get(method, "both")
        match spelling:
            case "both":
                return (name + "s", name)
            case "guide":
                return (name + "s",) if (method, name) in _GUIDE_PLURAL else (name,)
            case "plural":
                return (name + "s",)
        return (name,)

    async def list_verifications(self, request: web.Request) -> web.Response:
        return await self._page(VERIFICATIONS, request)

    async def get_verification(self, request: web.Request) -> web.Response:
        return _answers.answer(self._find(VERIFICATIONS, request.match_info["id"]))

    async def delete_verification(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        self._delete(VERIFICATIONS, key)
        return self._applied({"verification_id": key, "event_datetime": self._maker.tick()})

    async def list_webhooks(self, request: web.Request) -> web.Response:
        return await self._page(WEBHOOKS, request)

    async def get_webhook(self, request: web.Request) -> web.Response:
        webhook = self._find(WEBHOOKS, request.match_info["id"])
        if self._options.get_webhook == "short":
            return _answers.answer(_receipt(webhook, webhook["updated_at"]))
        return _answers.answer(webhook)

    async def create_webhook(self, request: web.Request) -> web.Response:
        changes = await webhook_changes(request, creating=True)
        webhook = self._maker.webhook(self._maker.tick(), changes["destination_url"]) | changes
        self._store.insert(WEBHOOKS, [webhook])
        return _answers.answer(_receipt(webhook, webhook["created_at"]))

    async def update_webhook(self, request: web.Request) -> web.Response:
        changes = await webhook_changes(request, creating=False)
        webhook = self._find(WEBHOOKS, request.match_info["id"]) | changes
        webhook["updated_at"] = self._maker.tick()
        self._store.replace(WEBHOOKS, webhook)
        return self._applied(_receipt(webhook, webhook["updated_at"]))

    async def delete_webhook(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        self._delete(WEBHOOKS, key)
        return self._applied(_receipt({"webhook_id": key}, self._maker.tick()))

    async def list_events(self, request: web.Request) -> web.Response:
        key = self._find(WEBHOOKS, request.match_info["id"])["webhook_id"]
        if self._options.events_shape == "page":
            return await self._page(EVENTS, request, webhook_id=key)
        newest = self._store.rows(EVENTS, parse(EVENTS, {"size": "1"}, webhook_id=key))
        if not newest:
            raise MissingError
        return web.Response(body=newest[0], content_type="application/json")

    async def get_event(self, request: web.Request) -> web.Response:
        event = self._find(EVENTS, request.match_info["event_id"])
        if event["webhook_id"] != request.match_info["id"]:
            raise MissingError
        return _answers.answer(event)

    def _applied(self, receipt: Record) -> web.Response:
        """The answer to a change: a receipt, or one of the empty answers."""
        match self._options.receipts:
            case "object":
                return _answers.answer(receipt)
            case "204":
                return web.Response(status=204)
            case "blank":
                return _answers.plain(b"")
            case text:
                return _answers.plain(text.encode())

    async def _page(
        self, kind: Kind, request: web.Request, *, webhook_id: str | None = None
    ) -> web.Response:
        # If a parameter is given twice, the last one counts, as in FastAPI.
        query = parse(kind, dict(request.query.items()), webhook_id=webhook_id)
        # Two statements, as in fastapi-pagination: they may see two moments of the list.
        total = self._store.count(kind, query)
        await self._between()
        items = self._store.rows(kind, query, shuffle=self._options.shuffle_ties)
        return _answers.page(items, total, query.page, query.size, self._options.envelope)

    def _find(self, kind: Kind, key: str) -> Record:
        record = self._store.get(kind, key)
        if record is None:
            raise MissingError
        return record

    def _delete(self, kind: Kind, key: str) -> None:
        if not self._store.delete(kind, key):
            raise MissingError


def _receipt(webhook: Record, milliseconds: int) -> Record:
    return {"webhook_id": webhook["webhook_id"], "event_datetime": iso(milliseconds)}
