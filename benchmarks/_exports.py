"""The contenders of ``export``: each writes the same listing to a file.

Run as ``python -m benchmarks._exports CONTENDER URL RECORDS FOLDER``; prints seconds, CPU seconds
and the growth of peak memory of this process as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._streams import SIZE, in_order, params

CONCURRENCY = 4


def ours(form: str, url: str, records: int, folder: Path) -> int:
    """harbour_async."""
    from harbour_async import HarbourSession, RateLimit, export

    async def run() -> int:
        async with HarbourSession("key", base_url=url, rate_limit=RateLimit.unlimited()) as harbour:
            pager = harbour.verifications.list(concurrency=CONCURRENCY)
            report = await export.export(pager, folder / f"verifications.{form}")
            assert report.complete
            return report.rows

    rows = asyncio.run(run())
    assert rows == records
    return rows


def loop(url: str, records: int, folder: Path) -> int:
    """httpx, pydantic and json.dumps, a few pages ahead, without a proof or a checkpoint."""
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
        organization_id: str | None = None

    class Page(BaseModel):
        items: list[Verification]
        total: int

    async def run() -> int:
        rows = 0
        async with httpx.AsyncClient(headers={"x-api-key": "key"}) as http:

            async def fetch(number: int) -> Page:
                answer = await http.get(f"{url}/verifications", params=params(number))
                return Page.model_validate_json(answer.content)

            with (folder / "verifications.jsonl").open("w") as file:
                async for page in in_order(fetch, records):
                    for record in page.items:
                        file.write(json.dumps(record.model_dump()) + "\n")
                        rows += 1
        return rows

    return asyncio.run(run())


def dlt(form: str, url: str, records: int, folder: Path) -> int:  # noqa: ARG001 - as the others
    """dlt's REST source, configured for this API: pages from 1, their number in ``pages``.

    Nested fields stay JSON, as in our files; by default dlt would make tables of them.
    """
    os.environ.update(
        RUNTIME__DLTHUB_TELEMETRY="false",
        RUNTIME__LOG_LEVEL="ERROR",
        DLT_DATA_DIR=str(folder / "data"),
        DATA_WRITER__DISABLE_COMPRESSION="true",
    )
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "headers": {"x-api-key": "key"},
                "paginator": {
                    "type": "page_number", "base_page": 1, "page_param": "page",
                    "total_path": "pages",
                },
            },
            "resources": [
                {
                    "name": "verifications",
                    "max_table_nesting": 0,
                    "endpoint": {
                        "path": "verifications",
                        "params": {"size": SIZE, "order_by": "created_at DESC"},
                        "data_selector": "items",
                    },
                }
            ],
        }
    )  # fmt: skip
    pipeline: Any = dlt.pipeline(
        "benchmark", destination=dlt.destinations.filesystem(str(folder / "files")),
        dataset_name="api", pipelines_dir=str(folder / "pipelines"),
    )  # fmt: skip
    pipeline.run(source, loader_file_format=form)
    return int(pipeline.last_trace.last_normalize_info.row_counts["verifications"])


CONTENDERS: dict[str, Callable[[str, int, Path], int]] = {
    **{f"ours_{form}": partial(ours, form) for form in ("jsonl", "csv", "parquet")},
    "loop": loop,
    **{f"dlt_{form}": partial(dlt, form) for form in ("jsonl", "parquet")},
}


def main() -> None:
    name, url, records, folder_name = sys.argv[1:]
    folder = Path(folder_name) / name
    folder.mkdir()
    started, cpu = time.perf_counter(), time.process_time()
    try:
        rows = CONTENDERS[name](url, int(records), folder)
    finally:
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        shutil.rmtree(folder)
    assert rows == int(records), f"{name} wrote {rows} rows"
    figures = {
        "seconds": seconds,
        "cpu": cpu,
        "per_second": rows / seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
