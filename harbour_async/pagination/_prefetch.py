"""Requests on their way: prefetched, answered in order, cancelled at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from harbour_async._rows import Rows
from harbour_async.pagination._window import Window

T = TypeVar("T")

Fetch = Callable[[int, int], Awaitable[Rows[T]]]


class Fetched(NamedTuple, Generic[T]):
    """An answer to the request that was sent as number ``number``.

    ``alone`` says that all earlier requests had been answered or given up by then.
    """

    window: Window
    number: int
    alone: bool
    rows: Rows[T]


class Prefetcher(Generic[T]):
    """Sends requests, and hands out their answers in the order of the queue."""

    def __init__(self, fetch: Fetch[T]) -> None:
        self._fetch = fetch
        self._queue: deque[tuple[Window, asyncio.Future[Fetched[T]]]] = deque()
        self._stopping: set[asyncio.Future[Fetched[T]]] = set()
        self._numbered = 0
        self.sent = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def last(self) -> Window | None:
        return self._queue[-1][0] if self._queue else None

    def send(self, window: Window, *, first: bool = False) -> None:
        """Ask for a window. Its answer comes after those asked for before, or ``first`` of all."""
        self._numbered += 1
        alone = all(answer.done() for _, answer in self._queue)
        task = asyncio.create_task(self._ask(window, self._numbered, alone))
        if first:
            self._queue.appendleft((window, task))
        else:
            self._queue.append((window, task))

    def put_back(self, fetched: Fetched[T]) -> None:
        """This answer comes first again."""
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(fetched)
        self._queue.appendleft((fetched.window, answer))

    async def receive(self) -> Fetched[T] | None:
        """The answer at the head of the queue; raises what fetching it raised.

        None if another task has dropped it meanwhile, because it closed the walk.
        """
        # It stays in the queue while it is awaited, so that `drop` reaches it.
        _, answer = self._queue[0]
        try:
            fetched = await answer
        except asyncio.CancelledError:
            # This task gets it, too, if only the request was cancelled.
            task = asyncio.current_task()
            if self._queue or (task and task.cancelling()):
                raise
            return None
        if not self._queue:
            return None
        self._queue.popleft()
        return fetched

    def drop(self) -> None:
        """Cancel whatever is on its way. Nothing is sent after this returns."""
        # `cancel` only asks: a request holds its slot and its connection until its task has run.
        for _, answer in self._queue:
            if answer.cancel():
                self._stopping.add(answer)
            answer.add_done_callback(self._stopped)
        self._queue.clear()

    async def close(self) -> None:
        """Cancel whatever is on its way, and wait until it is gone."""
        self.drop()
        if self._stopping:
            await asyncio.wait(list(self._stopping))

    async def _ask(self, window: Window, number: int, alone: bool) -> Fetched[T]:
        # Counted here and not in `send`: what was dropped before its task ran was never sent.
        self.sent += 1
        return Fetched(window, number, alone, await self._fetch(window.page, window.size))

    def _stopped(self, answer: asyncio.Future[Fetched[T]]) -> None:
        self._stopping.discard(answer)
        if not answer.cancelled():
            answer.exception()  # marks it as seen: nobody waits for this answer any more
