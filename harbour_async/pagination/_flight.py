"""Requests on their way: prefetched, answered in order, cancelled at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from attrs import define

from harbour_async._rows import Rows
from harbour_async.pagination._windows import Window

T = TypeVar("T")

Fetch = Callable[[int, int], Awaitable[Rows[T]]]


@define
class Request:
    """A window that was asked for; ``number`` counts requests, ``total`` is what was known then."""

    window: Window
    number: int
    total: int


class Flight(Generic[T]):
    """Sends requests and hands out their answers in the order of sending."""

    def __init__(self, fetch: Fetch[T]) -> None:
        self._fetch = fetch
        self._tasks: deque[tuple[Request, asyncio.Task[Rows[T]]]] = deque()
        self._stopping: set[asyncio.Task[Rows[T]]] = set()
        self._total = 0
        self._kept: tuple[Request, Rows[T]] | None = None
        self.upcoming = 0
        self.sent = 0

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def last(self) -> Window | None:
        return self._tasks[-1][0].window if self._tasks else None

    def send(self, window: Window, *, first: bool = False) -> None:
        """Ask for a window; its answer comes after those asked for before, or ``first`` of all."""
        if self._kept and self._kept[0].window == window and not first:
            request, rows = self._kept
            self._kept = None
            self._enqueue(request, _answered(rows), first=False)
        else:
            self._enqueue(Request(window, self.upcoming, self._total), self._ask(window), first)
            self.upcoming += 1

    def keep(self, request: Request, rows: Rows[T]) -> None:
        """The next ``send`` of this window gets this answer instead of a request."""
        self._kept = request, rows

    def put_back(self, request: Request, rows: Rows[T]) -> None:
        """This answer comes first again."""
        self._enqueue(request, _answered(rows), first=True)

    def _enqueue(self, request: Request, answer: Coroutine[Any, Any, Rows[T]], first: bool) -> None:
        entry = request, asyncio.create_task(answer)
        if first:
            self._tasks.appendleft(entry)
        else:
            self._tasks.append(entry)

    async def receive(self) -> tuple[Request, Rows[T]]:
        """The answer to the oldest request; raises what fetching it raised."""
        request, task = self._tasks[0]
        rows = await task
        self._tasks.popleft()
        return request, rows

    def drop(self) -> None:
        """Cancel whatever is on its way. Nothing is sent after this returns."""
        for _, task in self._tasks:
            if task.cancel():
                self._stopping.add(task)
            task.add_done_callback(self._stopped)
        self._tasks.clear()
        self._kept = None

    async def close(self) -> None:
        """Cancel whatever is on its way, and wait until it is gone."""
        self.drop()
        if self._stopping:
            await asyncio.wait(list(self._stopping))

    async def _ask(self, window: Window) -> Rows[T]:
        self.sent += 1
        rows = await self._fetch(window.page, window.size)
        self._total = rows.total
        return rows

    def _stopped(self, task: asyncio.Task[Rows[T]]) -> None:
        self._stopping.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen: nobody waits for this answer any more


async def _answered(rows: Rows[T]) -> Rows[T]:
    return rows
