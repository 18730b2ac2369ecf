"""What ``async for`` holds on to, so that letting go of it is noticed at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from harbour_async.models import Page
from harbour_async.pagination._walk import Walk

T = TypeVar("T")


class _Iteration(Generic[T]):
    """Stops its walk when dropped.

    ``break`` drops the iterator of a loop at once. An asynchronous generator would be closed some
    time later, by a task of the event loop's, and prefetching would go on until then.
    """

    __slots__ = ("_items", "_walk")

    def __init__(self, walk: Walk[T]) -> None:
        self._walk = walk
        self._items: Iterator[T] = iter(())

    async def aclose(self) -> None:
        """Stop, and wait until nothing is left behind."""
        await self._walk.close()

    def __del__(self) -> None:
        with suppress(RuntimeError):  # the event loop may be gone
            self._walk.stop()


class Records(_Iteration[T]):
    """A walk's records."""

    __slots__ = ()

    def __aiter__(self) -> Records[T]:
        return self

    async def __anext__(self) -> T:
        for record in self._items:
            self._walk.given += 1
            return record
        batch = await self._walk.step()
        if batch is None:
            raise StopAsyncIteration
        self._items = iter(batch.items)
        self._walk.given += 1
        return next(self._items)


class Pages(_Iteration[T]):
    """A walk's records in the batches they came in."""

    __slots__ = ()

    def __aiter__(self) -> Pages[T]:
        return self

    async def __anext__(self) -> Page[T]:
        batch = await self._walk.step()
        if batch is None:
            raise StopAsyncIteration
        self._walk.given = len(batch.items)
        window, total = batch.request.window, batch.total
        return Page(list(batch.items), total, window.page, window.size, -(-total // window.size))
