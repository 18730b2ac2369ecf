"""An export to stdout: JSON lines, as they come. It cannot be resumed."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable

from harbour_async._frames import dropped_frames
from harbour_async._report import PagingReport
from harbour_async.errors import ConfigurationError, IncompleteListingError
from harbour_async.export._columns import Columns
from harbour_async.export._errors import ExportError, ReaderGoneError
from harbour_async.export._listing import Listing
from harbour_async.export._report import ExportReport
from harbour_async.models import InvalidRecord


async def to_stdout(
    pager: Listing,
    columns: Columns,
    format: str | None,  # noqa: A002
    on_progress: Callable[[PagingReport], object] | None,
) -> ExportReport:
    """Write each page at once. Invalid records are counted, not written."""
    if format not in (None, "jsonl"):
        raise ConfigurationError(f"stdout takes JSON lines only: name a file for {format}")
    digest = hashlib.sha256()
    rows, invalid, unproved = 0, 0, False
    pages = pager.pages()
    with dropped_frames():
        try:
            async for page in pages:
                valid = [r for r in page.items if not isinstance(r, InvalidRecord)]
                data = b"".join(columns.line(record) + b"\n" for record in valid)
                _write(data)
                digest.update(data)
                rows += len(valid)
                invalid += len(page.items) - len(valid)
                if on_progress is not None:
                    on_progress(pager.report)
        except IncompleteListingError:
            unproved = True
        except BaseException as error:
            error.add_note(f"records written to stdout: {rows}; nothing is kept")
            raise
        finally:
            await pages.aclose()
    report = pager.report
    return ExportReport(
        path=None,
        format="jsonl",
        rows=rows,
        yielded=report.yielded,
        invalid=invalid,
        invalid_path=None,
        complete=report.complete,
        reason=report.reason,
        unproved=unproved,
        runs=1,
        sha256=digest.hexdigest(),
        report=report,
    )


def _write(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError("stdout: the reader has closed it", error.errno) from error
    except OSError as error:
        raise ExportError(f"stdout: {error.strerror}", error.errno) from error
