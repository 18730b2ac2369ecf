"""The records in SQLite, rendered once, so that a page is made by joining strings.

Every method blocks, for about a millisecond, so no request sees half of another's change.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable
from typing import Any

from harbour_async.sandbox._kinds import EVENTS, KINDS, VERIFICATIONS, WEBHOOKS, Kind
from harbour_async.sandbox._query import Query, metadata_pairs
from harbour_async.sandbox._records import Record

_SEPARATOR = "\n"
_FAR = 2**62  # SQLite's integers end soon after
_PRIME = 2**31 - 1
_OURS = 0x48415242  # PRAGMA application_id
_FILLED = 1  # PRAGMA user_version
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Store:
    """One database of verifications, webhooks and events.

    Each row has its record as a list shows it (``listed``), the fields that differ in a
    single answer (``single``), and one text each for ``search`` and for the metadata filter.
    The seeded verifications are outlines, without ``listed`` and ``single`` until they are read,
    so hundreds of thousands are made in seconds.
    Rows with equal keys keep the order of insertion (``seq``), reversed when descending, or come in
    another order in each answer, by the ``seed``.
    """

    def __init__(self, database: str, seed: int = 0) -> None:
        try:
            self._db = sqlite3.connect(database, isolation_level=None, timeout=0)
            try:
                self.is_filled = self._open()
            except BaseException:
                self._db.close()
                raise
        except (sqlite3.Error, ValueError) as error:
            raise OSError(f"{database!r} cannot be the sandbox's database: {error}") from error
        self._random = random.Random(seed)
        self._totals: dict[tuple[str, tuple[Any, ...]], int] = {}

    def _open(self) -> bool:
        """Make the tables if necessary; True if the file was filled already."""
        # One process has a file to itself: totals are remembered here.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("BEGIN EXCLUSIVE")
        [tables] = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and self._pragma("application_id") != _OURS:
            raise ValueError("it holds something else")
        filled = bool(self._pragma("user_version") == _FILLED)
        if filled and self._pragma("quick_check(1)") != "ok":
            raise ValueError("it is damaged")
        if not filled:  # new, or left by a process that died while it was filling the file
            for kind in KINDS:
                self._db.execute(f"DROP TABLE IF EXISTS {kind.table}")
                self._create(kind)
            self._db.execute(f"PRAGMA application_id = {_OURS}")
        self._db.execute("COMMIT")
        return filled

    def _pragma(self, name: str) -> Any:
        return self._db.execute(f"PRAGMA {name}").fetchone()[0]

    def set_filled(self) -> None:
        """From now on the file is served as it is."""
        self._db.execute(f"PRAGMA user_version = {_FILLED}")

    def latest(self) -> int:
        """The latest time of a verification or webhook, in epoch milliseconds; 0 without any."""
        times = " UNION ALL ".join(
            f"SELECT max({name}) AS time FROM {kind.table}"
            for kind in (VERIFICATIONS, WEBHOOKS)
            for name in ("created_at", "updated_at")
        )
        return self._db.execute(f"SELECT max(time) FROM ({times})").fetchone()[0] or 0

    def made(self, kind: Kind) -> int:
        """How many records were ever made."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (kind.table,))
        return next(row, (0,))[0]

    def _create(self, kind: Kind) -> None:
        unique = f"{kind.id_field} UNIQUE"
        columns = ", ".join(unique if f == kind.id_field else f for f in kind.fields)
        self._db.execute(
            f"CREATE TABLE {kind.table} (seq INTEGER PRIMARY KEY AUTOINCREMENT, {columns},"
            " search TEXT, metadata TEXT, single TEXT, listed BLOB)"
        )
        for name in kind.indexed:
            self._db.execute(f"CREATE INDEX {kind.table}_{name} ON {kind.table} ({name})")

    def close(self) -> None:
        self._db.close()

    def insert(self, kind: Kind, records: Iterable[Record], *, outlines: bool = False) -> list[str]:
        """Add the records, or outlines of them, in this order; returns their ids."""
        self._totals.clear()
        ids: list[str] = []

        def rows() -> Iterable[tuple[Any, ...]]:
            for record in records:
                ids.append(record[kind.id_field])
                yield (*_keys(kind, record), *((None, None) if outlines else _texts(kind, record)))

        marks = ", ".join("?" * (len(kind.fields) + 4))
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(f"INSERT INTO {kind.table} VALUES (NULL, {marks})", rows())
        return ids

    def get(self, kind: Kind, key: str) -> Record | None:
        """The record as a single answer shows it."""
        row = self._db.execute(
            f"SELECT seq, listed, single FROM {kind.table} WHERE {kind.id_field} = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        seq, listed, single = row
        if listed is None:
            single, listed = self._render(kind, [seq])[seq]
        return {**json.loads(listed), **json.loads(single)}

    def replace(self, kind: Kind, record: Record) -> None:
        """Replace a record; it keeps its place."""
        self._totals.clear()
        names = (*kind.fields, "search", "metadata", "single", "listed")
        assignments = ", ".join(f"{name} = ?" for name in names)
        self._db.execute(
            f"UPDATE {kind.table} SET {assignments} WHERE {kind.id_field} = ?",
            (*_keys(kind, record), *_texts(kind, record), record[kind.id_field]),
        )

    def delete(self, kind: Kind, key: str) -> bool:
        """Remove a record, and a webhook's events with it; False if there was none."""
        self._totals.clear()
        gone = self._db.execute(f"DELETE FROM {kind.table} WHERE {kind.id_field} = ?", (key,))
        if kind is WEBHOOKS:
            self._db.execute(f"DELETE FROM {EVENTS.table} WHERE webhook_id = ?", (key,))
        return gone.rowcount > 0

    def total(self, kind: Kind) -> int:
        return self._total(f"FROM {kind.table}", ())

    def ids(self, kind: Kind) -> list[str]:
        """Every id, in the default order."""
        rows = self._db.execute(
            f"SELECT {kind.id_field} FROM {kind.table} ORDER BY {kind.fields[0]} DESC, seq DESC"
        )
        return [key for (key,) in rows]

    def nth_id(self, kind: Kind, n: int) -> str:
        """The id at place ``n`` in the order of the ids, which the index finds quickly."""
        key = kind.id_field
        row = self._db.execute(
            f"SELECT {key} FROM {kind.table} ORDER BY {key} LIMIT 1 OFFSET ?", (n,)
        ).fetchone()
        return str(row[0])

    def count(self, kind: Kind, query: Query) -> int:
        """How many records there are on all pages."""
        conditions, values = _conditions(query)
        return self._total(f"FROM {kind.table}{conditions}", values)

    def rows(self, kind: Kind, query: Query, *, shuffle: bool = False) -> list[bytes]:
        """One page, rendered; ``shuffle`` gives equal keys another order each time."""
        conditions, values = _conditions(query)
        direction = "DESC" if query.descending else "ASC"
        ties = f"seq {direction}"
        if shuffle:
            # A linear function modulo a prime permutes the rows; SQLite sorts equal keys by it.
            slope, start = self._random.randrange(1, _PRIME), self._random.randrange(_PRIME)
            ties = f"(seq * {slope} + {start}) % {_PRIME}"
        rows = self._db.execute(
            f"SELECT seq, listed FROM {kind.table}{conditions}"
            f" ORDER BY {query.order_by} {direction}, {ties} LIMIT ? OFFSET ?",
            (*values, query.size, min((query.page - 1) * query.size, _FAR)),
        ).fetchall()
        outlines = [seq for seq, listed in rows if listed is None]
        rendered = self._render(kind, outlines) if outlines else {}
        return [listed or rendered[seq][1] for seq, listed in rows]

    def _render(self, kind: Kind, seqs: list[int]) -> dict[int, tuple[str, bytes]]:
        """Complete outlines: the ``single`` and ``listed`` of each."""
        assert kind.completed is not None
        marks = ", ".join("?" * len(seqs))
        rows = self._db.execute(
            f"SELECT seq, {', '.join(kind.fields)} FROM {kind.table} WHERE seq IN ({marks})", seqs
        ).fetchall()
        rendered = {}
        for seq, *values in rows:
            # The seeded records were the first of the table.
            record = kind.completed(dict(zip(kind.fields, values, strict=True)), seq - 1)
            rendered[seq] = _texts(kind, record)
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                f"UPDATE {kind.table} SET single = ?, listed = ? WHERE seq = ?",
                [(*texts, seq) for seq, texts in rendered.items()],
            )
        return rendered

    def _total(self, source: str, values: tuple[Any, ...]) -> int:
        # Counting reads a whole index, so the total is kept until the next change.
        key = (source, values)
        if key not in self._totals:
            self._totals[key] = self._db.execute(f"SELECT count(*) {source}", values).fetchone()[0]
        return self._totals[key]


