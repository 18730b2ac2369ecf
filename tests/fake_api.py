"""An API in memory, in place of the caller and its sockets, for tests in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs

from attrs import define, field

from harbour_async import (
    HarbourError,
    NotFoundError,
    Priority,
    RateLimit,
    SessionClosedError,
    Verification,
)
from harbour_async._caller import Caller
from harbour_async._lifetime import Call, Lifetime
from harbour_async._transport import Transport
from harbour_async._wire import Request
from harbour_async.resources import Verifications
from harbour_async.settings import Inherit, Timeout

ROUND_TRIP = 0.05


class _NoTransport:
    opened = False

    async def aclose(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        """Nothing is open."""


@define(eq=False)
class FakeApi:
    """Verifications, and the requests that came for them.

    ``trouble`` is called with each request before it is answered, and may raise.
    ``ordered`` is False for a server that ignores the order asked for, so that nothing is proved.
    """

    limit: RateLimit = RateLimit()
    records: dict[str, dict[str, Any]] = field(factory=dict)
    requests: list[Request] = field(factory=list)
    lanes: list[Priority] = field(factory=list)
    trouble: Callable[[Request], None] | None = None
    ordered: bool = True
    clock: int = 1_700_000_000_000
    life: Lifetime = field(init=False)

    def __attrs_post_init__(self) -> None:
        transport = cast(Transport, _NoTransport())
        self.life = Lifetime(transport)

    def insert(self, count: int, status: str = "in_progress") -> list[str]:
        ids = [f"V-{len(self.records) + n}" for n in range(count)]
        for each in ids:
            self.clock += 1000
            self.records[each] = {
                "verification_id": each,
                "status": status,
                "created_at": self.clock,
                "updated_at": self.clock,
            }
        return ids

    def update(self, *ids: str, **fields: Any) -> None:
        for each in ids:
            self.clock += 1000
            self.records[each] |= {**fields, "updated_at": self.clock}

    @property
    def verifications(self) -> Verifications:
        return Verifications(cast(Caller, self), {("verifications", "GET"): "verifications"})

    # -- what a Caller has -----------------------------------------------------------------------

    timeout = Timeout()

    @property
    def budget(self) -> Any:
        return SimpleNamespace(limit=self.limit)

    def lane(self, given: Priority | Inherit, default: Priority) -> Priority:
        return default if isinstance(given, Inherit) else given

    def deadline(self, timeout: object) -> None:
        """Virtual time needs none here."""

    async def call(
        self,
        request: Request,
        read: Callable[[Call], Any],
        *,
        priority: Priority,
        deadline: float | None,
    ) -> Any:
        call = Call(request, priority, deadline)
        try:
            async with asyncio.timeout(None) as call.guard:
                body = await self._sent(call, priority)
        except TimeoutError:
            raise SessionClosedError("closed") from None
        call.answer = cast(
            Any, SimpleNamespace(status=200, body=json.dumps(body).encode(), headers={})
        )
        return read(call)

    async def _sent(self, call: Call, priority: Priority) -> Any:
        self.life.enter(call)
        try:
            self.requests.append(call.request)
            self.lanes.append(priority)
            await asyncio.sleep(ROUND_TRIP)
            if self.trouble is not None:
                self.trouble(call.request)
            return self._answer(call.request)
        finally:
            self.life.leave(call)

    def _answer(self, request: Request) -> Any:
        _, _, key = request.path.partition("/")
        if key:
            if key not in self.records:
                raise NotFoundError(status=404, method="GET", url=f"/{request.path}")
            return self.records[key]
        asked = {name: values[0] for name, values in parse_qs(request.query).items()}
        order, _, direction = asked.get("order_by", "created_at DESC").partition(" ")
        rows = sorted(
            self.records.values(), key=lambda row: row[order], reverse=direction == "DESC"
        )
        if not self.ordered:
            rows.reverse()
        page, size = int(asked["page"]), int(asked["size"])
        start = (page - 1) * size
        return {"items": rows[start : start + size], "total": len(rows), "page": page, "size": size}


def paths(api: FakeApi) -> list[str]:
    return [request.path for request in api.requests]


def status_error(status: int, cls: type[Any]) -> HarbourError:
    error: HarbourError = cls(status=status, method="GET", url="/verifications")
    return error


def ids_of(records: list[Verification]) -> list[str]:
    return [each.verification_id for each in records]
