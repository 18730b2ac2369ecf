"""The dlt source, into DuckDB and into Parquet files, over changes and deletions."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import pytest

from harbour_async import ConfigurationError, DecodeError, IncompleteListingError, RateLimit
from harbour_async.integrations.dlt import harbour_source
from harbour_async.sandbox import Sandbox
from tests.exposed import exposed_text

# Some versions of dlt stop their event loop and never close it. Such loops are collected in these
# tests, so that the warning fails no other test.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

FOLDERS = {"duckdb": None, "filesystem": "parquet"}


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(verifications=120, webhooks=2, events=3, rate_limit=None) as sandbox:
        yield sandbox


class Warehouse:
    """A destination, and pipelines that share nothing except the state that is kept in it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder

    def pipeline(self) -> Any:
        place = str(self.folder / ("warehouse.duckdb" if self.kind == "duckdb" else "files"))
        destination = getattr(dlt.destinations, self.kind)(place)
        return dlt.pipeline(
            "harbour", destination=destination, dataset_name="harbour",
            pipelines_dir=str(self.folder / "pipelines"),
        )  # fmt: skip

    async def load(self, sandbox: Sandbox, **options: Any) -> None:
        """Run dlt in a thread, because it blocks and the sandbox has to answer meanwhile."""

        def run() -> None:
            source = harbour_source(
                sandbox.api_key, base_url=sandbox.url, rate_limit=RateLimit.unlimited(), **options
            )
            self.pipeline().run(source, loader_file_format=FOLDERS[self.kind])

        await asyncio.to_thread(run)

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        with self.pipeline().sql_client() as client:
            name = client.make_qualified_table_name(table)
            return list(client.execute_sql(f"SELECT {', '.join(columns)} FROM {name}") or ())

    def verifications(self) -> dict[str, str]:
        """The current id and status; in files the latest row of each id counts."""
        rows = self.rows("verifications", "verification_id", "status", "_dlt_load_id", "deleted")
        if self.kind == "duckdb":
            assert len({row[0] for row in rows}) == len(rows)
        latest = {row[0]: row for row in sorted(rows, key=lambda row: row[2])}
        return {own_id: row[1] for own_id, row in latest.items() if not row[3]}


@pytest.fixture(params=FOLDERS)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    yield Warehouse(request.param, tmp_path)
    dlt.pipeline("harbour").deactivate()


async def test_three_runs_follow_changes_and_deletions(
    warehouse: Warehouse, sandbox: Sandbox
) -> None:
    await warehouse.load(sandbox)
    assert warehouse.verifications().keys() == set(sandbox.verification_ids())

    changed, gone, *_ = sandbox.verification_ids()
    sandbox.update(changed, status="cancelled")
    sandbox.insert(2, status="started")
    sandbox.delete(gone)
    await warehouse.load(sandbox)
    found = warehouse.verifications()
    assert found[changed] == "cancelled"
    assert found.keys() == {
        *sandbox.verification_ids(),
        gone,
    }  # a walk of changes shows no deletions

    sandbox.delete(2)
    sandbox.update(changed, status="completed")
    await warehouse.load(sandbox, full_every=3)
    found = warehouse.verifications()
    assert found.keys() == set(sandbox.verification_ids())
    assert found[changed] == "completed"

    webhooks = warehouse.rows("webhooks", "webhook_id")
    assert sorted(own_id for (own_id,) in webhooks) == sorted(sandbox.webhook_ids())
    events = warehouse.rows("webhook_events", "webhook_id", "event_id")
    assert len(set(events)) == len(events) == 6


async def test_events_as_the_guide_shows_them_have_no_id(
    sandbox: Sandbox, warehouse: Warehouse
) -> None:
    rows = [{"webhook_id": "w", "event_datetime": "2023-05-04T21:33:03.023949"}]
    sandbox.fail(200, body={"items": rows, "total": 1}, path="/webhooks/*/events", times=None)
    await warehouse.load(sandbox)
    assert warehouse.rows("webhook_events", "webhook_id", "event_id") == [("w", None)] * 2


async def test_a_full_run_follows_runs_that_had_no_verification_to_load(
    warehouse: Warehouse,
) -> None:
    """There is no table then whose records could have been deleted."""
    async with Sandbox(verifications=0, webhooks=1, rate_limit=None) as sandbox:
        await warehouse.load(sandbox)
        await warehouse.load(sandbox, full=True)
        sandbox.insert(3)
        await warehouse.load(sandbox, full=True)
        assert warehouse.verifications().keys() == set(sandbox.verification_ids())


async def test_a_first_run_that_is_a_full_one_loads_what_is_older_than_its_start(
    warehouse: Warehouse, sandbox: Sandbox
) -> None:
    await warehouse.load(sandbox, full=True, start=datetime(2199, 1, 1, tzinfo=UTC))
    assert warehouse.verifications().keys() == set(sandbox.verification_ids())


async def test_an_event_that_cannot_be_read_fails_the_run_with_a_decode_error(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    rows = [{"webhook_id": "W-1", "event_id": each} for each in ("E-1", 5)]
    sandbox.fail(200, body={"items": rows, "total": 2}, path="/webhooks/*/events", times=None)
    with pytest.raises(Exception, match="failed") as caught:
        await Warehouse("duckdb", tmp_path).load(sandbox)
    error = root(caught.value)
    assert isinstance(error, DecodeError)
    assert error.path == "$.items[1].event_id"
    assert "E-1" not in exposed_text(error)


async def test_a_listing_that_is_not_proved_marks_no_record_as_deleted(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    warehouse = Warehouse("duckdb", tmp_path)
    await warehouse.load(sandbox)
    before = warehouse.verifications()
    sandbox.delete(1)
    undated = {"items": [{"verification_id": "undated"}], "total": 1}
    sandbox.fail(200, body=undated, path="/verifications", times=None)
    with pytest.raises(Exception, match="proved") as caught:
        await warehouse.load(sandbox, full=True)
    assert isinstance(root(caught.value), IncompleteListingError)
    assert warehouse.verifications() == before


def root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@pytest.mark.parametrize(
    "options",
    [{"start": datetime(2026, 1, 1)}, {"full_every": 1}, {"full_every": "3"}],
)
def test_wrong_arguments_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        harbour_source("key", **options)