def _conditions(query: Query) -> tuple[str, tuple[str, ...]]:
    conditions: list[str] = []
    values: list[str] = []
    if query.webhook_id is not None:
        conditions.append("webhook_id = ?")
        values.append(query.webhook_id)
    if query.search:
        conditions.append("instr(search, ?)")
        values.append(query.search.casefold())
    for pair in query.pairs:
        conditions.append("instr(metadata, ?)")
        values.append(_SEPARATOR + pair + _SEPARATOR)
    return f" WHERE {' AND '.join(conditions)}" if conditions else "", tuple(values)


def _keys(kind: Kind, record: Record) -> tuple[Any, ...]:
    """The columns that a row is found by."""
    pairs = metadata_pairs(record.get("verification_metadata") or {})
    return (
        *[record[name] for name in kind.fields],
        _SEPARATOR.join(_searched(kind, record)).casefold(),
        _SEPARATOR.join(("", *pairs, "")),
    )


def _texts(kind: Kind, record: Record) -> tuple[str, bytes]:
    """The record's texts: where a single answer differs from a list, and as a list shows it."""
    listed = kind.listed(record)
    missing = object()
    single = {name: v for name, v in record.items() if listed.get(name, missing) != v}
    return _dump(single), _dump(listed).encode()


def _searched(kind: Kind, record: Record) -> Iterable[str]:
    for name in kind.searched:
        value = record[name]
        if isinstance(value, list):
            yield from value
        elif value is not None:
            yield value
