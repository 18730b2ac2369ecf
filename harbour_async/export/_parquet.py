"""Parquet, with the schema of ``_arrow``."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from harbour_async.export import _disk
from harbour_async.export._arrow import arrow, batch, schema
from harbour_async.export._columns import Columns
from harbour_async.export._errors import unmergeable
from harbour_async.export._jsonl import Keep

_GROUP_BYTES = 16 << 20
"""Bytes of JSON lines in a row group: bounds the memory, and lets readers skip whole groups."""


class _Sink(io.RawIOBase):
    """A file object for pyarrow that writes through ``_disk``, and nowhere once it is abandoned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = _disk.open_private(path)
        self._place = 0
        self._abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if not self._abandoned:
            _disk.write(self.fd, bytes(data), self.path)
        self._place += size
        return size

    def abandon(self) -> None:
        # A writer of pyarrow that was not closed writes a footer when it is collected. By then the
        # descriptor's number may be that of another file or of a connection.
        self._abandoned = True
        os.close(self.fd)

    def tell(self) -> int:
        return self._place


def _batches(old: Path, file: BinaryIO, shape: Any) -> Iterator[Any]:
    """The rows of an earlier file."""
    # For a damaged file pyarrow raises an error of its own, or an OSError without a number.
    try:
        parquet = arrow().parquet.ParquetFile(file)
        if not parquet.schema_arrow.equals(shape):
            raise unmergeable(old, "has another schema")
        yield from parquet.iter_batches(batch_size=1000)
    except (arrow().ArrowException, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise unmergeable(old, "is not a Parquet file, or damaged") from None


class ParquetWriter:
    """Collects lines into row groups."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self.rows = 0
        self._columns = columns
        self._shape = schema(columns)
        self._sink = _Sink(path)
        self._writer: Any = None
        self._group: list[Any] = []
        self._bytes = 0

    def begin(self) -> None:
        self._writer = arrow().parquet.ParquetWriter(self._sink, self._shape, compression="zstd")

    def write(self, lines: Sequence[bytes]) -> None:
        self._add(batch(lines, self._columns, self._shape), sum(map(len, lines)))

    def copy(self, old: Path, keep: Keep) -> Iterator[None]:
        """Rows of an earlier file of the same schema; pauses between batches."""
        with _disk.reading(old) as file:
            for found in _batches(old, file, self._shape):
                ids = found.column(self._columns.own_id).to_pylist()
                moments = [None] * len(ids)
                if "updated_at" in self._columns.names:
                    moments = found.column("updated_at").to_pylist()
                mask = [keep(*version) for version in zip(ids, moments, strict=True)]
                kept = found.filter(arrow().array(mask))
                self._add(kept, kept.nbytes)
                yield

    def close(self) -> None:
        self._flush()
        self._writer.close()
        _disk.sync(self._sink.fd, self._sink.path)

    def abandon(self) -> None:
        self._sink.abandon()

    def _add(self, found: Any, size: int) -> None:
        self.rows += found.num_rows
        self._bytes += size
        self._group.append(found)
        if self._bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._group:
            table = arrow().Table.from_batches(self._group, schema=self._shape)
            self._writer.write_table(table.unify_dictionaries(), row_group_size=table.num_rows or 1)
        self._group, self._bytes = [], 0
