"""The sandbox: starting, stopping, its log, and changes to its records."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from harbour_async.sandbox._arrivals import Arrival, max_in_window
from harbour_async.sandbox._endpoints import Endpoints
from harbour_async.sandbox._fields import check_fields
from harbour_async.sandbox._gate import Gate
from harbour_async.sandbox._kinds import EVENTS, VERIFICATIONS, WEBHOOKS, Kind
from harbour_async.sandbox._options import Options, is_whole
from harbour_async.sandbox._records import Maker, Record
from harbour_async.sandbox._script import Script
from harbour_async.sandbox._store import Store

_AT_ONCE = 2_000  # records that are made before other tasks get a turn


class Sandbox(Options, Script):
    """A server of Harbour's API v2.2 on this machine, with made-up records.

    It listens from ``start()`` to ``aclose()``, or while entered, and only once::

        async with Sandbox(verifications=1000, rate_limit=None) as sandbox:
            async with HarbourSession(sandbox.api_key, base_url=sandbox.url) as harbour: ...

    Its methods are to be called in the event loop that started it. All arguments are keywords.
    Durations are seconds. Those marked with * may also be set while it runs.

    Records:

    verifications, webhooks: how many there are to begin with.
    events: how many each webhook has.
    seed: the same seed gives the same records, in the same order.
    ties: how many neighbours share one ``created_at``; 1 keeps all distinct.
    shuffle_ties: * give records with equal keys in another order in each answer, as a database
        without a tie-breaker does.
    database: where SQLite writes: ":memory:" or a file. A file that an earlier sandbox left is
        served as it is, and no records are made.
    clock: the clock that dates changes after the start. "own" begins in May 2023 and moves on
        only when something happens, so that runs can be repeated; "machine" is the time of day.

    Access and limits (guide: "Rate limits"):

    api_key: the key that requests must have.
    rate_limit: * how many requests are let in in any ``per`` seconds; None for no limit.
    per: * seconds.
    retry_after: * how a 429 says when to come back: "seconds", "date", or None for not at all.
    latency: * seconds by which every answer is held back, or a pair (low, high) for a random time.
    host, port: where to listen; port 0 takes any free one.
    keepalive_timeout: seconds after which an idle connection is closed.

    Where the guide shows two behaviours:

    spelling: paths of single objects: "plural" (``/verifications/{id}``), "singular", "both", or
        "guide", as its detail sections have them; or one for each method, as in
        ``{"GET": "singular", "PUT": "plural"}``.
    errors: * the envelope of errors: the "guide"'s, or that of Harbour's "newer" endpoints.
    envelope: * ``page``, ``size`` and ``pages`` as "ints" (its examples) or "strings" (its tables).
    get_webhook: * "Get webhook" answers the "object", or "short": its id and ``event_datetime``.
    events_shape: * "List webhook events" answers a "page" or one "bare" event.

    Where other servers differ:

    unknown_route: * the status with which a gateway answers every path or method that it does not
        know; None: 404 for a path, 405 for a method.
    receipts: * what a PUT or DELETE that worked is answered with: the guide's "object", status
        "204", or 200 with a "blank" body, "null" or "{}".

    Raises ``ValueError`` at once for a wrong argument.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._gate = Gate(self)
        self._maker = Maker(self.seed, self.ties)
        self._open: Store | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> Self:
        """Make the records (5,000 take 0.2 seconds, 200,000 under six) and listen.

        Cancelling stops it while it makes them.

        Raises ``OSError`` if the address is taken, or the database is another program's or in
        use, and ``RuntimeError`` the second time.
        """
        if self._runner is not None:
            raise RuntimeError("a sandbox starts only once: make another")
        store = self._open = Store(self.database, self.seed)
        app = web.Application(middlewares=[self._gate.middleware])
        between = self._gate.between_count_and_rows
        app.add_routes(Endpoints(self, store, self._maker, between).routes())
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=self.keepalive_timeout,
            shutdown_timeout=0.1,  # do not wait for requests that are held back
        )
        try:
            await self._fill(store)
            await self._runner.setup()
            await web.TCPSite(self._runner, self.host, self.port).start()
        except BaseException:
            await self.aclose()
            raise
        self.port: int = self._runner.addresses[0][1]
        return self

    async def aclose(self) -> None:
        """Stop listening and forget the records. The log can still be read."""
        store, self._open = self._open, None
        if store is None:
            return
        try:
            if self._runner is not None:
                await self._runner.cleanup()
        finally:
            store.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def url(self) -> str:
        """The base URL, like ``http://127.0.0.1:54321/v2``."""
        if self._runner is None:
            raise RuntimeError("the sandbox is not running: enter it, or start() it")
        # These two mean all addresses of this machine; clients cannot connect to them.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/v2"

    # -- the log -------------------------------------------------------------------------------

    @property
    def arrivals(self) -> list[Arrival]:
        """Every request so far, in order of arrival."""
        return self._gate.arrivals

    @property
    def rejections(self) -> int:
        """How many requests the limit turned away. Scripted 429s are not counted."""
        return self._gate.rejections

    def max_in_window(self, seconds: float | None = None) -> int:
        """The most arrivals, rejected ones too, in any window of ``seconds`` (None: ``per``)."""
        return max_in_window(self.arrivals, self.per if seconds is None else seconds)

    def reset_log(self) -> None:
        """Forget arrivals and rejections. The rate limit still counts them."""
        self._gate.arrivals.clear()
        self._gate.rejections = 0

    # -- the records ---------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The sandbox's clock, in epoch milliseconds: the time of the latest change."""
        return self._maker.now

    def verification_ids(self) -> list[str]:
        """Every verification's id, in the default order of the list: newest first."""
        return self._store.ids(VERIFICATIONS)

    def webhook_ids(self) -> list[str]:
        """Every webhook's id, newest first."""
        return self._store.ids(WEBHOOKS)

    def insert(self, count: int = 1, **fields: Any) -> list[str]:
        """Add verifications that are newer than all others; returns their ids.

        ``insert(created_at=sandbox.now - 60_000)`` is a late commit: records that appear behind
        newer ones, last updated when they were created.

        count: how many.
        **fields: fields of a verification that all of them get; times are epoch milliseconds.

        Raises ``TypeError`` for a field that no verification has, and ``ValueError`` for an id that
        exists or a value that cannot be stored or sent.
        """
        if not is_whole(count, 0):
            raise ValueError(f"count must be a whole number from 0, not {count!r}")
        check_fields(fields)
        key = fields.get("verification_id")
        if key is not None and (count > 1 or self._store.get(VERIFICATIONS, key)):
            raise ValueError(f"verification_id must be that of one new verification, not {key!r}")
        at = fields.get("created_at")
        records = []
        for _ in range(count):
            moment = self._maker.tick() if at is None else at
            records.append(_changed(self._maker.verification(moment), fields))
        self._set_clock(records)
        return self._store.insert(VERIFICATIONS, records)

    def update(self, which: int | str | Iterable[str], **fields: Any) -> list[str]:
        """Change verifications; returns their ids, in the order in which they changed.

        The ``updated_at`` of each becomes a new moment, later than all before.

        which: an id, several ids, or how many to choose at random (by the seed).
        **fields: fields that all of them get.

        Raises ``KeyError`` if one does not exist, ``TypeError`` for a field that no verification
        has, and ``ValueError`` for a new id or a value that cannot be stored or sent; then nothing
        was changed.
        """
        check_fields(fields)
        if "verification_id" in fields:
            raise ValueError("the id of a verification cannot be changed")
        records = []
        for key in self._choose(which):
            record = self._store.get(VERIFICATIONS, key)
            if record is None:
                raise KeyError(key)
            record["updated_at"] = self._maker.tick()
            records.append(_changed(record, fields))
        self._set_clock(records)
        for record in records:
            self._store.replace(VERIFICATIONS, record)
        return [record["verification_id"] for record in records]

    def delete(self, which: int | str | Iterable[str]) -> list[str]:
        """Remove verifications; returns the ids of those that existed.

        which: an id, several ids, or how many to choose at random (by the seed).
        """
        return [key for key in self._choose(which) if self._store.delete(VERIFICATIONS, key)]

    def _choose(self, which: int | str | Iterable[str]) -> list[str]:
        if isinstance(which, int):
            if not is_whole(which, 0):
                raise ValueError(f"which must be ids or a whole number from 0, not {which!r}")
            total = self._store.total(VERIFICATIONS)
            places = self._maker.random.sample(range(total), min(which, total))
            return [self._store.nth_id(VERIFICATIONS, place) for place in places]
        return [which] if isinstance(which, str) else list(which)

    def _set_clock(self, records: list[Record]) -> None:
        # The next change has to be later than the times that were given.
        times = [record[name] for record in records for name in ("created_at", "updated_at")]
        self._maker.now = max([self._maker.now, *times])

    @property
    def _store(self) -> Store:
        if self._open is None:
            raise RuntimeError("the sandbox is not running: enter it, or start() it")
        return self._open

    async def _fill(self, store: Store) -> None:
        maker = self._maker
        if store.is_filled:
            maker.resume(store.latest(), store.made(VERIFICATIONS))
        else:
            await _insert(store, VERIFICATIONS, maker.seeded(self.verifications), outlines=True)
            hooks: list[Record] = []
            await _insert(store, WEBHOOKS, self._seeded_webhooks(hooks))
            events = (maker.event(hook) for hook in hooks for _ in range(self.events))
            await _insert(store, EVENTS, events)
            store.set_filled()
        if self.clock == "machine":
            maker.follow_machine()

    def _seeded_webhooks(self, made: list[Record]) -> Iterator[Record]:
        for _ in range(self.webhooks):
            made.append(self._maker.webhook(self._maker.tick(60_000)))
            yield made[-1]


async def _insert(
    store: Store, kind: Kind, records: Iterator[Record], *, outlines: bool = False
) -> None:
    """Add all records; between the batches a signal or a cancellation takes effect."""
    more = True
    while more:
        more = bool(store.insert(kind, islice(records, _AT_ONCE), outlines=outlines))
        await asyncio.sleep(0)


def _changed(record: Record, fields: Record) -> Record:
    if unknown := fields.keys() - record.keys():
        raise TypeError(f"no such field of a verification: {', '.join(sorted(unknown))}")
    return record | fields
