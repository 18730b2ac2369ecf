"""The plan that proves a listing: windows that overlap, each joined to what was read before.

The headings named in the comments are those of docs/completeness.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import groupby
from math import inf
from typing import Any, cast

from harbour_async.pagination._cursor import ENOUGH_TIES, START, Cursor, Identity
from harbour_async.pagination._patience import Patience
from harbour_async.pagination._plan import Verdict
from harbour_async.pagination._search import Drift, Search
from harbour_async.pagination._snapshot import Snapshot
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
        self.start = self.cursor = self._before = cursor
        # Should the proof be lost, no record may be given again. Eight bytes a record.
        self.fingerprints = array("q")
        self._size = size
        self.identity = identity
        self._known = known
        self._place = place
        self._settled = cursor.key is None  # whether `_place` has been seen in an answer
        self._frame = 0  # the number of the request that showed it
        self._still = 0  # answers in a row that showed no movement
        self._total = 0
        self._remaining: float = inf  # records behind the last answer
        self._group = 1  # how many records may share a key, by the last few answers
        self._doubts = 0
        self._drift = Drift()
        self._search: Search | None = None
        self._patience = Patience(size)
        self._keys: list[int] = []
        self._ids: list[str] = []
        self._ends: Sequence[int] = ()  # how many of these are passed with each record given

    @property
    def depth(self) -> int:
        """How many requests may be on their way."""
        # Answers that overtake each other in a list that moves leave real gaps between them, and
        # each gap costs a request. So more windows are read at a time the longer it keeps still.
        still = self._search is None and 2 * self._group <= self._size
        return 2 ** min(max(0, self._still - 1), 16) if still else 1

    def propose(self, last: Window | None) -> Window | None:
        if self._search:
            return None if last else self._window(self._search.guess, len(self.cursor.ties))
        if last is None:
            return self._window(self._place, len(self.cursor.ties))
        return self._window(last.end, self._group) if last.end < self._total else None

    def take(self, snapshot: Snapshot) -> Verdict:
        self._total = snapshot.total
        self._hold(snapshot, ())
        verdict = self._read(snapshot)
        new = bool(verdict.rows)
        if self._patience.exhausted(self._total, self._place, new=new) and not self.done:
            self.done = self.gave_up = True
            self.reason = self.reason or ENDLESS
        return verdict

    def state(self, passed: int) -> dict[str, Any]:
        all_given = passed == len(self._ends)
        count = len(self._ids) if all_given else self._ends[passed - 1] if passed else 0
        cursor = self._before.advanced(self._keys[:count], self._ids[:count])
        return {
            "key": cursor.key,
            "ties": list(cursor.ties),
            "at": max(0, self._place - (len(self._ids) - count)),
            "assumed": self.assumed,
        }

    # -- which window ----------------------------------------------------------------------------

    def _window(self, place: int, ties: int) -> Window:
        """A window that goes on at ``place`` and shows a record before the ``ties``."""
        overlap, margin = 1 + max(1, ties), self._drift.margin
        size = min(LARGEST, self._size + overlap - 2 + 2 * margin)
        # The last two are for "More equal keys than fit on a page": known records join those.
        for back in (overlap + margin, overlap, ENOUGH_TIES + margin, ENOUGH_TIES):
            window = reaching(place - back, place, size)
            if window.end > place:
                break
        return window

    # -- what an answer shows --------------------------------------------------------------------

    def _read(self, snapshot: Snapshot) -> Verdict:
        if snapshot.flaw:
            self.reason = snapshot.flaw
            return Verdict()
        if snapshot.contradiction:
            return self._doubt(snapshot)
        self._doubts = 0
        if not self._joins(snapshot):
            return Verdict() if self.reason else self._missed(snapshot)
        return self._joined(snapshot)

    def _doubt(self, snapshot: Snapshot) -> Verdict:
        """Ask again ("The end"): the total may be of another moment than the rows."""
        self._doubts += 1
        if self._doubts > DOUBTS:
            self.reason = snapshot.contradiction
        return Verdict(first=snapshot.window)

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

    def _joined(self, snapshot: Snapshot) -> Verdict:
        """No record between the cursor and the snapshot's end is missing from it ("Joining")."""
        latest = snapshot.alone and snapshot.number > self._frame
        if snapshot.short and self.identity and not latest:
            # "Changes": an update may have moved a record behind the end that is shown here, out
            # of what was read later. So the end has to be read last.
            return Verdict(first=snapshot.window, drop=True)
        beyond = self.cursor.beyond(snapshot)
        self.done = snapshot.short
        if beyond or self.done:
            self._saw_place(snapshot, beyond[0] if beyond else len(snapshot.ids))
            self._search = None
        else:
            self._ended_before(snapshot)
        self._keep_up(snapshot)
        self._place = snapshot.stop
        self._hold(snapshot, beyond)
        identities: Any = self._ids
        if self.identity:
            identities = map(self.identity, self._ids, self._keys)
        self.fingerprints.extend(array("q", list(map(hash, identities))))
        if self._known is not None:
            beyond = self._not_known(snapshot, beyond, self._known)
        return Verdict(beyond)

    def _not_known(self, snapshot: Snapshot, beyond: Sequence[int], known: Cursor) -> Sequence[int]:
        """Those of ``beyond`` that an earlier walk did not give, in a walk that looks back."""
        wanted = [
            (passed, i)
            for passed, i in enumerate(beyond, 1)
            if snapshot.keys[i] != known.key or snapshot.ids[i] not in known.ties
        ]
        self._ends = [passed for passed, _ in wanted]
        return [i for _, i in wanted]

    def _keep_up(self, snapshot: Snapshot) -> None:
        """Ask for more at a time if the list grows as fast as it is read."""
        remaining = snapshot.total - snapshot.stop
        if remaining >= self._remaining:
            self._size = min(LARGEST, 2 * self._size)
        self._remaining = remaining

    def _hold(self, snapshot: Snapshot, beyond: Sequence[int]) -> None:
        """Pass the records beyond the cursor; a token may be asked for in the midst of them."""
        self._keys = [cast(int, snapshot.keys[i]) for i in beyond]
        self._ids = [cast(str, snapshot.ids[i]) for i in beyond]
        self._ends = range(1, len(beyond) + 1)
        self._before = self.cursor
        self.cursor = self.cursor.advanced(self._keys, self._ids)

    def _saw_place(self, snapshot: Snapshot, position: int) -> None:
        """The cursor stands just before this position."""
        if self._settled and snapshot.number > self._frame:
            moved = self._place - (snapshot.start + position)
            self._drift.saw(moved / (snapshot.number - self._frame))
            self._still = self._still + 1 if moved == 0 and self._frame else 0
        self._settled = True
        self._frame = max(self._frame, snapshot.number)
        keys = snapshot.keys
        distinct = len(set(keys)) == len(keys)
        group = 1 if distinct else max(len(list(group)) for _, group in groupby(keys))
        self._group = max(group, self._group * 3 // 4)

    # -- where the cursor is ---------------------------------------------------------------------

    def _ended_before(self, snapshot: Snapshot) -> None:
        """The snapshot shows nothing new, although the list goes on behind it."""
        if self._search is None:
            self._search = Search(self._size)
            if not self._settled and self._place == 0:
                # Nothing tells the place but the key, and that is mostly near the list's end.
                self._search.low = snapshot.stop
                self._search.begins_beyond(max(snapshot.total, snapshot.stop + 1))
                return
        self._search.ends_before(snapshot.stop, snapshot.total)

    def _missed(self, snapshot: Snapshot) -> Verdict:
        """The snapshot begins beyond the cursor, or at it: read what is before it first ("Gaps").

        The first time this snapshot is kept, because what is read then will reach into it, and so
        are those behind it. If that does not help, the list has moved far, and only searching does.
        """
        first = self._search is None
        if self._search is None:
            self._search = Search(self._size)
            self.repaired += self._settled
        start = snapshot.start if snapshot.ids else min(snapshot.start, snapshot.total)
        self._search.begins_beyond(start)
        place = self._shown_place(snapshot)
        if place is not None and self.cursor.known_run(snapshot):
            self._search.guess = place
        window = self._window(self._search.guess, len(self.cursor.ties))
        keep = first and self._settled and bool(snapshot.ids) and window.end > snapshot.start
        return Verdict(first=window, again=keep, drop=not keep)
