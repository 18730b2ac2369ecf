"""What a walk can say about itself."""

from __future__ import annotations

from attrs import frozen


@frozen
class PagingReport:
    """The account of one walk, as far as it has come.

    ``requests`` counts everything sent, prefetched pages that had to be dropped included;
    ``pages`` counts answers that brought something new. ``gaps_repaired`` are the places where
    records would have been skipped or could not be excluded to have been, and were read again.
    ``complete`` is True only once the walk has ended and every record that existed from its start
    to its end is proved to have been yielded; ``reason`` says why it is not.
    """

    requests: int = 0
    pages: int = 0
    yielded: int = 0
    duplicates_dropped: int = 0
    gaps_repaired: int = 0
    total_first: int | None = None
    total_last: int | None = None
    complete: bool = False
    reason: str | None = "not started"
