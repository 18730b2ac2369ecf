"""Keep an SQLite table in step with all verifications, deletions included.

    $ HARBOUR_API_KEY=... python examples/reconcile_sqlite.py harbour.db

Run it as often as you like. Each run compares the table with the listing and writes what differs.
Several tasks share the differences, so that writing does not hold up reading. Every batch is one
transaction: after a crash the table is consistent, and the next run does the rest.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from typing import Any

from harbour_async import HarbourSession, Verification, to_json
from harbour_async.reconcile import Changed, Differences, Extra, Missing, reconcile

TABLE = """
CREATE TABLE IF NOT EXISTS verifications (
    id TEXT PRIMARY KEY, status TEXT, result TEXT, updated_at TEXT, record TEXT NOT NULL
)
"""
# Another program may write to the table as well, on a webhook's event: the later version stays.
UPSERT = """
INSERT INTO verifications VALUES (:id, :status, :result, :updated_at, :record)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, result = excluded.result,
    updated_at = excluded.updated_at, record = excluded.record
WHERE excluded.updated_at >= verifications.updated_at OR verifications.updated_at IS NULL
"""
DELETE = "DELETE FROM verifications WHERE id = ?"

BATCH = 50  # differences in one transaction

Difference = Missing[Verification] | Extra[sqlite3.Row] | Changed[Verification, sqlite3.Row]


async def keep_in_step(harbour: HarbourSession, path: str, *, tasks: int = 4) -> Counter[str]:
    """Make the table in ``path`` equal to the listing; return the number of writes of each kind."""
    written: Counter[str] = Counter()
    with closing(connect(path)) as database:
        # One query on a connection of its own is a snapshot: it does not see what is written.
        rows = database.execute("SELECT id, status, result, updated_at FROM verifications")
        differences: Differences[Verification, sqlite3.Row] = reconcile(
            harbour.verifications.list(),
            rows,
            key=(None, lambda row: row["id"]),
            fingerprint=(columns, dict),
        )
        async with differences, asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(apply(differences, path, written))
    return written


async def apply(
    differences: Differences[Verification, sqlite3.Row], path: str, written: Counter[str]
) -> None:
    """Take differences until there are no more, and write them in batches."""
    batch: list[Difference] = []
    try:
        async for difference in differences:
            batch.append(difference)
            if len(batch) == BATCH:
                full, batch = batch, []
                await asyncio.to_thread(write, path, full)
                written.update(type(d).__name__ for d in full)
    finally:  # also if the proof failed: what is missing or changed is right
        write(path, batch)
        written.update(type(d).__name__ for d in batch)


def write(path: str, batch: list[Difference]) -> None:
    """Write a batch in one transaction."""
    with closing(connect(path)) as database, database:
        for difference in batch:
            if isinstance(difference, Extra):
                database.execute(DELETE, (difference.key,))
            else:
                record = to_json(difference.remote).decode()
                database.execute(UPSERT, {**columns(difference.remote), "record": record})


def columns(v: Verification) -> dict[str, Any]:
    """The values to compare, in the form that the table has."""
    updated_at = v.updated_at.isoformat() if v.updated_at else None
    return {
        "id": v.verification_id,
        "status": v.status,
        "result": v.result,
        "updated_at": updated_at,
    }


def connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")  # readers and writers do not wait for each other
    database.execute(TABLE)
    return database


async def main(path: str) -> None:
    async with HarbourSession() as harbour:  # key from HARBOUR_API_KEY
        written = await keep_in_step(harbour, path)
    print(*(f"{count} {kind.lower()}" for kind, count in sorted(written.items())), sep=", ")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
