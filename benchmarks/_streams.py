"""The contenders of ``stream``: each walks the same listing with the same concurrency.

Run as ``python -m benchmarks._streams CONTENDER URL RECORDS [FOLDER]``; prints CPU seconds and peak
memory of this process as JSON. ``FOLDER`` holds the generated client.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

SIZE = 100
CONCURRENCY = 4

FIELDS = """
verification_id result status verification_type verification_subtype verification_tier is_scan
latest_response verification_metadata updated_at created_at agreement_link_id organization_id
sub_status last_status_at submitted_at verification_details
""".split()  # noqa: SIM905 - seventeen quoted names are no clearer


async def in_order(fetch: Callable[[int], Awaitable[Any]], records: int) -> AsyncIterator[Any]:
    """What a good hand-written loop does: ``CONCURRENCY`` pages ahead, in order."""
    ahead: deque[asyncio.Future[Any]] = deque()
    for number in range(1, -(-records // SIZE) + 1):
        ahead.append(asyncio.ensure_future(fetch(number)))
        if len(ahead) == CONCURRENCY:
            yield await ahead.popleft()
    while ahead:
        yield await ahead.popleft()


def params(number: int) -> dict[str, str]:
    return {"page": str(number), "size": str(SIZE), "order_by": "created_at DESC"}


async def typed(url: str, records: int) -> None:
    """harbour_async, one scalar field of each record read."""
    from harbour_async import HarbourSession, RateLimit

    count = 0
    async with HarbourSession("key", base_url=url, rate_limit=RateLimit.unlimited()) as harbour:
        async for record in harbour.verifications.list(concurrency=CONCURRENCY):
            count += record.is_scan is False
            if count == records:
                break
    assert count == records


async def typed_all(url: str, records: int) -> None:
    """harbour_async, every field of every record read, nested payloads included."""
    from harbour_async import HarbourSession, RateLimit

    count = 0
    async with HarbourSession("key", base_url=url, rate_limit=RateLimit.unlimited()) as harbour:
        async for record in harbour.verifications.list(concurrency=CONCURRENCY):
            for name in FIELDS:
                getattr(record, name)
            count += 1
            if count == records:
                break
    assert count == records


async def typed_kept(url: str, records: int) -> None:
    """harbour_async, all records kept until the end."""
    from harbour_async import HarbourSession, RateLimit

    async with HarbourSession("key", base_url=url, rate_limit=RateLimit.unlimited()) as harbour:
        listing = harbour.verifications.list(concurrency=CONCURRENCY, max_items=records)
        kept = await listing.to_list()
    assert sum(record.is_scan is False for record in kept) == records


async def untyped(url: str, records: int) -> None:
    """aiohttp and orjson.loads, one field of each dict read."""
    await _untyped(url, records, lambda record: record["is_scan"])


async def untyped_all(url: str, records: int) -> None:
    """aiohttp and orjson.loads, every field of every dict read."""

    def read(record: dict[str, Any]) -> None:
        for name in FIELDS:
            record.get(name)

    await _untyped(url, records, read)


async def untyped_kept(url: str, records: int) -> None:
    """aiohttp and orjson.loads, all dicts kept until the end."""
    kept: list[dict[str, Any]] = []
    await _untyped(url, records, kept.append)
    assert sum(record["is_scan"] is False for record in kept) == records


async def _untyped(url: str, records: int, read: Callable[[dict[str, Any]], object]) -> None:
    import aiohttp
    import orjson

    count = 0
    async with aiohttp.ClientSession(headers={"x-api-key": "key"}) as http:

        async def fetch(number: int) -> Any:
            async with http.get(f"{url}/verifications", params=params(number)) as answer:
                return orjson.loads(await answer.read())

        async for page in in_order(fetch, records):
            for record in page["items"]:
                read(record)
                count += 1
    assert count == records


async def pydantic(url: str, records: int) -> None:
    """httpx and pydantic models."""
    import httpx
    from pydantic import BaseModel

    class Verification(BaseModel):
        verification_id: str
        result: str | None = None
        status: str | None = None
        verification_type: str | None = None
        verification_subtype: str | None = None
        verification_tier: str | None = None
        is_scan: bool | None = None
        latest_response: dict[str, Any] | None = None
        verification_metadata: dict[str, Any] | None = None
        updated_at: int | None = None
        created_at: int | None = None
        agreement_link_id: str | None = None
        organization_id: str | None = None
        sub_status: str | None = None
        last_status_at: int | None = None
        submitted_at: int | None = None
        verification_details: dict[str, Any] | None = None

    class Page(BaseModel):
        items: list[Verification]
        total: int

    count = 0
    async with httpx.AsyncClient(headers={"x-api-key": "key"}) as http:

        async def fetch(number: int) -> Page:
            answer = await http.get(f"{url}/verifications", params=params(number))
            return Page.model_validate_json(answer.content)

        async for page in in_order(fetch, records):
            count += sum(record.is_scan is False for record in page.items)
    assert count == records


async def generated(url: str, records: int) -> None:
    """A client generated by openapi-python-client."""
    from harbour_listing_client import Client  # type: ignore[import-not-found]
    from harbour_listing_client.api.default import (  # type: ignore[import-not-found]
        list_verifications,
    )

    count = 0
    async with Client(base_url=url, headers={"x-api-key": "key"}) as client:

        async def fetch(number: int) -> Any:
            return await list_verifications.asyncio(
                client=client, page=number, size=SIZE, order_by="created_at DESC"
            )

        async for page in in_order(fetch, records):
            count += sum(record.is_scan is False for record in page.items)
    assert count == records


CONTENDERS = {
    run.__name__: run
    for run in (
        typed,
        typed_all,
        typed_kept,
        untyped,
        untyped_all,
        untyped_kept,
        pydantic,
        generated,
    )
}


def main() -> None:
    name, url, records, *folder = sys.argv[1:]
    sys.path[:0] = folder
    contender = CONTENDERS[name]
    asyncio.run(contender(url, SIZE))  # imports and first connections are not what is asked
    started = time.process_time()
    asyncio.run(contender(url, int(records)))
    figures = {
        "cpu": time.process_time() - started,
        "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
