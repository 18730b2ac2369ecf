"""Which records a scan has met, so that it gives none of them again."""

from __future__ import annotations

from array import array
from math import inf
from typing import cast

from harbour_async.pagination._snapshot import Snapshot


class Met:
    """The records met so far, as fingerprints (``hash``) of their ids.

    ordered: the list is in an order that its records keep, so a page that begins after everything
        met so far holds none of it. While all pages do, nothing is looked up, and a record takes
        eight bytes. The first page that does not turns the fingerprints into a set, which takes
        several times as much memory and time.
    """

    def __init__(self, *, ordered: bool) -> None:
        self._in_order = array("q")
        # The greatest key met. In other orders it says nothing, and no page begins after it.
        self._latest: float = -inf if ordered else inf
        self._set: set[int] | None = None

    def __len__(self) -> int:
        return len(self._in_order if self._set is None else self._set)

    def add(self, fingerprint: int) -> bool:
        """Whether it had not been met before."""
        known = self._looked_up()
        count = len(known)
        known.add(fingerprint)
        return len(known) > count

    def add_all(self, snapshot: Snapshot, first: int = 0) -> bool:
        """Whether none of the ids from position ``first`` on had been met; else none is added."""
        ids = snapshot.ids[first:]
        if self._set is None and self._follows(snapshot, first):
            self._latest = cast(int, snapshot.keys[-1])
            self._in_order.fromlist(list(map(hash, ids)))
            return True
        known, fingerprints = self._looked_up(), set(map(hash, ids))
        each_once = len(fingerprints) == len(ids) and hash(None) not in fingerprints
        new = each_once and known.isdisjoint(fingerprints)
        if new:
            known |= fingerprints
        return new

    def _follows(self, snapshot: Snapshot, first: int) -> bool:
        key = snapshot.keys[first] if first < len(snapshot.keys) else None
        return key is not None and key > self._latest and snapshot.flaw is None

    def _looked_up(self) -> set[int]:
        if self._set is None:
            self._set = set(self._in_order)
            self._in_order = array("q")
        return self._set
