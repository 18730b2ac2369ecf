"""An event loop whose clock jumps to the next timer instead of sleeping.

``run(main)`` runs an async function in it, ``@virtual_time`` makes a test of one: an hour takes
milliseconds, and nothing depends on the machine's speed.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TURN = 1e-7
"""Seconds that a turn of the loop takes. With a clock that stands still, code that waits for
another 1e-16 s, as aiolimiter does, would wait for ever."""

EAGER: Any = getattr(asyncio, "eager_task_factory", None)
"""Python 3.12 and later have it."""

FACTORIES = {"lazy": False} if EAGER is None else {"lazy": False, "eager": True}
"""Values of ``eager=``, for tests of code that makes tasks."""

IDLE_TIMEOUT = 5.0
"""Real seconds to wait for threads and sockets once no timer is left."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self, *, eager: bool = False) -> None:
        self._virtual_now = 0.0
        super().__init__(_JumpingSelector(self))
        self.turns = 0
        """How often the loop went round: a measure of cost that does not depend on the machine."""
        if eager:
            self.set_task_factory(EAGER)

    def time(self) -> float:
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        self._virtual_now += seconds
        self.turns += 1


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else IDLE_TIMEOUT)
        if not ready and timeout is None:
            raise RuntimeError("deadlock: no timer is set, and nothing came from outside")
        self._loop.advance(TURN + (0.0 if ready else timeout or 0.0))
        return ready


def run(main: Callable[[], Coroutine[Any, Any, T]], *, eager: bool = False) -> T:
    """Run ``main()`` in virtual time, beginning at 0; with ``eager`` tasks begin at once."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(eager=eager)) as runner:
        return runner.run(main())


def virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """A test (or anything else) that runs in virtual time."""

    @functools.wraps(test)
    def in_virtual_time(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(lambda: test(*args, **kwargs))

    return in_virtual_time


async def settle(turns: int = 5) -> None:
    """Let everything that can run now run."""
    for _ in range(turns):
        await asyncio.sleep(0)
