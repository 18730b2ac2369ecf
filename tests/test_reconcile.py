"""Comparing two sides: what is missing, extra or changed, and when an extra is certain."""

from __future__ import annotations

import asyncio
import gc
import math
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from attrs import frozen
from hypothesis import given, strategies as st

from harbour_async import (
    ConfigurationError,
    DecodeError,
    HarbourError,
    HarbourSession,
    IncompleteListingError,
    Pager,
    PagingReport,
    RateLimit,
    Verification,
)
from harbour_async._rows import Rows
from harbour_async.models import InvalidRecord
from harbour_async.reconcile import Changed, Differences, Extra, Missing, reconcile
from harbour_async.sandbox import Sandbox
from harbour_async.sandbox._arrivals import Arrival

Row = tuple[str, Any]


def name(row: Row) -> str:
    return row[0]


def value(row: Row) -> Any:
    return row[1]


async def sent(rows: Iterable[Row]) -> AsyncIterator[Row]:
    for row in rows:
        await asyncio.sleep(0)
        yield row


async def found(remote: Any, local: Any, **options: Any) -> list[Any]:
    options = {"key": name, "fingerprint": value, **options}
    return [difference async for difference in reconcile(remote, local, **options)]


THERE = [("a", 1), ("b", 2), ("c", 3), ("e", 5)]
HERE = [("b", 2), ("c", 30), ("d", 4), ("e", 5)]
DIFFERENCES = {
    Missing("a", ("a", 1)),
    Extra("d", ("d", 4)),
    Changed("c", ("c", 3), ("c", 30)),
}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("remote", [list, sent, iter])
@pytest.mark.parametrize("local", [list, sent, iter])
async def test_missing_extra_and_changed_records_are_found(
    remote: Callable[..., Any], local: Callable[..., Any], ordered: bool
) -> None:
    differences = await found(remote(THERE), local(HERE), ordered=ordered)
    assert len(differences) == 3
    assert set(differences) == DIFFERENCES


async def test_the_order_of_the_sides_does_not_matter() -> None:
    for seed in range(20):
        shuffled = random.Random(seed)
        there, here = shuffled.sample(THERE, 4), shuffled.sample(HERE, 4)
        assert set(await found(there, sent(here))) == DIFFERENCES


tables = st.dictionaries(st.integers(0, 12).map(str), st.integers(0, 1))


@given(tables, tables, st.randoms(use_true_random=False), st.booleans())
def test_applying_the_differences_makes_both_sides_equal(
    there: dict[str, int], here: dict[str, int], shuffled: random.Random, ordered: bool
) -> None:
    def rows(table: dict[str, int]) -> list[Row]:
        return sorted(table.items()) if ordered else shuffled.sample([*table.items()], len(table))

    for difference in asyncio.run(found(rows(there), sent(rows(here)), ordered=ordered)):
        if isinstance(difference, Extra):
            del here[difference.local[0]]
        else:
            assert isinstance(difference, Changed) == (difference.key in here)
            here[difference.remote[0]] = difference.remote[1]
    assert here == there


async def test_empty_sides_are_equal() -> None:
    assert await found([], []) == await found([], [], ordered=True) == []


# --- keys and fingerprints ------------------------------------------------------------------------


async def test_mappings_as_fingerprints_name_the_fields_that_differ() -> None:
    there = [("a", {"x": 1, "y": 2, "z": 3})]
    here = [("a", {"x": 1, "y": 5, "w": 0})]
    [changed] = await found(there, here)
    assert changed.fields == ("y", "z", "w")


async def test_other_fingerprints_name_no_fields() -> None:
    [changed] = await found([("a", 1)], [("a", 2)])
    assert changed.fields is None


async def test_each_side_can_have_its_own_functions() -> None:
    remote = [Verification("a", status="completed"), Verification("b", status="completed")]
    differences = await found(
        remote,
        [(1, "a", "completed"), (2, "b", "started")],
        key=(None, lambda row: row[1]),
        fingerprint=(lambda v: v.status, lambda row: row[2]),
    )
    assert [d.key for d in differences] == ["b"]


