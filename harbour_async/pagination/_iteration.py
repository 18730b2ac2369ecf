"""What ``async for`` holds on to, so that letting go of it is noticed at once."""

from __future__ import annotations

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

    __slots__ = ("_walk",)

    def __init__(self, walk: Walk[T]) -> None:
        self._walk = walk

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
        if self._walk.batch.left or await self._walk.step():
            return self._walk.batch.left.pop()
        raise StopAsyncIteration


class Pages(_Iteration[T]):
    """A walk's records in the batches they came in."""

    __slots__ = ()

    def __aiter__(self) -> Pages[T]:
        return self

    async def __anext__(self) -> Page[T]:
        if not await self._walk.step():
            raise StopAsyncIteration
        left = self._walk.batch.left
        items = left[::-1]
        left.clear()
        window, total = self._walk.window, self._walk.total
        return Page(items, total, window.page, window.size, -(-total // window.size))
