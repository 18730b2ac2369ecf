"""The iterator that ``async for`` holds, so that leaving the loop is noticed at once."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Stoppable(Protocol[T_co]):
    """Gives the items of a loop, and can stop its requests."""

    def __anext__(self) -> Awaitable[T_co]: ...

    def stop(self) -> None: ...


class Loop(Generic[T]):
    """An iteration over ``source``. Dropping the iteration stops the source.

    Users keep the source for its ``missing`` or its token, so a ``break`` does not drop the source.
    """

    __slots__ = ("_source",)

    def __init__(self, source: Stoppable[T]) -> None:
        self._source = source

    def __aiter__(self) -> Loop[T]:
        return self

    async def __anext__(self) -> T:
        return await self._source.__anext__()

    async def aclose(self) -> None:
        """Stop sending requests."""
        self._source.stop()

    def __del__(self) -> None:
        with suppress(RuntimeError):  # the event loop may be gone
            self._source.stop()