async def test_without_a_key_the_ids_of_records_and_of_mappings_are_compared() -> None:
    remote = [Verification("a"), Verification("b")]
    local = [{"verification_id": "b"}, {"verification_id": "c"}]
    differences = await found(remote, local, key=None, fingerprint=lambda _: None)
    assert {(type(d), d.key) for d in differences} == {(Missing, "a"), (Extra, "c")}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("side", ["remote", "local"])
async def test_a_key_that_comes_twice_on_one_side_is_an_error(side: str, ordered: bool) -> None:
    twice, once = [("a", 1), ("b", 1), ("b", 2)], [("a", 1), ("b", 1)]
    sides = (twice, once) if side == "remote" else (once, twice)
    with pytest.raises(ConfigurationError, match=f"{side} item 3"):
        await found(*sides, ordered=ordered)


async def test_a_key_that_comes_again_after_its_match_is_never_an_extra() -> None:
    seen = []
    with pytest.raises(ConfigurationError, match="local item 3"):
        async for difference in reconcile(
            [("a", 1)], [("a", 1), ("x", 1), ("a", 1)], key=name, fingerprint=value
        ):
            seen.append(difference.key)
    assert "a" not in seen


class NotComparable:
    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = object.__hash__


async def later(row: Any) -> Any:
    return row


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (lambda _: None, "no key"),
        (lambda row: [row], "cannot be hashed"),
        ((name, lambda _: 7), "none can match"),
        (None, "no id"),
        (lambda _: math.nan, "equals nothing"),
        (lambda _: Decimal("NaN"), "equals nothing"),
        (lambda _: NotComparable(), "equals nothing"),
    ],
)
async def test_a_key_that_cannot_be_compared_is_an_error(key: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await found([("a", 1)], [("b", 1)], key=key)


@pytest.mark.parametrize(
    "options",
    [
        {"key": "id"},
        {"key": (name,)},
        {"key": (name, "id")},
        {"fingerprint": None},
        {"fingerprint": (value, None)},
        {"key": later},
        {"key": (None, later)},
        {"fingerprint": (value, later)},
        {"remote": 7},
        {"local": "rows.jsonl"},
    ],
)
def test_arguments_that_cannot_be_used_are_refused_at_once(options: dict[str, Any]) -> None:
    options = {"remote": [], "local": [], "key": name, "fingerprint": value, **options}
    with pytest.raises(ConfigurationError):
        reconcile(options.pop("remote"), options.pop("local"), **options)


async def test_what_a_function_raises_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        await found([("a", 1)], [("a", 1)], fingerprint=lambda _: 1 / 0)


# --- the ordered form -----------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["remote", "local"])
async def test_keys_out_of_order_are_an_error_in_the_ordered_form(side: str) -> None:
    good, bad = [("a", 1), ("b", 1), ("c", 1)], [("a", 1), ("c", 1), ("b", 1)]
    sides = (bad, good) if side == "remote" else (good, bad)
    with pytest.raises(ConfigurationError, match=f"{side} item 3 has a key below"):
        await found(*sides, ordered=True)


async def test_keys_that_cannot_be_ordered_are_an_error_in_the_ordered_form() -> None:
    with pytest.raises(ConfigurationError, match="have no order"):
        await found([((1,), 1)], [(2, 1)], ordered=True)


# --- memory ---------------------------------------------------------------------------------------


class Record:
    """A record whose instances in memory can be counted."""

    alive = most = 0

    def __init__(self, number: int, fingerprint: int = 0) -> None:
        self.key, self.fingerprint = number, fingerprint
        Record.alive += 1
        Record.most = max(Record.most, Record.alive)

    def __del__(self) -> None:
        Record.alive -= 1


def records(numbers: Iterable[int]) -> Iterator[Record]:
    return map(Record, numbers)


async def counted(remote: Iterable[int], local: Iterable[int], *, ordered: bool = False) -> int:
    gc.collect()
    Record.alive = Record.most = 0
    async for _ in reconcile(
        records(remote),
        records(local),
        key=lambda r: r.key,
        fingerprint=lambda r: r.fingerprint,
        ordered=ordered,
    ):
        pass
    return Record.most


async def test_neither_side_holds_more_records_than_the_smaller_one_has() -> None:
    assert await counted(range(5000), range(4999, 4979, -1)) <= 2 * 20 + 4
    assert await counted(range(4999, 4979, -1), range(5000)) <= 2 * 20 + 4


async def test_sides_in_the_same_order_hold_few_records() -> None:
    assert await counted(range(5000), range(5000)) <= 4


async def test_the_ordered_form_holds_few_records() -> None:
    assert await counted(range(5000), range(0, 5000, 3), ordered=True) <= 5
    assert await counted(range(0, 5000, 3), range(5000), ordered=True) <= 5


# --- a listing as the remote side -----------------------------------------------------------------


def status(record: Verification) -> Any:
    return record.status


def row_of(v: Verification) -> Row:
    return v.verification_id, v.status


OPTIONS: dict[str, Any] = {"key": (None, name), "fingerprint": (status, value)}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(verifications=230, rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
async def harbour(sandbox: Sandbox) -> AsyncIterator[HarbourSession]:
    limit = RateLimit.unlimited()
    async with HarbourSession(sandbox.api_key, base_url=sandbox.url, rate_limit=limit) as session:
        yield session


async def table(harbour: HarbourSession) -> list[Row]:
    return [row_of(v) async for v in harbour.verifications.list()]


async def test_a_listing_is_compared_with_a_table(
    sandbox: Sandbox, harbour: HarbourSession
) -> None:
    rows = await table(harbour)
    gone, renamed = rows[50][0], rows[100][0]
    sandbox.delete([gone])
    sandbox.update(renamed, status="renamed")
    [new] = sandbox.insert()
    differences = await found(harbour.verifications.list(), rows, **OPTIONS)
    kinds = {(type(d), d.key) for d in differences}
    assert kinds == {(Missing, new), (Extra, gone), (Changed, renamed)}


async def test_a_record_created_in_mid_walk_on_both_sides_is_never_an_extra(
    sandbox: Sandbox, harbour: HarbourSession
) -> None:
    rows = await table(harbour)

    @sandbox.on_request
    def both(_: Arrival) -> None:
        rows.extend((key, "new") for key in sandbox.insert(3))

    for order in ("created_at ASC", "created_at DESC"):
        before = len(rows)
        differences = await found(harbour.verifications.list(order_by=order), rows, **OPTIONS)
        assert len(rows) > before
        assert not [d for d in differences if isinstance(d, Extra)]
        rows[:] = await table(harbour)


async def test_a_query_is_a_snapshot_although_the_table_grows_in_mid_walk(
    sandbox: Sandbox, harbour: HarbourSession, tmp_path: Path
) -> None:
    database, other = (sqlite3.connect(tmp_path / "table.db") for _ in range(2))
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE v (id TEXT PRIMARY KEY, status TEXT)")
    with database:
        database.executemany("INSERT INTO v VALUES (?, ?)", await table(harbour))

    @sandbox.on_request
    def both(_: Arrival) -> None:
        with other:
            other.executemany("INSERT INTO v VALUES (?, '')", [(key,) for key in sandbox.insert(3)])

    rows = database.execute("SELECT id, status FROM v")
    differences = await found(harbour.verifications.list(), rows, **OPTIONS)
    database.close()
    other.close()
    assert not [d for d in differences if isinstance(d, Extra)]


async def test_the_first_local_item_is_taken_before_the_first_request(
    sandbox: Sandbox, harbour: HarbourSession
) -> None:
    requests: list[int] = []

    async def rows() -> AsyncIterator[Row]:
        requests.append(len(sandbox.arrivals))
        yield ("x", "y")

    await found(harbour.verifications.list(), rows(), **OPTIONS)
    assert requests == [0]


async def test_extras_come_only_when_the_listing_has_ended(harbour: HarbourSession) -> None:
    pager = harbour.verifications.list(order_by="created_at ASC", page_size=20)
    options: dict[str, Any] = {
        "key": (lambda v: v.created_at, value),
        "fingerprint": lambda _: None,
    }
    first = await pager.first()
    assert first is not None
    assert first.created_at is not None
    early = [("x", first.created_at.replace(year=1990)), ("y", first.created_at)]
    differences: Differences[Any, Any] = reconcile(pager, early, ordered=True, **options)
    seen = [(type(d), pager.report.complete) async for d in differences]
    assert seen[-1] == (Extra, True)
    assert {kind for kind, _ in seen[:-1]} == {Missing}


@pytest.mark.parametrize(
    "walk",
    [
        {"complete": False, "order_by": "created_at ASC"},
        {"order_by": "updated_at ASC"},
        {"max_items": 50, "order_by": "created_at ASC"},
    ],
)
@pytest.mark.parametrize("ordered", [False, True])
async def test_an_unproved_listing_raises_instead_of_calling_anything_extra(
    harbour: HarbourSession, walk: dict[str, Any], ordered: bool
) -> None:
    field = walk["order_by"].partition(" ")[0]
    pager = harbour.verifications.list(**walk)
    seen: list[Any] = []
    differences: Differences[Any, Any] = reconcile(
        pager,
        [datetime(1990, 1, 1, tzinfo=UTC)],
        key=(lambda v: getattr(v, field), lambda row: row),
        fingerprint=lambda _: None,
        ordered=ordered,
    )
    with pytest.raises(IncompleteListingError, match="not proved complete") as caught:
        async for difference in differences:
            seen.append(difference)
    assert {type(d) for d in seen} == {Missing}
    assert caught.value.report == pager.report


@frozen
class Broken:
    """A listing whose proof is lost at its end, reported as a walk does."""

    rows: list[Row]
    report = PagingReport()

    async def __aiter__(self) -> AsyncIterator[Row]:
        for row in self.rows:
            yield row
        raise IncompleteListingError("the proof is lost", report=self.report)


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_walk_that_loses_its_proof_still_yields_what_is_missing_and_changed(
    ordered: bool,
) -> None:
    seen: list[Any] = []
    with pytest.raises(IncompleteListingError, match="the proof is lost"):
        async for difference in reconcile(
            Broken(THERE), [*HERE, ("z", 1)], key=name, fingerprint=value, ordered=ordered
        ):
            seen.append(difference)
    assert set(seen) == {Missing("a", ("a", 1)), Changed("c", ("c", 3), ("c", 30))}


# --- invalid records ------------------------------------------------------------------------------


def invalid(key: str | None) -> InvalidRecord:
    return InvalidRecord(b"{}", DecodeError("no"), key)


def walked(records: list[Any], on_invalid: Any = "keep") -> Pager[Any]:
    async def fetch(page: int, size: int) -> Rows[Any]:
        window = records[(page - 1) * size : page * size]
        ids = [r.record_id if isinstance(r, InvalidRecord) else r.verification_id for r in window]
        keys: list[int | None] = [len(records) - records.index(r) for r in window]
        return Rows(window, ids, keys, len(records), invalid=True)

    return Pager(fetch, listing="verifications", on_invalid=on_invalid)


BY_ID: dict[str, Any] = {"key": (None, name), "fingerprint": (status, value)}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("remote", [walked, list])
async def test_an_invalid_record_is_present_by_its_id(
    remote: Callable[..., Any], ordered: bool
) -> None:
    records = [Verification("a"), invalid("b"), invalid("c")]
    rows = [("a", None), ("b", "x"), ("d", "y")]
    differences = await found(remote(records), rows, ordered=ordered, **BY_ID)
    kinds = {(type(d), d.key) for d in differences}
    assert kinds == {(Missing, "c"), (Extra, "d")}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("remote", [walked, list])
async def test_an_invalid_record_without_an_id_withholds_the_extras(
    remote: Callable[..., Any], ordered: bool
) -> None:
    records = [Verification("a"), invalid(None), Verification("c")]
    rows = [("a", "new"), ("b", None)]
    seen: list[Any] = []
    with pytest.raises(IncompleteListingError):
        async for difference in reconcile(remote(records), rows, ordered=ordered, **BY_ID):
            seen.append((type(difference), difference.key))
    assert set(seen) == {(Changed, "a"), (Missing, "c")}


async def test_an_invalid_record_without_an_id_is_not_an_error_if_all_local_records_match() -> None:
    records = [Verification("a"), invalid(None)]
    assert await found(records, [("a", None)], **BY_ID) == []


async def test_an_invalid_record_that_was_dropped_withholds_the_extras() -> None:
    records = [Verification("a"), invalid("b")]
    with pytest.raises(IncompleteListingError, match="the invalid ones"):
        await found(walked(records, lambda _: None), [("a", None), ("b", None)], **BY_ID)


async def test_with_a_key_function_an_invalid_record_withholds_the_extras() -> None:
    records = [Verification("a"), invalid("b")]
    options = {**BY_ID, "key": (lambda v: v.verification_id, name)}
    with pytest.raises(IncompleteListingError, match="the invalid ones"):
        await found(walked(records), [("a", None), ("b", None)], **options)


async def test_two_comparisons_with_one_pager_have_a_proof_each() -> None:
    pager = walked([Verification("a")])
    first, second = (reconcile(pager, [("b", 1)], **BY_ID) for _ in range(2))
    kinds = {(Missing, "a"), (Extra, "b")}
    one = await anext(first)
    assert {(type(d), d.key) async for d in second} == kinds
    assert {(type(d), d.key) for d in [one, *[d async for d in first]]} == kinds


def test_a_resumed_listing_is_refused(harbour: HarbourSession) -> None:
    token = harbour.verifications.list().resume_token
    with pytest.raises(ConfigurationError, match="resume token"):
        reconcile(harbour.verifications.list(resume=token), [], fingerprint=status)


def test_a_listing_of_changes_is_refused(harbour: HarbourSession) -> None:
    with pytest.raises(ConfigurationError, match="changes only"):
        reconcile(harbour.verifications.changes(datetime.now(UTC)), [], fingerprint=status)


# --- its iterator ---------------------------------------------------------------------------------


def compared(remote: Any) -> Differences[Row, Row]:
    return reconcile(remote, [], key=name, fingerprint=value)


async def test_tasks_that_share_the_iterator_share_the_differences() -> None:
    rows = [(str(n), n) for n in range(200)]
    differences = compared(sent(rows))
    seen: list[list[Any]] = [[], [], []]

    async def work(mine: list[Any]) -> None:
        async for difference in differences:
            mine.append(difference.key)
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, seen))
    assert all(seen)
    assert sorted(chain(*seen)) == sorted(str(n) for n in range(200))


