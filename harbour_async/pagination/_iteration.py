"""What ``async for`` holds on to, so that letting go of it is noticed at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from harbour_async.pagination._walk import Walk

R = TypeVar("R")


class Iteration(Generic[R]):
    """Iterates an asynchronous generator; stops its walk when dropped.

    ``break`` drops the iterator of a loop at once, but an asynchronous generator is only closed
    some time later, by the event loop: prefetching would go on until then. ``__anext__`` hands on
    the generator's own awaitable, so that a record costs no coroutine more.
    """

    __slots__ = ("_generator", "_walk")

    def __init__(self, generator: AsyncGenerator[R, None], walk: Walk[Any]) -> None:
        self._generator = generator
        self._walk = walk

    def __aiter__(self) -> Iteration[R]:
        return self

    def __anext__(self) -> Awaitable[R]:
        return self._generator.__anext__()

    async def aclose(self) -> None:
        """Stop, and wait until nothing is left behind."""
        await self._generator.aclose()
        await self._walk.close()

    def __del__(self) -> None:
        with suppress(RuntimeError):  # the event loop may be gone
            self._walk.stop()
