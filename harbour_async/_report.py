"""The report of a walk."""

from __future__ import annotations

from attrs import frozen


@frozen
class PagingReport:
    """What one walk has done so far.

    requests: everything sent, prefetched pages that had to be dropped included.
    pages: answers that brought something new.
    yielded: records yielded, invalid ones that ``on_invalid`` kept included.
    invalid: records that broke a rule of the wire, whatever ``on_invalid`` did with them.
    duplicates_dropped: records that came again, as in overlaps, and were not yielded again.
    gaps_repaired: places where records could have been skipped, and were read again.
    total_first, total_last: the ``total`` of the first and of the last answer.
    complete: True only once the walk has ended and is proved (docs/completeness.md).
    reason: why it is not complete, else None.
    assumed: what had to be assumed of the server beyond the two assumptions that every proof
        makes, else None.
    """

    requests: int = 0
    pages: int = 0
    yielded: int = 0
    invalid: int = 0
    duplicates_dropped: int = 0
    gaps_repaired: int = 0
    total_first: int | None = None
    total_last: int | None = None
    complete: bool = False
    reason: str | None = "not started"
    assumed: str | None = None
