"""Listings to export, without a server where none is needed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from harbour_async import HarbourSession, Pager, RateLimit, RequestInfo, Verification
from harbour_async._decoding import decode_rows
from harbour_async._rows import Rows
from harbour_async.pagination import Source
from harbour_async.sandbox import Sandbox

NEWEST = 1_685_038_116_000


def record(number: int, **fields: Any) -> dict[str, Any]:
    """A verification as the wire has it; each is a second older than the one before."""
    moment = str(NEWEST - 1000 * number)
    return {"verification_id": f"v{number}", "created_at": moment, "updated_at": moment} | fields


def listing(
    records: Sequence[dict[str, Any]],
    key: str = "created_at",
    budget: Any = None,
    **options: Any,
) -> Pager[Verification]:
    """A pager over records in the order of the list: newest first by default."""

    async def fetch(page: int, size: int) -> Rows[Verification]:
        items = records[(page - 1) * size : page * size]
        body = {"items": items, "total": len(records), "page": page, "size": size}
        return decode_rows(Verification, json.dumps(body).encode(), key=key, keep_invalid=True)

    source = Source(Verification, budget, RequestInfo("GET", "/verifications"))
    return Pager(fetch, listing=f"('verifications', [], '{key}')", source=source, **options)


@asynccontextmanager
async def served(records: int, **options: Any) -> AsyncIterator[tuple[Sandbox, HarbourSession]]:
    """A sandbox and a session without limits."""
    async with (
        Sandbox(verifications=records, rate_limit=None, **options) as sandbox,
        HarbourSession(
            sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited()
        ) as harbour,
    ):
        yield sandbox, harbour


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
