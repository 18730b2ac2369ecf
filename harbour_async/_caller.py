"""One API call: retry around budget around transport, under one deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbour_async import _wire
from harbour_async._retry import retried
from harbour_async._transport import Transport
from harbour_async.errors import ConfigurationError, SessionClosedError
from harbour_async.settings import Priority

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harbour_async._wire import Request
    from harbour_async.budget import Budget
    from harbour_async.settings import Retry


class Caller:
    """What the resources send their requests through."""

    def __init__(
        self, *, budget: Budget, retry: Retry, api_key: str, connect: Callable[[], Transport]
    ) -> None:
        self.budget = budget
        self._retry = retry
        self._secret = api_key.encode()
        self._connect = connect
        self._transport: Transport | None = None
        self.closed = False

    def check_open(self) -> None:
        if self.closed:
            raise SessionClosedError("this HarbourSession is closed: make a new one")

    @property
    def opened(self) -> bool:
        return self._transport is not None

    def call(
        self, request: Request, *, priority: Priority, deadline: float | None
    ) -> Awaitable[bytes]:
        """The body of the successful answer.

        ``deadline`` is in the loop's time and covers everything: waiting for the budget, every
        attempt and every pause. Raises the error of the last attempt, or DeadlineExceededError.
        """
        if not isinstance(priority, Priority):
            raise ConfigurationError(f"priority must be a Priority, not {priority!r}")
        # No coroutine of its own: of a thousand calls at once each frame is one more thing that
        # the garbage collector looks at.
        return retried(
            self._attempt, request, priority, deadline, policy=self._retry, pause=self.budget.pause
        )

    async def _attempt(self, request: Request, priority: Priority, deadline: float | None) -> bytes:
        self.check_open()
        if self._transport is None:
            self._transport = self._connect()
        slot = await self.budget.acquire(priority, deadline=deadline)
        if self.closed:  # meanwhile
            slot.unsent()
            self.check_open()
        answer = await self._transport.send(request, slot, deadline)
        if answer.status < 300:
            return answer.body
        raise _wire.error_from(
            status=answer.status,
            method=request.method,
            url=f"/{request.path}",
            headers=answer.headers,
            # A server that echoes the key must not get it into an error, and so into a log.
            body=answer.body.replace(self._secret, b"[api key]"),
        )

    async def aclose(self) -> None:
        self.closed = True
        if self._transport is not None:
            await self._transport.aclose()
