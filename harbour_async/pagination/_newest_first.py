"""The plan for created_at DESC: pages one after the other, proved by counting."""

from __future__ import annotations

from typing import Any

from harbour_async.pagination._answer import Shown
from harbour_async.pagination._plan import Verdict
from harbour_async.pagination._proof import Proof
from harbour_async.pagination._windows import Window, aligned


class NewestFirst(Proof):
    """New records come in front of all others, so the count of those behind the cursor is theirs.

    ``_rest`` is that count, taken from one answer: its total less what it had shown or passed. An
    answer to a later request that begins beyond the cursor and has exactly as many records from
    its start to the end lacks none between, and none behind has been deleted. None: no count
    serves, because new records may share the cursor's key and come behind it.
    """

    def __init__(self, size: int, state: dict[str, Any]) -> None:
        super().__init__(size, state)
        self._rest: int | None = None
        self._rest_from = 0
        self._newest: int | None = None
        self._behind: int | None = state.get("behind")

    @property
    def wide(self) -> bool:
        # The second answer has to show first whether the list moves.
        return self._steady and self._frame > 0

    def propose(self, last: Window | None) -> Window | None:
        place = max(last.end, self._place) if last else self._place
        if self._search.active or (last and place >= self._total):
            return None
        plain = self._rest is not None and not self._drift.margin and self._search.tries < 3
        return aligned(place, self._size) if plain else self._overlapping(place)

    def state(self) -> dict[str, Any]:
        behind = (self._behind or 0) + len(self._ahead) - self._upto
        return {**super().state(), "behind": behind}

    def _read(self, answer: Shown) -> Verdict:
        if answer.keys and (self._newest is None or answer.keys[0] < self._newest):
            self._newest = answer.keys[0]
        beyond, place = self._cursor.split(answer)
        if place is None and self._counted(answer):
            place = answer.start
        if place is None:
            return self._missed(answer, self._expected(answer, -(self._size // 4)))
        self.done = answer.at_end
        if not beyond and not self.done:
            return self._fell_short(answer, self._expected(answer, len(answer.keys)))
        stale = self._joined(answer, place)
        self._behind = (self._behind or 0) - len(beyond) if stale else answer.total - answer.stop
        self._hold(answer, beyond, beyond)
        if beyond:
            self._count(answer, place)
        return Verdict(beyond)

    def _counted(self, answer: Shown) -> bool:
        later = answer.request.number >= self._rest_from
        return later and self._rest == answer.total - answer.start

    def _count(self, answer: Shown, place: int) -> None:
        """Count what is behind the answer's last record."""
        if self._rest != answer.total - place:
            self._rest_from = answer.sent  # requests on their way are older than this count
        last, newest = answer.keys[-1], self._newest
        assert newest is not None
        self._rest = answer.total - answer.stop if last > newest else None

    def _expected(self, answer: Shown, otherwise: int) -> int:
        """Where the cursor stands if no record behind it was deleted; if some were, it is later."""
        return answer.start + otherwise if self._behind is None else answer.total - self._behind
