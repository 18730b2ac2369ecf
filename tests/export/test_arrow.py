"""Arrow batches and tables, read by polars and DuckDB."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet
import pytest

from harbour_async import ConfigurationError, IncompleteListingError
from harbour_async.export import batches, export, to_arrow
from tests.export.support import listing, record, served

RECORDS = [record(n, status="Completed", latest_response={"n": n}, new=n) for n in range(1100)]


async def test_batches_hold_every_record_in_order() -> None:
    found = [batch async for batch in batches(listing(RECORDS))]
    assert [batch.num_rows for batch in found] == [1000, 100]
    ids = [value for batch in found for value in batch["verification_id"].to_pylist()]
    assert ids == [r["verification_id"] for r in RECORDS]


async def test_the_schema_is_fixed() -> None:
    shape = (await to_arrow(listing([]))).schema
    assert shape.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert shape.field("status").type == pa.dictionary(pa.int32(), pa.string())
    assert shape.field("latest_response").type == pa.string()
    assert shape.field("is_scan").type == pa.bool_()
    assert shape.names[-1] == "extra"


async def test_values_are_those_of_the_records() -> None:
    (row,) = (await to_arrow(listing(RECORDS[5:6]))).to_pylist()
    assert row["created_at"] == datetime(2023, 5, 25, 18, 8, 31, tzinfo=UTC)
    assert row["status"] == "completed"
    assert row["latest_response"] == '{"n": 5}'
    assert row["extra"] == '{"new":5}'
    assert row["result"] is None


async def test_webhooks_have_lists() -> None:
    async with served(0, webhooks=2) as (_, harbour):
        table = await to_arrow(harbour.webhooks.list())
    assert table.schema.field("event_types").type == pa.list_(pa.string())
    assert table.num_rows == 2


async def test_known_event_types_are_in_lower_case() -> None:
    types = ["VERIFICATION", "Agreement.Viewed", "Other"]
    hook = {"webhook_id": "w", "created_at": 1685038116000, "event_types": types}
    async with served(0) as (sandbox, harbour):
        sandbox.fail(200, body={"items": [hook], "total": 1, "page": 1, "size": 50, "pages": 1})
        table = await to_arrow(harbour.webhooks.list())
    assert table["event_types"].to_pylist() == [["verification", "agreement.viewed", "Other"]]


async def test_events_as_the_guide_shows_them_have_no_id_in_parquet(tmp_path: Path) -> None:
    event = {"webhook_id": "w", "event_datetime": "2023-05-04T21:33:03.023949"}
    async with served(0) as (sandbox, harbour):
        sandbox.fail(200, body={"items": [event], "total": 1, "page": 1, "size": 50, "pages": 1})
        await export(harbour.webhooks.events("w"), tmp_path / "e.parquet")
    (row,) = pyarrow.parquet.read_table(tmp_path / "e.parquet").to_pylist()
    assert (row["webhook_id"], row["event_id"]) == ("w", None)


async def test_polars_and_duckdb_read_the_table() -> None:
    table = await to_arrow(listing(RECORDS))
    frame = polars.from_arrow(table)
    assert isinstance(frame, polars.DataFrame)
    assert frame.filter(polars.col("status") == "completed").height == 1100
    query = "select count(*), max(created_at) from verifications where status = 'completed'"
    (found,) = duckdb.connect().register("verifications", table).sql(query).fetchall()
    assert found[0] == 1100


async def test_a_lost_proof_is_raised_after_the_last_batch() -> None:
    found = 0
    with pytest.raises(IncompleteListingError):
        async for batch in batches(listing([record(1), record(2, created_at=None)])):
            found += batch.num_rows
    assert found == 2


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'harbour-async\[parquet\]'"):
        await to_arrow(listing([]))
