"""A plain aiohttp client: these tests may not lean on the library's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from attrs import frozen

from harbour_async.sandbox import Sandbox


@frozen
class Reply:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def ids(self, name: str = "verification_id") -> list[str]:
        return [item[name] for item in self.json["items"]]


@frozen
class Client:
    """A sandbox and a connection to it."""

    sandbox: Sandbox
    http: aiohttp.ClientSession

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        async with self.http.request(method, self.sandbox.url + path, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **query: str | int) -> Reply:
        return await self.send("GET", path, params=query)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Client]:
    """A small sandbox without a limit, unless the options say otherwise."""
    options = {"verifications": 12, "webhooks": 2, "events": 3, "rate_limit": None} | options
    async with (
        Sandbox(**options) as sandbox,
        aiohttp.ClientSession(headers={"x-api-key": sandbox.api_key}) as http,
    ):
        yield Client(sandbox, http)
