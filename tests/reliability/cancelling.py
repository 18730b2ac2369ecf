"""Drives a coroutine and cancels its task at a moment that can be counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from tests.reliability.quiet_time import here

Work = Coroutine[Any, Any, Any]
Cut = Callable[[Work, int], "asyncio.Task[Any]"]
"""Starts the work in a task that is cancelled at the n-th moment, if it gets so far."""


class _Driven:
    """Passes everything through, and calls ``at_suspension`` with each future that is awaited."""

    def __init__(self, work: Work, at_suspension: Callable[[Any], None]) -> None:
        self._work = work
        self._at_suspension = at_suspension

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[Any], Any] = self._work.send
        given: Any = None
        while True:
            try:
                waits_for = step(given)
            except StopIteration as done:
                return done.value
            self._at_suspension(waits_for)
            try:
                step, given = self._work.send, (yield waits_for)
            except BaseException as error:
                step, given = self._work.throw, error


def _at_suspension(work: Work, n: int, cut: Callable[[Any], None]) -> asyncio.Task[Any]:
    count = 0

    def suspended(waits_for: Any) -> None:
        nonlocal count
        count += 1
        if count == n:
            cut(waits_for)

    async def driven() -> Any:
        return await _Driven(work, suspended)

    return asyncio.ensure_future(driven())


def _cancel(_: object) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def while_it_waits(work: Work, n: int) -> asyncio.Task[Any]:
    """At the n-th suspension, before what is waited for has come."""
    return _at_suspension(work, n, _cancel)


def as_it_wakes(work: Work, n: int) -> asyncio.Task[Any]:
    """At the n-th suspension, in the tick in which what was waited for has come."""

    def cut(waits_for: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        if waits_for is None:  # a bare yield, as of sleep(0)
            task.cancel()
        else:
            waits_for.add_done_callback(lambda _: task.cancel())

    return _at_suspension(work, n, cut)


def at_a_turn(work: Work, n: int) -> asyncio.Task[Any]:
    """At the n-th turn of the loop, wherever the tasks that work for this one are."""
    loop, task, turns = here(), asyncio.ensure_future(work), 0

    def turned() -> None:
        nonlocal turns
        turns += 1
        if turns >= n or task.done():
            loop.on_turn = None
            task.cancel()

    loop.on_turn = turned
    return task


CUTS: dict[str, Cut] = {
    "while it waits": while_it_waits,
    "as it wakes": as_it_wakes,
    "at a turn": at_a_turn,
}
