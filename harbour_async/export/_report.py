"""The report of an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from harbour_async._report import PagingReport


@frozen
class ExportReport:
    """What an export wrote, and whether the listing was proved complete.

    path: the file; None for stdout.
    format: "jsonl", "csv" or "parquet".
    rows: how many rows are in the file.
    yielded: how many records came from the listing, invalid ones included.
    invalid: how many broke the guide's rules; they are in ``invalid_path``. With ``--since last``
        those of earlier runs count too, until they come again.
    complete: whether the listing was proved complete; ``reason`` says why not.
    unproved: whether a proof was attempted and failed.
    runs: how many runs the export took.
    sha256: the hash of the file, in hexadecimal.
    report: the PagingReport of all runs together.
    """

    path: Path | None
    format: str
    rows: int
    yielded: int
    invalid: int
    invalid_path: Path | None
    complete: bool
    reason: str | None
    unproved: bool
    runs: int
    sha256: str
    report: PagingReport

    def manifest(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        document = attrs.asdict(self)
        for name in ("path", "invalid_path"):
            document[name] = None if document[name] is None else str(document[name])
        return document
