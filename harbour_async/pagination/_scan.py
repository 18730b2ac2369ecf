"""The plan that proves nothing: page after page, each id once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harbour_async.pagination._cursor import START, Cursor, Identity
from harbour_async.pagination._met import Met
from harbour_async.pagination._patience import Patience
from harbour_async.pagination._plan import Decision
from harbour_async.pagination._snapshot import Snapshot
from harbour_async.pagination._window import Window, aligned

EMPTY_PAGES = 3
"""A server may answer an empty page in the middle; this many in a row are the end."""

REPEATED_PAGES = 3
"""So many answers in a row that held records, but no new one, mean that it repeats itself."""

REPEATS = f"{REPEATED_PAGES} answers in a row held records, but no new one"
ENDLESS = "the listing does not come to an end"


class Scan:
    """Plain pages of ``size``, to the end that ``total`` tells.

    seen: fingerprints (``hash``) of the identities that were given before.
    at, last: where an earlier walk stood: the index after its last record, and that record's id.
    start: what stands at or before this cursor is not wanted.
    passed: where the proved part of the walk ended; a token says so.
    identity: what makes a record the same as one given before; by default its id.
    ordered: records keep the key by which the list is ordered, as far as the server says so.
    """

    assumed: str | None = None
    repaired = 0
    depth = 1 << 16

    def __init__(
        self,
        size: int,
        reason: str,
        *,
        seen: Iterable[int] = (),
        at: int = 0,
        last: str | None = None,
        start: Cursor = START,
        passed: Cursor | None = None,
        identity: Identity | None = None,
        ordered: bool = False,
    ) -> None:
        self.done = self.gave_up = False
        self.reason: str | None = reason
        self._start = start
        self._passed = passed or start
        self._size = size
        self._seen = frozenset(seen)
        self._met = Met(ordered=ordered)  # by this scan, which may read what an earlier part gave
        self._at = at
        self._last = last
        self._resumed = at > 0
        self._total: int | None = None
        self._credible = True
        self._empty = self._repeated = 0
        self._patience = Patience(size)
        self._identity = identity
        self._next = aligned(max(0, at - 1), size)
        self._snapshot: Snapshot | None = None
        self._rows: Sequence[int] = ()

    def propose(self, last: Window | None) -> Window | None:
        if last is None:
            return self._next
        window = Window(last.page + 1, last.size)
        known = self._total is not None and window.start < self._total
        return window if known else None

    def take(self, snapshot: Snapshot) -> Decision:
        self._at, self._last = self._reached(len(self._rows))
        self._credible = self._credible and snapshot.contradiction is None
        self._total = snapshot.total
        self._next = Window(snapshot.window.page + 1, snapshot.window.size)
        self._snapshot = snapshot
        # A page of records met before means a server that repeats itself, or a list that moved by
        # a page. What an earlier part of the walk gave does not count: it is met again here.
        met = len(self._met)
        self._rows = self._new_from(self._given_before(snapshot), snapshot)
        self._decide(snapshot, new=bool(self._rows) or len(self._met) > met)
        return Decision(self._rows)

    def state(self, given: int) -> dict[str, Any]:
        at, last = self._reached(given)
        cursor = {"key": self._passed.key, "ties": list(self._passed.ties)}
        return {"scan": True, "at": at, "last": last, **cursor}

    def _decide(self, snapshot: Snapshot, *, new: bool) -> None:
        """Whether this was the end, or there will be none."""
        self._empty = 0 if snapshot.ids else self._empty + 1
        self._repeated = self._repeated + 1 if snapshot.ids and not new else 0
        # A total that contradicted a page is believed no more: then only an empty page is the end.
        at_end = snapshot.window.end >= snapshot.total and (self._credible or not snapshot.ids)
        self.done = at_end or self._empty >= EMPTY_PAGES
        endless = self._patience.exhausted(snapshot.total, snapshot.stop, new=new)
        if not self.done and (endless or self._repeated >= REPEATED_PAGES):
            self.done = self.gave_up = True
            self.reason = f"{self.reason}; {ENDLESS if endless else REPEATS}"

    def _reached(self, given: int) -> tuple[int, str | None]:
        if not given or self._snapshot is None:
            return self._at, self._last
        position = self._rows[given - 1]
        return self._snapshot.start + position + 1, self._snapshot.ids[position]

    def _given_before(self, snapshot: Snapshot) -> int:
        """How many of the first answer's records an earlier walk gave, as far as one can tell."""
        if not self._resumed:
            return 0
        self._resumed = False
        # Its last record tells the place if it is still there; else the index is all there is.
        if self._last in snapshot.ids:
            return snapshot.ids.index(self._last) + 1
        return min(len(snapshot.ids), max(0, self._at - snapshot.start))

    def _new_from(self, first: int, snapshot: Snapshot) -> Sequence[int]:
        positions = range(first, len(snapshot.ids))
        by_id = not (self._seen or self._identity or self._start.key is not None)
        if by_id and self._met.add_all(snapshot, first):
            return positions  # all of them at once, mostly
        return [i for i in positions if self._new(snapshot.keys[i], snapshot.ids[i])]

    def _new(self, key: int | None, record_id: str | None) -> bool:
        """Whether a record is met for the first time; those without an id always are."""
        if record_id is None:
            return not self._start.passed(key, record_id)
        fingerprint = hash(self._identity(record_id, key) if self._identity else record_id)
        if not self._met.add(fingerprint):
            return False
        return fingerprint not in self._seen and not self._start.passed(key, record_id)
