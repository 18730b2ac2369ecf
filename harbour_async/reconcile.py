"""Compare a listing with your own records: what is missing, what is extra, what changed.

::

    async for difference in reconcile(
        harbour.verifications.list(),
        database.execute("SELECT id, status FROM verifications"),
        key=(None, lambda row: row[0]),
        fingerprint=(lambda v: v.status, lambda row: row[1]),
    ):
        match difference:
            case Missing(key, remote): ...
            case Extra(key, local): ...
            case Changed(key, remote, local, fields): ...
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
)
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from attrs import field, frozen

from harbour_async._callbacks import check_function
from harbour_async._frames import dropped_frames
from harbour_async._report import PagingReport
from harbour_async._sides import Key, Remote, Side, before
from harbour_async.errors import ConfigurationError, IncompleteListingError
from harbour_async.models import InvalidRecord

R = TypeVar("R")
L = TypeVar("L")

Fingerprint = Callable[[Any], object]

__all__ = ["Changed", "Differences", "Extra", "Missing", "reconcile"]


@frozen
class Missing(Generic[R]):
    """A record that the listing has and your side does not.

    key: what identifies it.
    remote: the record.
    """

    key: Hashable
    remote: R = field(repr=False)


@frozen
class Extra(Generic[L]):
    """A record that your side has and the listing does not: it was deleted, or was never there.

    key: what identifies it.
    local: the record, as your side gave it.
    """

    key: Hashable
    local: L = field(repr=False)


@frozen
class Changed(Generic[R, L]):
    """A record whose fingerprints differ.

    key: what identifies it.
    remote, local: the record as the listing and as your side have it.
    fields: what differs, if both fingerprints are mappings; None otherwise.
    """

    key: Hashable
    remote: R = field(repr=False)
    local: L = field(repr=False)
    fields: tuple[str, ...] | None = None


def reconcile(
    remote: AsyncIterable[R] | Iterable[R],
    local: AsyncIterable[L] | Iterable[L],
    *,
    key: Key | tuple[Key | None, Key | None] | None = None,
    fingerprint: Fingerprint | tuple[Fingerprint, Fingerprint],
    ordered: bool = False,
) -> Differences[R, L]:
    """Compare two sides, in whatever order they come, and yield what differs.

    Both sides are read at the same time. Records wait in memory for the record with the same key;
    on each side at most as many wait as the smaller side has. The keys of both sides are kept.

    An ``Extra`` is only yielded once the remote listing has ended and is proved complete, because
    people delete by ``Extra``. If the proof fails, everything else is yielded, and then
    IncompleteListingError is raised. A ``remote`` that is not a Pager is taken to be complete.

    An InvalidRecord of the listing counts as present by its ``record_id``: it can be Missing, but
    is never Changed. Any local record might be the invalid one if its id could not be read, if a
    function given as ``on_invalid`` replaced or dropped it, or if ``key`` is a function for the
    remote side. Then IncompleteListingError is raised in place of the extras.

    remote: a Pager of a listing (not of changes), or any iterable. A filtered Pager is compared
        inside its filter only: ``local`` must then be filtered in the same way.
    local: an iterable of your own records as of one moment: a list, or one query. Its first item is
        taken before the first remote request is sent, so that a record that is created later is
        never an Extra. A list, set or dict is copied at that moment.
    key: a function that gives an item's key; one for both sides, or a pair (remote, local). None,
        for both or in the pair, is the record's id.
    fingerprint: a function that gives what is compared by ``==`` if the keys are equal; one for
        both sides, or a pair. If both give mappings, ``Changed.fields`` names what differs.
    ordered: True if both sides ascend by key. Then no records or keys are kept in memory, except
        the Extras of a Pager.

    ::

        differences = reconcile(
            harbour.verifications.list(),
            [{"id": "VERIFICATION-1", "status": "started"}],
            key=(None, lambda row: row["id"]),
            fingerprint=(lambda v: v.status, lambda row: row["status"]),
        )

    Raises ConfigurationError at once for arguments that cannot be used. While iterating, raises
    ConfigurationError for a key that comes twice on one side, is None or not a number (NaN), or is
    out of order;
    IncompleteListingError as said above; and what the sides and the functions raise.
    Guide: "List verifications", "List webhooks".
    """
    remote_key, local_key = _pair("key", key)
    fingerprints = _pair("fingerprint", fingerprint)
    _check_source("remote", remote)
    _check_source("local", local)
    if getattr(remote, "resumed", False):
        raise ConfigurationError(
            "remote goes on from a resume token: records before it would be taken for extras"
        )
    if getattr(remote, "of_changes", False):
        raise ConfigurationError(
            "remote gives changes only: records that did not change would be taken for extras"
        )
    here = Side(local, local_key, ordered=ordered)
    there = Remote(remote, remote_key, ordered=ordered, local=here)
    return Differences(there, here, fingerprints, _merged if ordered else _matched)


class Differences(Generic[R, L]):
    """The result of ``reconcile``: an asynchronous iterator that tasks may share.

    Each difference goes to one task. If one of the tasks is cancelled while it waits, or if the
    comparison fails, the iterator does not end for the others: it raises IncompleteListingError.
    Close it with ``aclose()`` or ``async with`` if you do not read it to its end.
    """

    def __init__(
        self,
        remote: Remote,
        local: Side,
        fingerprints: tuple[Fingerprint, Fingerprint],
        compare: _Compare,
    ) -> None:
        self._sides = (remote, local)
        self._found = compare(remote, local, fingerprints)
        self._turn = asyncio.Lock()
        self._ended = False
        self._broken = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Missing[R] | Extra[L] | Changed[R, L]:
        async with self._turn:
            if self._broken:
                raise IncompleteListingError(
                    "this comparison was broken off before it had ended",
                    report=self._sides[0].report or PagingReport(),
                )
            if self._ended:
                raise StopAsyncIteration
            try:
                with dropped_frames():
                    return await anext(self._found)
            except StopAsyncIteration:
                self._ended = True
                raise
            except BaseException:
                self._broken = True
                raise

    async def aclose(self) -> None:
        """Stop reading both sides. A later read raises IncompleteListingError, unless all ended."""
        async with self._turn:
            self._broken = not self._ended
            await self._found.aclose()
            for side in self._sides:
                await side.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


_Found = AsyncGenerator[Any, None]
_Compare = Callable[[Remote, Side, tuple[Fingerprint, Fingerprint]], _Found]


async def _matched(
    remote: Remote, local: Side, fingerprints: tuple[Fingerprint, Fingerprint]
) -> _Found:
    """Take from both sides by turns, local first; the second item of a pair finds the first."""
    while not (local.ended and remote.ended):
        for side, other in ((local, remote), (remote, local)):
            if side.ended:
                continue
            entry = await side.take()
            if entry is None:
                for key, item in _drained(other.waiting):
                    if difference := _single(key, item, other, remote):
                        yield difference
                continue
            key, item = entry
            if key in other.waiting:
                partner = other.waiting.pop(key)
                items = (partner, item) if other is remote else (item, partner)
                if changed := _changed(key, *items, fingerprints):
                    yield changed
            elif not other.ended:
                side.waiting[key] = item
            elif difference := _single(key, item, side, remote):
                yield difference
    remote.raise_if_unsure()


async def _merged(
    remote: Remote, local: Side, fingerprints: tuple[Fingerprint, Fingerprint]
) -> _Found:
    """Merge two ascending sides; of two items the one with the lower key has no partner."""
    here, there = await local.take(), await remote.take()
    unsure: list[Extra[Any]] = []
    while here or there:
        if there is None or (here is not None and before(here[0], there[0])):
            assert here is not None
            unsure.append(Extra(*here))
            here = await local.take()
        elif here is None or before(there[0], here[0]):
            yield Missing(*there)
            there = await remote.take()
        else:
            if changed := _changed(here[0], there[1], here[1], fingerprints):
                yield changed
            here, there = await local.take(), await remote.take()
        if remote.ended or remote.report is None:
            # Keys ascend, so an invalid record that comes later is none of these.
            for extra in unsure:
                if remote.sure:
                    yield extra
                else:
                    remote.withheld += 1
            unsure.clear()
    remote.raise_if_unsure()


def _single(
    key: Hashable, item: Any, side: Side, remote: Remote
) -> Missing[Any] | Extra[Any] | None:
    """The difference for an item without a partner; None if it may still have one."""
    if side is remote:
        return Missing(key, item)
    if remote.sure:
        return Extra(key, item)
    remote.withheld += 1
    return None


def _changed(
    key: Hashable, remote: Any, local: Any, fingerprints: tuple[Fingerprint, Fingerprint]
) -> Changed[Any, Any] | None:
    if isinstance(remote, InvalidRecord):
        return None  # it is there, but its fields are unknown
    there, here = fingerprints[0](remote), fingerprints[1](local)
    if there == here:
        return None
    return Changed(key, remote, local, _fields(there, here))


def _fields(there: object, here: object) -> tuple[str, ...] | None:
    if not (isinstance(there, Mapping) and isinstance(here, Mapping)):
        return None
    names = dict.fromkeys([*there, *here])
    absent = object()
    return tuple(n for n in names if there.get(n, absent) != here.get(n, absent))


def _drained(waiting: dict[Hashable, Any]) -> Iterator[tuple[Hashable, Any]]:
    """The waiting items in the order in which they came; each is removed when it is yielded."""
    while waiting:
        key = next(iter(waiting))
        yield key, waiting.pop(key)


def _pair(name: str, given: Any) -> tuple[Any, Any]:
    pair = given if isinstance(given, tuple) else (given, given)
    if len(pair) != 2:
        raise ConfigurationError(f"{name} must be one function or a pair (remote, local)")
    for function in pair:
        if not (name == "key" and function is None):
            check_function(name, function)
    return pair


def _check_source(name: str, source: object) -> None:
    if isinstance(source, str | bytes) or not isinstance(source, AsyncIterable | Iterable):
        raise ConfigurationError(f"{name} must be an iterable of records, not {source!r:.80}")
