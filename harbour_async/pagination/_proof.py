"""What both provable orders share: joining each answer to what was read before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harbour_async.pagination._answer import Answer, Shown, picked
from harbour_async.pagination._cursor import Cursor
from harbour_async.pagination._plan import Use, Verdict
from harbour_async.pagination._search import Drift, Search
from harbour_async.pagination._windows import LARGEST, Window, patience, reaching

DOUBTS = 2
"""So many contradictory answers in a row are asked for again; a server may have stumbled."""

SLACK = 8
"""The part of a page that a search for what is missing reaches back further than it has to."""


class Proof:
    """Base of the plans for created_at.

    An answer that shows the cursor's place joins it without a gap, whenever it was fetched: an
    answer is one moment, so all records between the cursor and the answer's end are in it.
    """

    def __init__(self, size: int, state: dict[str, Any]) -> None:
        self.done: bool = state.get("done", False)
        self.reason: str | None = None
        self.repaired = 0
        self._size = size
        self._cursor = Cursor(state.get("key"), dict.fromkeys(state.get("ties", ())))
        self.start = self._cursor.copy()
        # Where the next record is, by the answer to request number `_frame`, the latest one of
        # those read. `_lost`: by the word of a token only. `_pace`: how far it last moved.
        self._place: int = state.get("at", 0)
        self._frame = 0
        self._lost = self._place > 0
        self._pace = 0.0
        self._total = 0
        self._drift = Drift()
        self._search = Search()
        self._patience = 0
        self._doubts = 0
        self._upto = 0
        self._hold(None, (), ())

    @property
    def proved(self) -> bool:
        return self.reason is None

    @property
    def passed(self) -> Cursor:
        return self._cursor.copy()

    def take(self, answer: Answer) -> Verdict:
        self._total = answer.total
        self._patience = (self._patience or patience(answer.total, self._size)) - 1
        if answer.contradiction:
            return self._doubt(answer)
        shown = answer.ordered()
        if isinstance(shown, str):
            self.reason = shown
            return Verdict()
        self._doubts = 0
        verdict = self._read(shown)
        if self._search.exhausted(self._total // self._size) or not self._patience:
            self.reason = "the listing changes faster than it can be read"
        return verdict

    def commit(self, count: int) -> None:
        self._given += count
        given_all = self._given == len(self._fresh)
        upto = len(self._ahead) if given_all else self._position(self._given)
        ahead = self._ahead[self._upto : upto]
        self._upto = upto
        if ahead:
            assert self._answer is not None
            keys = picked(self._answer.keys, ahead)
            ids = picked(self._answer.ids, ahead)
            self._cursor.advance(keys, ids)
            self._passed(keys, ids)
        if given_all:
            self._settle()

    def state(self) -> dict[str, Any]:
        ties = list(self._cursor.ties)
        return {
            "key": self._cursor.key,
            "ties": ties,
            "last": ties[-1] if ties else None,
            "at": self._index(),
            "done": self.done and self._upto == len(self._ahead),
        }

    def _read(self, answer: Shown) -> Verdict:
        """Take an answer that is sound in itself."""
        raise NotImplementedError

    def _passed(self, keys: Sequence[int], ids: Sequence[str]) -> None:
        """The cursor has moved behind these."""

    def _settle(self) -> None:
        """All of an answer's records have been given."""

    @property
    def _steady(self) -> bool:
        """Whether the list moves so little that several windows may be asked for at a time.

        Answers that overtake each other in a list that moves leave real gaps between them, and each
        is one more request.
        """
        return not self._lost and self._pace < 1 and 8 * self._drift.margin <= self._size

    def _overlapping(self, place: int) -> Window:
        """The window that goes on at ``place`` and shows what is before it, margin included."""
        return self._showing(place, self._drift.margin >> self._search.tries)

    def _showing(self, place: int, margin: int = 0) -> Window:
        # Where nothing new comes into sight, larger windows gain on the list.
        size = min(LARGEST, (self._size + 2 * margin) << max(0, self._search.tries - 2))
        return reaching(place - 1 - margin, place, size)

    def _joined(self, answer: Shown, place: int) -> bool:
        """An answer shows the cursor's place, or is proved to begin there; was it overtaken?"""
        number = answer.request.number
        stale = number < self._frame
        if stale:
            # The place is known from a later answer; this one's indices are out of date.
            self._place += answer.stop - place
        else:
            if not self._lost:
                self._saw(place, number)
            self._place, self._frame = answer.stop, number
        self.repaired += self._search.active and not self._lost
        self._lost = False
        self._search = Search()
        return stale

    def _saw(self, place: int, number: int) -> None:
        """The cursor's place has moved since it was last seen."""
        moved = (self._place - place) / max(1, number - self._frame)
        self._drift.saw(moved)
        self._pace = abs(moved)

    def _fell_short(self, answer: Shown, guess: int) -> Verdict:
        """An answer ends before the cursor's place, and so shows nothing new."""
        if answer.request.number < self._frame:
            return Verdict()  # a later one overtook it
        self._saw(max(guess, answer.stop), answer.request.number)
        self._place, self._frame = max(guess, answer.stop), answer.request.number
        if not (self._search.active or self._lost):
            self._search.tries += 1
            return Verdict()
        self._search.ends_before(answer.stop, guess)
        return Verdict(first=self._showing(self._search.place))

    def _missed(self, answer: Shown, guess: int) -> Verdict:
        """An answer begins beyond the cursor's place, so first read what is between.

        It remains of use: what is read then will reach into it.
        """
        # The list goes on moving, and what is seen twice here costs nothing: `answer` follows.
        slack = self._drift.margin + self._size // SLACK
        if answer.request.number < self._frame:
            self._search.begin(self._place - slack)  # known from a later answer
        else:
            start = min(answer.start, answer.total)
            self._search.begins_beyond(start, min(guess, start) - slack)
        return Verdict(first=self._showing(self._search.place), use=Use.AGAIN)

    def _hold(self, answer: Shown | None, ahead: Sequence[int], fresh: Sequence[int]) -> None:
        """``fresh`` positions will be given; having given them all, those ``ahead`` are passed."""
        self._answer = answer
        self._ahead = ahead
        self._fresh = fresh
        self._given = 0
        self._upto = 0

    def _position(self, given: int) -> int:
        """How many of those ahead are passed when so many of the fresh ones have been given."""
        return self._ahead.index(self._fresh[given - 1]) + 1 if given else 0

    def _index(self) -> int:
        """The index behind the cursor, when it was last seen."""
        if self._answer is None or self._upto == len(self._ahead):
            return self._place
        return self._answer.start + self._ahead[self._upto]

    def _doubt(self, answer: Answer) -> Verdict:
        self._doubts += 1
        if self._doubts > DOUBTS:
            self.reason = answer.contradiction
        return Verdict(first=answer.request.window)
