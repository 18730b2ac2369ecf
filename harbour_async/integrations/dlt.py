"""A dlt source of verifications, webhooks and webhook events (extra ``dlt``).

::

    import dlt
    from harbour_async.integrations.dlt import harbour_source

    pipeline = dlt.pipeline("harbour", destination="duckdb", dataset_name="api")
    pipeline.run(harbour_source(full_every=24))
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from harbour_async._frames import dropped_frames
from harbour_async.budget import Budget
from harbour_async.errors import ConfigurationError
from harbour_async.export._columns import EXTRA, ColumnKind, Columns, choose
from harbour_async.export._events import AllEvents
from harbour_async.models import InvalidRecord, Verification, Webhook, WebhookEvent
from harbour_async.session import HarbourSession
from harbour_async.settings import RateLimit, is_aware

try:
    import dlt
    from dlt.common.destination.exceptions import DestinationUndefinedEntity
except ImportError:
    raise ConfigurationError(
        "harbour_async.integrations.dlt needs dlt: pip install 'harbour-async[dlt]'"
    ) from None

DELETED = "deleted"
"""The column that marks deleted records, with dlt's hard-delete hint."""

LOOKBACK = timedelta(minutes=5)
"""How far a run looks back, for rows that become visible after rows with a later update."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = {
    ColumnKind.TEXT: "text",
    ColumnKind.ENUM: "text",
    ColumnKind.FLAG: "bool",
    ColumnKind.MOMENT: "timestamp",
    ColumnKind.PAYLOAD: "json",
    ColumnKind.LIST: "json",
}


def harbour_source(
    api_key: str | None = None,
    *,
    base_url: str | None = None,
    start: datetime = _EPOCH,
    full: bool = False,
    full_every: int | None = None,
    rate_limit: RateLimit = RateLimit(),
) -> Any:
    """A ``DltSource`` with the resources ``verifications``, ``webhooks`` and ``webhook_events``.

    ::

        source = harbour_source(start=datetime(2026, 1, 1, tzinfo=UTC), full_every=24)
        dlt.pipeline("harbour", destination="duckdb", dataset_name="api").run(source)

    ``verifications`` are merged on their id: the first run loads what was updated since ``start``,
    later ones what was updated since the run before. Deletions are not among the changes, so a full
    run reads the whole listing and marks deleted records in the column ``deleted``, which has dlt's
    hard-delete hint. If the listing cannot be proved complete, the run fails with
    IncompleteListingError, and nothing is loaded. The other two resources are small, and are
    replaced in each run.

    api_key: the API key; None: from ``HARBOUR_API_KEY``.
    base_url: the base URL; None: from ``HARBOUR_BASE_URL``, or Harbour's own.
    start: an aware datetime; older updates are not loaded, except by full runs.
    full: make this run a full one.
    full_every: make every n-th run a full one, n being 2 or more; None: never.
    rate_limit: requests per seconds; the resources share one budget.

    Destinations that cannot merge (files without a table format) get each version as a separate
    row, and so each deletion; there the row of an id with the latest ``_dlt_load_id`` counts.

    Raises ConfigurationError for arguments that cannot be used; a run raises what the walks raise.
    Guide: "List verifications", "List webhooks", "List webhook events".
    """
    if not is_aware(start):
        raise ConfigurationError(f"start must be a datetime with a time zone, not {start!r}")
    if full_every is not None and (not isinstance(full_every, int) or full_every < 2):
        raise ConfigurationError(f"full_every must be a whole number from 2, not {full_every!r}")
    budget = Budget(rate_limit)

    def session() -> HarbourSession:
        return HarbourSession(api_key, base_url=base_url, budget=budget)

    @dlt.resource(
        name="verifications",
        primary_key="verification_id",
        write_disposition="merge",
        columns=_hints(choose(Verification), deletable=True),
        max_table_nesting=0,
    )
    async def verifications() -> AsyncIterator[Any]:
        state = dlt.current.resource_state()
        run = state.get("runs", 0) + 1
        every = full or (full_every is not None and run % full_every == 0)
        with dropped_frames():
            async with session() as harbour:
                if every:
                    async for rows in _everything(harbour):
                        yield rows
                changes = _changes(harbour, start, state.get("token"))
                async for page in changes.pages():
                    yield _rows(page.items, choose(Verification))
                state["token"] = changes.resume_token
        state["runs"] = run

    @dlt.resource(
        name="webhooks",
        primary_key="webhook_id",
        write_disposition="replace",
        columns=_hints(choose(Webhook)),
        max_table_nesting=0,
    )
    async def webhooks() -> AsyncIterator[Any]:
        with dropped_frames():
            async with session() as harbour:
                async for page in harbour.webhooks.list().pages():
                    yield _rows(page.items, choose(Webhook))

    @dlt.resource(
        name="webhook_events",
        write_disposition="replace",
        columns=_hints(choose(WebhookEvent)),
        max_table_nesting=0,
    )
    async def webhook_events() -> AsyncIterator[Any]:
        with dropped_frames():
            async with session() as harbour:
                async for page in AllEvents(harbour.webhooks).pages():
                    yield _rows(page.items, choose(WebhookEvent))

    @dlt.source(name="harbour", max_table_nesting=0)
    def source() -> Any:
        return verifications, webhooks, webhook_events

    return source()


def _changes(harbour: HarbourSession, start: datetime, token: str | None) -> Any:
    verifications = harbour.verifications
    if token is None:
        return verifications.changes(start)
    return verifications.changes(start, resume=token, lookback=LOOKBACK)


async def _everything(harbour: HarbourSession) -> AsyncIterator[list[dict[str, Any]]]:
    """The whole listing, and a mark for each record that only the destination has."""
    # Read before the walk begins, so that a record created later is in neither.
    gone = _known_ids()
    columns = choose(Verification)
    async for page in harbour.verifications.list().pages():
        gone.difference_update(record.verification_id for record in page.items)
        yield _rows(page.items, columns)
    # A listing that was not proved complete has raised by now.
    if gone:
        yield [{"verification_id": own_id, DELETED: True} for own_id in sorted(gone)]


def _known_ids() -> set[str]:
    """The verifications in the destination that are not marked as deleted."""
    latest: dict[str, tuple[str, bool]] = {}
    with dlt.current.pipeline().sql_client() as client:
        table = client.make_qualified_table_name("verifications")
        query = f"SELECT verification_id, _dlt_load_id, {DELETED} FROM {table}"
        try:
            rows = client.execute_sql(query) or ()
        except DestinationUndefinedEntity:  # no run has had a verification to load
            return set()
        for own_id, load_id, deleted in rows:
            latest[own_id] = max(latest.get(own_id, ("", False)), (load_id, bool(deleted)))
    return {own_id for own_id, (_, deleted) in latest.items() if not deleted}


def _rows(records: list[Any], columns: Columns) -> list[dict[str, Any]]:
    for record in records:
        if isinstance(record, InvalidRecord):  # of the events, whose walk keeps them
            raise record.error
    return [{name: _plain(getattr(record, name)) for name in columns.names} for record in records]


def _plain(value: Any) -> Any:
    """Members of enums as text, and an empty mapping as null."""
    if isinstance(value, str):
        return str(value)
    return None if value == {} else value


def _hints(columns: Columns, *, deletable: bool = False) -> Any:
    hints: dict[str, Any] = {
        column.name: {
            "data_type": "json" if column.name == EXTRA else _TYPES[column.kind],
            "nullable": column is not columns.required,
        }
        for column in columns.chosen
    }
    if deletable:
        # The same record may come twice in one load: its latest version counts.
        hints["updated_at"]["dedup_sort"] = "desc"
        hints[DELETED] = {"data_type": "bool", "hard_delete": True, "nullable": True}
    return hints
