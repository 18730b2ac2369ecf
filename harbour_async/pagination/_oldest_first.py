"""The plan for created_at ASC: a few joined pages, then a stretch of plain ones, then a count."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from harbour_async.pagination._answer import Shown
from harbour_async.pagination._cursor import Cursor
from harbour_async.pagination._plan import Use, Verdict
from harbour_async.pagination._proof import Proof
from harbour_async.pagination._stretch import Stretch
from harbour_async.pagination._windows import Window, aligned, opening


class OldestFirst(Proof):
    """New records come at the end, and only deletions move others: forward, past the reader.

    No count in an answer tells a deletion behind the cursor from a record missed. So it goes:

    *opening*: windows that overlap by a record or two, as far as one extra request reaches;
    *tail*: the last page, needed anyway, tells the newest key and how many records there are;
    *stretch*: plain pages up to there, and the tail itself, proved by counting what they gave.

    *overlap* is what is left when records are seen to move, or the count does not come out: every
    window shows the cursor. After a stretch it begins where that did.
    """

    def __init__(self, size: int, state: dict[str, Any], *, limit: int | None) -> None:
        super().__init__(size, state)
        self.done = False  # newer records may have come
        self._limit = limit
        self._goal: int | None = None
        self._bound: int | None = None
        self._opening = opening(size)
        self._opened = 0
        self._ended = False
        self._ends_whole = False
        self._tail_asked = False
        self._tail: Shown | None = None
        self._stretch: Stretch | None = None
        self._given_before: Stretch | None = None
        self._phase = "overlap" if self._lost else "opening"
        if "stretch" in state:
            self._stretch = Stretch.restored(state["stretch"])
        if "again" in state:
            self._given_before = Stretch.restored(state["again"])

    @property
    def passed(self) -> Cursor:
        return self._stretch.cursor.copy() if self._stretch else super().passed

    @property
    def wide(self) -> bool:
        return self._steady and self._phase != "tail"

    def propose(self, last: Window | None) -> Window | None:
        place = last.end if last else self._place
        if self._search.active or self._ended:
            return None
        if last and (place >= self._total or self._phase == "tail"):
            return None
        if self._phase == "opening":
            i = self._opening.index(last) + 1 if last else self._opened
            return self._opening[i] if i < len(self._opening) else None
        if self._phase == "tail":
            self._tail_asked = True
            return aligned(self._total - 1, self._size)
        return self._plain(place, last) if self._phase == "stretch" else self._overlapping(place)

    def state(self) -> dict[str, Any]:
        state = super().state()
        if self._stretch:
            state["stretch"] = self._stretch.state()
        if self._given_before:
            state["again"] = self._given_before.state()
        return state

    def _plain(self, place: int, last: Window | None) -> Window | None:
        """The next page of the stretch; its first shows the cursor once more."""
        if self._tail and last == self._tail.request.window:
            return None
        first = self._stretch is None and last is None
        return aligned(place - 1 if first else place, self._size)

    def _read(self, answer: Shown) -> Verdict:
        if self._goal is None:
            self._goal = answer.total
        if self._phase == "tail" and self._tail_asked:
            return self._read_tail(answer)
        if self._phase == "stretch":
            return self._read_stretch(answer)
        return self._read_overlap(answer)

    def _read_overlap(self, answer: Shown) -> Verdict:
        beyond, place = self._cursor.split(answer)
        if place is None:
            self._phase = "overlap"
            return self._missed(answer, answer.start - self._size // 4)
        if not beyond and not answer.at_end:
            self._phase = "overlap"
            return self._fell_short(answer, answer.stop)
        found, moved = self._lost, place < self._place
        self._joined(answer, place)
        fresh = self._not_given_before(answer, beyond)
        self._hold(answer, beyond, fresh)
        if self._stretch:  # resumed in the middle of one
            self._phase = "stretch"
            self._end_stretch(answer, joined=True)
            return Verdict(fresh)
        self.done = answer.at_end or self._all_seen(answer)
        if self._phase == "opening":
            self._open(moved)
        elif found and not self._given_before:
            self._phase = self._after_opening()
        return Verdict(fresh)

    def _open(self, moved: bool) -> None:
        self._opened += 1
        if moved:
            self._phase = "overlap"
        elif self._opened == len(self._opening):
            self._phase = self._after_opening()

    def _after_opening(self) -> str:
        """A stretch, if more than one page is left of a listing that is to be read to its end."""
        limited = self._limit is not None and self._limit < self._total
        near = aligned(self._place - 1, self._size).end >= self._total
        return "overlap" if limited or near else "tail"

    def _read_tail(self, answer: Shown) -> Verdict:
        keys, key = answer.keys, self._cursor.key
        beyond = keys and key is not None and key < keys[0]
        # A tail of one key had better be its only record: if more of that key came before it, the
        # count will not come out, because those that were there cannot be told from newer ones.
        countable = beyond and (len(keys) == 1 or keys[0] < keys[-1])
        if countable and answer.total >= answer.request.total:
            self._phase, self._tail = "stretch", answer
            return Verdict(use=Use.LATER)
        self._phase = "overlap"
        return Verdict()

    def _read_stretch(self, answer: Shown) -> Verdict:
        if answer.total < answer.request.total:
            return self._again(answer.request.total - answer.total)
        beyond, place = self._cursor.split(answer)
        if self._stretch is None:
            if place != self._place:  # something moved since the tail was read
                self._phase = "overlap"
                return self._read_overlap(answer)
            self._begin_stretch(place)
        self._place = answer.stop
        self._hold(answer, beyond, beyond)
        self._end_stretch(answer, joined=place is not None)
        return Verdict(beyond)

    def _begin_stretch(self, place: int) -> None:
        """The cursor stood before ``place`` before and after the tail was read, so it did then."""
        assert self._tail is not None
        bound = self._tail.keys[-1]
        owed = self._tail.start + bisect_left(self._tail.keys, bound) - place
        self._stretch = Stretch(self._cursor.copy(), place, bound, owed)

    def _end_stretch(self, answer: Shown, *, joined: bool) -> None:
        assert self._stretch is not None
        bound, keys = self._stretch.bound, answer.keys
        self._ended = answer.at_end or keys[-1] >= bound
        # All of the newest key's records must be in one view; if the count comes out, the tail is.
        tail = self._tail is not None and answer.request is self._tail.request
        self._ends_whole = joined or tail or (bool(keys) and keys[0] < bound)

    def _settle(self) -> None:
        if not self._ended:
            return
        self._ended = False
        assert self._stretch is not None
        assert self._answer is not None
        if self._stretch.owed or self._stretch.torn or not self._ends_whole:
            self._again(1)
        else:
            self._stretch = None
            self._phase = "overlap"
            self.done = self._answer.at_end or self._all_seen(self._answer)

    def _again(self, moved: int) -> Verdict:
        """Records were deleted during the stretch: read it once more, every window joined."""
        self._drift.saw(moved)
        self._phase = "overlap"
        if self._stretch:
            self._given_before, self._stretch = self._stretch, None
            self._cursor = self._given_before.cursor
            self._place = self._given_before.place
            self._bound = None
            self._hold(None, (), ())
        return Verdict(astray=True)

    def _not_given_before(self, answer: Shown, beyond: Sequence[int]) -> Sequence[int]:
        given = self._given_before
        if given is None:
            return beyond
        fresh = [i for i in beyond if not given.has(answer.keys[i], answer.ids[i])]
        if fresh and given.last is not None:
            self.repaired += answer.keys[fresh[0]] < given.last
        return fresh

    def _passed(self, keys: Sequence[int], ids: Sequence[str]) -> None:
        if self._stretch:
            self._stretch.add(keys, ids, whole=self._ends_whole)
        given = self._given_before
        if given and (given.last is None or keys[-1] > given.last):
            self._given_before = None

    def _all_seen(self, answer: Shown) -> bool:
        """Whether all that the first answer counted is known to be in or before this one.

        That many indices have been passed, and one of their records has an older key than the
        last: had any not been passed, then only because one created since, in the millisecond of
        the newest, got in before it, and all keys from there on would be that one.
        """
        assert self._goal is not None
        if answer.stop < self._goal:
            return False
        if self._bound is None:
            self._bound = answer.keys[max(0, self._goal - 1 - answer.start)]
        return answer.keys[-1] > self._bound
