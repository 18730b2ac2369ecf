"""When to give up on a walk that does not end (docs/completeness.md, "Giving up")."""

from __future__ import annotations

from attrs import define, field

SPARE = 64
EACH_PAGE = 12


@define(eq=False)
class Patience:
    """Counts answers, and says when there have been too many for a listing of this size.

    A server may repeat a page for ever, or records may be created faster than they are read.
    """

    page_size: int
    answers: int = 0
    fruitless: int = 0
    _largest: int = 0
    _check_at: int = 0
    _remaining: float = field(default=float("inf"))

    def exhausted(self, total: int, place: int, *, new: bool) -> bool:
        """Whether to give up after this answer.

        ``place`` is how far the walk has come by index; ``new`` is whether the answer held a new
        record.
        """
        self.answers += 1
        self.fruitless = 0 if new else self.fruitless + 1
        self._largest = max(self._largest, total)
        self._check_at = self._check_at or self._limit
        if self.answers > self._limit or self.fruitless > SPARE:
            return True
        if self.answers < self._check_at:
            return False
        # The limit grows with the list, so a list that grows as fast as it is read never reaches
        # it. But such a walk does not come nearer to the end either, and that is checked here.
        remaining = total - place
        nearer, self._remaining = remaining < self._remaining, remaining
        self._check_at *= 2
        return not nearer

    @property
    def _limit(self) -> int:
        return SPARE + EACH_PAGE * (-(-self._largest // self.page_size))
