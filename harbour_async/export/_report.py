"""The account of an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from harbour_async._report import PagingReport


@frozen
class ExportReport:
    """What an export wrote, and whether that is all there is.

    ``rows`` are in the file at ``path`` (None: stdout), in ``format``; ``sha256`` is the file's.
    ``yielded`` records came from the listing, ``invalid`` of them broke the guide's rules and are
    in ``invalid_path``. ``complete`` says that the listing was proved complete, ``reason`` why
    not; ``unproved`` that the proof failed, in an order that can be proved. ``runs`` counts the
    runs it took, and ``report`` is the walk's account of all of them.
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
