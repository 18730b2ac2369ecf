"""An event loop over real sockets whose clock jumps to the next timer once all sockets are quiet.

Client and server share the loop and the machine, so what one side writes is at once readable on
the other. Time passes only while neither has anything to do: deadlines of minutes take
milliseconds, and a busy machine does not make anything late.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from tests.virtual_time import EAGER

P = ParamSpec("P")
T = TypeVar("T")

TURN = 1e-7
"""Seconds that a turn of the loop takes."""

QUIET = 0.0015
"""Real seconds without an event after which the sockets count as quiet."""

IDLE_TIMEOUT = 20.0
"""Real seconds to wait for a socket or a thread when no timer is set."""


class QuietLoop(asyncio.SelectorEventLoop):
    """Keeps exceptions that were never retrieved in ``complaints``; calls ``on_turn`` each turn."""

    def __init__(self, *, eager: bool = False) -> None:
        self._now = 0.0
        super().__init__(_QuietSelector(self))
        self.on_turn: Callable[[], None] | None = None
        self.complaints: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.complaints.append(context))
        if eager:
            self.set_task_factory(EAGER)

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += seconds
        if self.on_turn is not None:
            self.on_turn()


class _QuietSelector(selectors.DefaultSelector):
    def __init__(self, loop: QuietLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            ready = super().select(IDLE_TIMEOUT)
            if not ready:
                raise RuntimeError("deadlock: no timer is set, and nothing came from outside")
        else:
            ready = super().select(0) or (super().select(QUIET) if timeout > 0 else [])
        self._loop.pass_time(TURN + (0.0 if ready else timeout or 0.0))
        return ready


def run(main: Callable[[], Coroutine[Any, Any, T]], *, eager: bool = False) -> T:
    """Run ``main()``; an exception that was never retrieved fails the test."""
    loop = QuietLoop(eager=eager)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(main())
        gc.collect(1)
        runner.run(asyncio.sleep(0))
    assert not loop.complaints, loop.complaints
    return result


def here() -> QuietLoop:
    """The running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, QuietLoop)
    return loop


def quiet_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """A test that runs in such a loop."""

    @functools.wraps(test)
    def in_quiet_time(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(lambda: test(*args, **kwargs))

    return in_quiet_time
