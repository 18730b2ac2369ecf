"""Pages read one beside the other in ascending order, joined only in the end, by one count."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from harbour_async.pagination._cursor import Cursor


class Stretch:
    """What was given since ``cursor``, window by window, and what must have been.

    ``bound`` is the newest key at some moment, ``owed`` how many records stood between the cursor
    and that key then. None can have been created there since, so if as many were given, none was
    missed. If fewer were, the windows' first and last keys (and fingerprints of the ids that have
    them) tell which of the records met when reading again have been given.

    Of the newest key itself there may be more by now; ``torn`` if the window that gave the first of
    them may lack others.
    """

    def __init__(
        self, cursor: Cursor, place: int, bound: int, owed: int, torn: bool = False
    ) -> None:
        self.cursor = cursor
        self.place = place
        self.bound = bound
        self.owed = owed
        self.torn = torn
        self._firsts = array("q")
        self._lasts = array("q")
        self._edges: dict[int, tuple[int, ...]] = {}

    @property
    def last(self) -> int | None:
        return self._lasts[-1] if self._lasts else None

    def add(self, keys: Sequence[int], ids: Sequence[str], *, whole: bool) -> None:
        """Records given, all from one window; ``whole`` if that shows all of the newest key."""
        self.owed -= bisect_left(keys, self.bound)
        self.torn |= not whole and keys[-1] >= self.bound
        self._firsts.append(keys[0])
        self._lasts.append(keys[-1])
        for key in {keys[0], keys[-1]}:
            tied = ids[bisect_left(keys, key) : bisect_right(keys, key)]
            self._edges[key] = (*self._edges.get(key, ()), *map(_fingerprint, tied))

    def has(self, key: int, record_id: str) -> bool:
        """Whether a record has been given."""
        if key in self._edges:
            return _fingerprint(record_id) in self._edges[key]
        i = bisect_right(self._firsts, key) - 1
        return i >= 0 and key < self._lasts[i]

    def state(self) -> dict[str, Any]:
        return {
            "cursor": [self.cursor.key, list(self.cursor.ties)],
            "numbers": [self.place, self.bound, self.owed, self.torn],
            "firsts": list(self._firsts),
            "lasts": list(self._lasts),
            "edges": list(self._edges.items()),
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Stretch:
        key, ties = state["cursor"]
        stretch = cls(Cursor(key, dict.fromkeys(ties)), *state["numbers"])
        stretch._firsts.extend(state["firsts"])
        stretch._lasts.extend(state["lasts"])
        stretch._edges = {key: tuple(fingerprints) for key, fingerprints in state["edges"]}
        return stretch


def _fingerprint(record_id: str) -> int:
    # Not hash(): a token is read by other processes.
    return int.from_bytes(hashlib.blake2b(record_id.encode(), digest_size=6).digest(), "big")