async def test_after_a_cancelled_read_the_comparison_raises_instead_of_ending() -> None:
    stuck = asyncio.Event()

    async def remote() -> AsyncIterator[Row]:
        yield ("a", 1)
        await stuck.wait()

    differences = compared(remote())
    assert await anext(differences) == Missing("a", ("a", 1))
    waiting = asyncio.ensure_future(anext(differences))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    with pytest.raises(IncompleteListingError, match="broken off"):
        await anext(differences)


async def test_an_ended_comparison_stays_ended() -> None:
    differences = compared([])
    for _ in range(2):
        assert await anext(differences, None) is None
    await differences.aclose()
    assert await anext(differences, None) is None


async def test_leaving_the_loop_stops_the_requests(
    sandbox: Sandbox, harbour: HarbourSession
) -> None:
    pager = harbour.verifications.list(page_size=10, concurrency=1)
    differences: Differences[Any, Row] = reconcile(pager, [], fingerprint=status)
    async with aclosing(differences):
        async for _ in differences:
            break
    sent = len(sandbox.arrivals)
    assert await harbour.verifications.list().count() == 230
    assert len(sandbox.arrivals) == sent + 1


async def test_an_error_of_the_listing_passes_through(
    sandbox: Sandbox, harbour: HarbourSession
) -> None:
    sandbox.fail(403)
    with pytest.raises(HarbourError):
        await found(harbour.verifications.list(), [("x", "y")], **OPTIONS)


def test_the_hints_of_the_public_names_resolve() -> None:
    for thing in (reconcile, Differences, Missing, Extra, Changed, Differences.__anext__):
        assert get_type_hints(thing) is not None


def test_the_representation_of_a_difference_hides_the_records() -> None:
    assert repr(Missing("a", {"latest_response": "secret"})) == "Missing(key='a')"
