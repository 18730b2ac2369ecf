"""Page after page, each id once: all that can be done where the order proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harbour_async.pagination._answer import Answer
from harbour_async.pagination._cursor import Cursor
from harbour_async.pagination._plan import Verdict
from harbour_async.pagination._windows import Window, aligned, patience

EMPTY_PAGES = 3
"""A server may answer an empty page in the middle; this many in a row are the end."""


class Scan:
    """Plain pages of ``size``.

    ``seen`` are the fingerprints (``hash``) of ids given before; ``at`` and ``last`` are where an
    earlier walk stood: the index after its last record, and that record's id. What ``start`` has
    passed was given by an earlier walk as well; ``passed`` is that for a later one. ``patience`` is
    how many answers it waits for the end (0: by the first total), for lists that grow faster than
    they can be read.
    """

    proved = False
    wide = True
    repaired = 0

    def __init__(
        self,
        size: int,
        reason: str,
        *,
        seen: Iterable[int] = (),
        at: int = 0,
        last: str | None = None,
        start: Cursor | None = None,
        passed: Cursor | None = None,
        patience: int = 0,
    ) -> None:
        self.start = start or Cursor()
        self.passed = passed or self.start
        self.done = False
        self.reason: str | None = reason
        self._size = size
        self._seen = set(seen)
        self._at = at
        self._last = last
        self._resumed = at > 0
        self._total: int | None = None
        self._credible = True
        self._empty = 0
        self._patience = patience
        self._next = aligned(max(0, at - 1), size)
        self._answer: Answer | None = None
        self._fresh: Sequence[int] = ()
        self._given = 0

    def propose(self, last: Window | None) -> Window | None:
        if last is None:
            return self._next
        window = Window(last.page + 1, last.size)
        known = self._total is not None and window.start < self._total
        return window if known else None

    def take(self, answer: Answer) -> Verdict:
        self._credible = self._credible and answer.contradiction is None
        self._total = answer.total
        self._patience = (self._patience or patience(answer.total, self._size)) - 1
        self._empty = 0 if answer.ids else self._empty + 1
        window = answer.request.window
        self._next = Window(window.page + 1, window.size)
        ended = window.end >= answer.total and (self._credible or not answer.ids)
        self.done = ended or self._empty >= EMPTY_PAGES or not self._patience
        self._answer, self._given = answer, 0
        self._fresh = self._new_from(self._given_before(answer), answer)
        return Verdict(self._fresh)

    def commit(self, count: int) -> None:
        if count:
            assert self._answer is not None
            self._given += count
            i = self._fresh[self._given - 1]
            self._at, self._last = self._answer.start + i + 1, self._answer.ids[i]

    def state(self) -> dict[str, Any]:
        passed = {"key": self.passed.key, "ties": list(self.passed.ties)}
        return {"scan": True, "at": self._at, "last": self._last, **passed}

    def _given_before(self, answer: Answer) -> int:
        """How many of the first answer's records an earlier walk gave, as far as one can tell."""
        if not self._resumed:
            return 0
        self._resumed = False
        if self._last in answer.ids:
            return answer.ids.index(self._last) + 1
        return min(len(answer.ids), max(0, self._at - answer.start))

    def _new_from(self, first: int, answer: Answer) -> Sequence[int]:
        positions = range(first, len(answer.ids))
        ids = answer.ids[first:]
        seen = set(map(hash, ids))
        usual = len(seen) == len(ids) and None not in ids and self.start.key is None
        if usual and self._seen.isdisjoint(seen):  # all of them at once, mostly
            self._seen |= seen
            return positions
        return [i for i in positions if self._new(answer.keys[i], answer.ids[i])]

    def _new(self, key: int | None, record_id: str | None) -> bool:
        """Whether a record is met for the first time; those without an id always are."""
        if self.start.passed(key, record_id):
            return False
        if record_id is None:
            return True
        fingerprint = hash(record_id)
        if fingerprint in self._seen:
            return False
        self._seen.add(fingerprint)
        return True
