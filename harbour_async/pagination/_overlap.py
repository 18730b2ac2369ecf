"""The plan that proves a listing: windows that overlap, each joined to what was read before.

The headings named in the comments are those of docs/completeness.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import inf
from typing import Any

from harbour_async.pagination._cursor import ENOUGH_TIES, START, Cursor, Identity
from harbour_async.pagination._patience import Patience
from harbour_async.pagination._place import Place
from harbour_async.pagination._plan import Decision
from harbour_async.pagination._search import Search
from harbour_async.pagination._snapshot import Snapshot
from harbour_async.pagination._taken import Taken
from harbour_async.pagination._window import LARGEST, Window, reaching

DOUBTS = 6
"""So many times a short answer is asked for again whose total says that more follows."""

ASSUMED = "the server keeps the order of records that share a key: more do than fit on a page"
ENDLESS = "the walk does not end: the list repeats itself, or grows as fast as it is read"
NO_ORDER = "more records share a key than fit on a page, and they come in another order each time"


class Overlap:
    """Reads windows in order, each of which shows a record strictly before the cursor.

    size: records a window, unless only a larger one can make progress.
    cursor: where to begin; the default stands before the first record.
    place: the index at which the cursor is thought to stand; 0 if that is not known.
    known: what an earlier walk gave of the records at this cursor's key; not given again.
    identity: what makes a record the same as one given before; by default its id.
    """

    def __init__(
        self,
        size: int,
        cursor: Cursor = START,
        place: int = 0,
        *,
        known: Cursor | None = None,
        identity: Identity | None = None,
        assumed: str | None = None,
    ) -> None:
        self.done = self.gave_up = False
        self.reason: str | None = None
        self.assumed = assumed
        self.repaired = 0
        self.identity = identity
        self.start = self.cursor = cursor
        # Should the proof be lost, no record may be given again. Eight bytes a record.
        self.fingerprints = array("q")
        self._size = size
        self._known = known
        self._place = Place(place, known=cursor.key is None)
        self._taken = Taken(cursor)
        self._search: Search | None = None
        self._total = 0
        self._remaining: float = inf  # records behind the last answer
        self._doubts = 0
        self._patience = Patience(size)

    @property
    def depth(self) -> int:
        """How many requests may be on their way."""
        # Answers that overtake each other in a list that moves leave real gaps between them, and
        # each gap costs a request. So more windows are read at a time the longer it keeps still.
        still = self._search is None and 2 * self._place.group <= self._size
        return 2 ** min(max(0, self._place.still - 1), 16) if still else 1

    def propose(self, last: Window | None) -> Window | None:
        ties = len(self.cursor.ties)
        if self._search:
            return None if last else self._window(self._search.guess, ties)
        if last is None:
            return self._window(self._place.index, ties)
        return self._window(last.end, self._place.group) if last.end < self._total else None

    def take(self, snapshot: Snapshot) -> Decision:
        self._total = snapshot.total
        self._taken = Taken(self.cursor)
        decision = self._read(snapshot)
        new = bool(decision.rows)
        if self._patience.exhausted(self._total, self._place.index, new=new) and not self.done:
            self.done = self.gave_up = True
            self.reason = self.reason or ENDLESS
        return decision

    def state(self, given: int) -> dict[str, Any]:
        passed = self._taken.passed(given)
        cursor = self._taken.cursor(passed)
        return {
            "key": cursor.key,
            "ties": list(cursor.ties),
            "at": max(0, self._place.index - (len(self._taken.ids) - passed)),
            "assumed": self.assumed,
        }

    # -- which window ----------------------------------------------------------------------------

    def _window(self, place: int, ties: int) -> Window:
        """A window that goes on at ``place`` and shows a record before the ``ties``."""
        overlap, margin = 1 + max(1, ties), self._place.drift.margin
        size = min(LARGEST, self._size + overlap - 2 + 2 * margin)
        # The last two are for "More equal keys than fit on a page": known records join those.
        for back in (overlap + margin, overlap, ENOUGH_TIES + margin, ENOUGH_TIES):
            window = reaching(place - back, place, size)
            if window.end > place:
                break
        return window

    # -- what an answer shows --------------------------------------------------------------------

    def _read(self, snapshot: Snapshot) -> Decision:
        if snapshot.flaw:
            self.reason = snapshot.flaw
            return Decision()
        if snapshot.contradiction:
            return self._doubt(snapshot)
        self._doubts = 0
        if not self._joins(snapshot):
            return Decision() if self.reason else self._missed(snapshot)
        return self._joined(snapshot)

    def _doubt(self, snapshot: Snapshot) -> Decision:
        """Ask again ("The end"): the total may be of another moment than the rows."""
        self._doubts += 1
        if self._doubts > DOUBTS:
            self.reason = snapshot.contradiction
        return Decision(first=snapshot.window)

    def _joins(self, snapshot: Snapshot) -> bool:
        if self.cursor.joins(snapshot):
            return True
        place = self._shown_place(snapshot)
        if place is None or self._fits(place):
            return False
        run = self.cursor.known_run(snapshot)
        if run is None:
            self.reason = NO_ORDER
        if run is None or run < ENOUGH_TIES:
            return False
        self.assumed = ASSUMED
        return True

    def _shown_place(self, snapshot: Snapshot) -> int | None:
        """The cursor's index, if the snapshot shows records that share its key and were given."""
        # One that was updated again has another key, and tells nothing of the cursor's place.
        at_key = (i for i, key in enumerate(snapshot.keys) if key == self.cursor.key)
        known = [i for i in at_key if snapshot.ids[i] in self.cursor.ties]
        return snapshot.start + known[-1] + 1 if known else None

    def _fits(self, place: int) -> bool:
        """Whether a page can show all records of the cursor's key, one before and one after."""
        target = place - 1 - len(self.cursor.ties)
        return reaching(target, place, LARGEST).end > place

    def _joined(self, snapshot: Snapshot) -> Decision:
        """No record between the cursor and the snapshot's end is missing from it ("Joining")."""
        if snapshot.short and self.identity and not self._place.is_latest(snapshot):
            # "Changes": an update may have moved a record behind the end that is shown here, out
            # of what was read later. So the end has to be read last.
            return Decision(first=snapshot.window, drop=True)
        self.done = snapshot.short
        self._taken = Taken.of(self.cursor, snapshot, self._known)
        count = len(self._taken.ids)
        if count or self.done:
            self._place.saw(snapshot, len(snapshot.ids) - count)
            self._search = None
        else:
            self._ended_before(snapshot)
        self._keep_up(snapshot)
        self._place.index = snapshot.stop
        self.cursor = self._taken.cursor(count)
        self._remember(self._taken)
        return Decision(self._taken.given)

    def _keep_up(self, snapshot: Snapshot) -> None:
        """Ask for more at a time if the list grows as fast as it is read."""
        remaining = snapshot.total - snapshot.stop
        if remaining >= self._remaining:
            self._size = min(LARGEST, 2 * self._size)
        self._remaining = remaining

    def _remember(self, taken: Taken) -> None:
        identities: Iterable[Any] = taken.ids
        if self.identity:
            identities = map(self.identity, taken.ids, taken.keys)
        self.fingerprints.extend(array("q", list(map(hash, identities))))

    # -- where the cursor is ---------------------------------------------------------------------

    def _ended_before(self, snapshot: Snapshot) -> None:
        """The snapshot shows nothing new, although the list goes on behind it."""
        if self._search is None:
            self._search = Search(self._size)
            if not self._place.known and self._place.index == 0:
                # Nothing tells the place but the key, and that is mostly near the list's end.
                self._search.low = snapshot.stop
                self._search.begins_beyond(max(snapshot.total, snapshot.stop + 1))
                return
        self._search.ends_before(snapshot.stop, snapshot.total)

    def _missed(self, snapshot: Snapshot) -> Decision:
        """The snapshot begins beyond the cursor, or at it: read what is before it first ("Gaps").

        The first time this snapshot is kept, because what is read then will reach into it, and so
        are those behind it. If that does not help, the list has moved far, and only searching does.
        """
        first = self._search is None
        if self._search is None:
            self._search = Search(self._size)
            self.repaired += self._place.known
        start = snapshot.start if snapshot.ids else min(snapshot.start, snapshot.total)
        self._search.begins_beyond(start)
        ties = len(self.cursor.ties)
        window = self._window(self._search.guess, ties)
        place = self._shown_place(snapshot)
        if place is not None and self.cursor.known_run(snapshot):
            nearer = self._window(place, ties)
            # It shows no more if others share the key and stand before those that are known.
            window = nearer if nearer.start < start else window
        keep = first and self._place.known and bool(snapshot.ids) and window.end > snapshot.start
        return Decision(first=window, again=keep, drop=not keep)
