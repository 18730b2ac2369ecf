"""Records as Arrow batches of a fixed schema (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from harbour_async._frames import dropped_frames
from harbour_async.errors import ConfigurationError, IncompleteListingError
from harbour_async.export._columns import Column, ColumnKind, Columns, choose
from harbour_async.export._listing import Listing, facts
from harbour_async.models import InvalidRecord

ROWS = 1000
"""Rows of a batch."""


def arrow() -> Any:
    """The module pyarrow; ConfigurationError if it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(
            f"Arrow and Parquet need {error.name}: pip install 'harbour-async[parquet]'"
        ) from None
    return pyarrow


def schema(columns: Columns) -> Any:
    """The Arrow schema: timestamps in UTC, dictionary strings for enums, JSON text for objects."""
    pa = arrow()
    types = {
        ColumnKind.TEXT: pa.string(),
        ColumnKind.ENUM: pa.dictionary(pa.int32(), pa.string()),
        ColumnKind.FLAG: pa.bool_(),
        ColumnKind.MOMENT: pa.timestamp("us", tz="UTC"),
        ColumnKind.PAYLOAD: pa.string(),
        ColumnKind.LIST: pa.list_(pa.string()),
    }

    def typed(column: Column) -> Any:
        return pa.field(column.name, types[column.kind], nullable=column is not columns.required)

    return pa.schema([typed(column) for column in columns.chosen])


def batch(lines: Sequence[bytes], columns: Columns, shape: Any) -> Any:
    """Lines of a spool as one batch."""
    pa = arrow()
    rows = [columns.row(line) for line in lines]
    values = zip(*rows, strict=True) if rows else [()] * len(columns.chosen)
    arrays = [pa.array(list(v), field.type) for v, field in zip(values, shape, strict=True)]
    return pa.record_batch(arrays, schema=shape)


async def batches(pager: Listing) -> AsyncIterator[Any]:
    """A listing as ``pyarrow.RecordBatch`` objects of up to 1,000 rows (extra ``parquet``).

    ::

        async for batch in export.batches(harbour.verifications.list()):
            print(polars.from_arrow(batch)["status"])

    The schema is that of Parquet exports (docs/export.md). Memory does not grow with the records.

    pager: a listing of a session, as ``verifications.list()`` gives it.

    Raises ConfigurationError at once if pyarrow is missing; what the walk raises, which after the
    last batch is IncompleteListingError if the proof failed; and the DecodeError of an invalid
    record that the pager keeps, because a batch has no place for it.
    Guide: "List verifications", "List webhooks", "List webhook events".
    """
    columns = choose(facts(pager).record)
    shape = schema(columns)
    lines: list[bytes] = []
    lost_proof = None
    pages = pager.pages()
    with dropped_frames():
        try:
            async for page in pages:
                for record in page.items:
                    if isinstance(record, InvalidRecord):
                        raise record.error
                    lines.append(columns.line(record))
                if len(lines) >= ROWS:
                    yield batch(lines[:ROWS], columns, shape)
                    del lines[:ROWS]
        except IncompleteListingError as error:  # everything found comes first
            lost_proof = error
        finally:
            await pages.aclose()
        if lines:
            yield batch(lines, columns, shape)
        if lost_proof:
            raise lost_proof


async def to_arrow(pager: Listing) -> Any:
    """All records of a listing as one ``pyarrow.Table`` (extra ``parquet``).

    ::

        table = await export.to_arrow(harbour.verifications.list())
        print(table.num_rows, table.to_pandas()["created_at"].max())

    ``polars.from_arrow`` and DuckDB accept the table without conversion.

    pager: a listing of a session, as ``verifications.list()`` gives it.

    Raises ConfigurationError at once if pyarrow is missing; what the walk raises, among it
    IncompleteListingError if the proof failed; and the DecodeError of an invalid record that the
    pager keeps. Guide: "List verifications", "List webhooks", "List webhook events".
    """
    with dropped_frames():
        found = [found async for found in batches(pager)]
    shape = schema(choose(facts(pager).record))
    return arrow().Table.from_batches(found, schema=shape).unify_dictionaries()
