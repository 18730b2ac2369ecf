"""A listing of any length that costs its server next to nothing: the guide's example, numbered.

The sandbox would spend more time on its own work than on the client's. This one serves
``GET /v2/verifications`` and ``GET /v2/verifications/{id}`` in another process, so that what is
measured in this one is the client.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

NEWEST = 1_685_038_116_000  # milliseconds; each older record is one earlier


def record(number: int) -> dict[str, object]:
    """The guide's example of a verification ("Verification Example"), about 1.6 kB."""
    steps = [
        ("ONE_ID_BACKGROUND_CHECK_CREATED", "OneID - Background Check Created", "06:33:PM"),
        ("SUBMITTED", "Application submitted", "06:33:PM"),
        ("COMPLETE", "Application completely returned", "06:34:PM"),
        ("COMPLETE", "Application completely returned", "06:34:PM"),
        ("ONE_ID_BACKGROUND_CHECK_RETURNED", "OneID - Background Check Returned", "06:34:PM"),
    ]
    return {
        "verification_id": f"VERIFICATION-1683225191102_{number:032d}",
        "result": "Verified",
        "status": "Accepted",
        "verification_type": "enhanced_identity_verification",
        "verification_subtype": None,
        "is_scan": False,
        "organization_id": "ORG123",
        "latest_response": {
            "account_association_links": [],
            "activity_log": [
                {
                    "created": "2023-05-04T00:00:00Z",
                    "date_label": "2023-05-04",
                    "id": f"cda74d75-d179-4d62-8584-cf42988f791{place}",
                    "modified": "2023-05-04T00:00:00Z",
                    "status": status,
                    "status_label": label,
                    "time_label": time,
                }
                for place, (status, label, time) in enumerate(steps)
            ],
        },
        "verification_metadata": {"your_internal_user_id": 123},
        "updated_at": str(NEWEST - number),
        "created_at": str(NEWEST - number),
    }


_TEMPLATE = (
    json.dumps(record(0))
    .replace("%", "%%")
    .replace(f"{0:032d}", "%032d")
    .replace(str(NEWEST), "%d")
)


def page(number: int, size: int, total: int) -> bytes:
    first = (number - 1) * size
    items = ", ".join(
        _TEMPLATE % (n, NEWEST - n, NEWEST - n) for n in range(first, min(first + size, total))
    )
    pages = -(-total // size)
    tail = f'"total": {total}, "page": {number}, "size": {size}, "pages": {pages}'
    return f'{{"items": [{items}], {tail}}}'.encode()


async def _serve(total: int) -> None:
    async def listing(request: web.Request) -> web.Response:
        query = request.query
        body = page(int(query.get("page", 1)), int(query.get("size", 50)), total)
        return web.Response(body=body, content_type="application/json")

    single = json.dumps(record(1)).encode()

    async def one(_: web.Request) -> web.Response:
        return web.Response(body=single, content_type="application/json")

    app = web.Application()
    app.router.add_get("/v2/verifications", listing)
    app.router.add_get("/v2/verifications/{id}", one)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def served(total: int) -> Iterator[str]:
    """The base URL of a server of ``total`` records in a process of its own."""
    command = [sys.executable, "-m", "benchmarks._server", str(total)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v2"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
