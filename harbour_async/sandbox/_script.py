"""Callbacks and faults for coming requests; tests set them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from harbour_async.sandbox import _faults
from harbour_async.sandbox._gate import Callback, Gate
from harbour_async.sandbox._options import Errors

_Callback = TypeVar("_Callback", bound=Callback)


class Script:
    """The part of ``Sandbox`` for callbacks and faults; the gate applies them."""

    _gate: Gate
    errors: Errors

    def on_request(self, callback: _Callback) -> _Callback:
        """Call (and await) ``callback(arrival)`` for every request before it is served."""
        return _added(callback, self._gate.callbacks)

    def on_answer(self, callback: _Callback) -> _Callback:
        """Call (and await) ``callback(arrival)`` for every request, before its answer is sent.

        ``arrival.status`` is known by then.
        """
        return _added(callback, self._gate.answer_callbacks)

    def between_count_and_rows(self, callback: _Callback) -> _Callback:
        """Call (and await) ``callback(arrival)`` within every list, after it was counted.

        The rows are read afterwards, so ``total`` and ``pages`` are of an earlier moment than
        ``items``, as with a server that counts in one statement and reads in the next.
        """
        return _added(callback, self._gate.between_callbacks)

    def fail(
        self,
        status: int = 503,
        *,
        times: int | None = 1,
        method: str | None = None,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> None:
        """Answer coming requests with ``status``, without processing them.

        ::

            sandbox.fail(429, times=2, path="/verifications", headers={"Retry-After": "1"})

        status: from 200 to 599.
        times: how many requests; None for all.
        method: only requests of this method, in any letter case.
        path: only paths below ``/v2`` that match this pattern of ``fnmatch``: ``/verifications/*``.
        headers: sent with the answer.
        body: a str is sent as HTML, bytes as they are, anything else as JSON; None is the guide's
            error envelope.

        Raises ``ValueError`` for an argument that cannot be meant.
        """
        self._add_fault(_faults.fail(status, headers or {}, body, self.errors), times, method, path)

    def drop(
        self,
        times: int | None = 1,
        *,
        when: _faults.When = "before",
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Close the connections of coming requests.

        aiohttp's client resends a GET, PUT or DELETE that was not answered, once and by itself.
        So its caller notices a dropped connection only with ``times=2``.

        ::

            sandbox.drop(when="after", method="POST")  # created, but the answer is lost

        times, method, path: see ``fail``.
        when: "before" the request is processed, "during" its answer, or "after" it was processed
            but before the answer.
        """
        self._add_fault(_faults.drop(when), times, method, path)

    def delay(
        self,
        seconds: float,
        times: int | None = 1,
        *,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Hold coming requests back.

        ::

            sandbox.delay(2.5, times=None, path="/webhooks/*")

        seconds: for how long; 0 or more.
        times, method, path: see ``fail``.
        """
        self._add_fault(_faults.delay(seconds), times, method, path)

    def calm(self) -> None:
        """Forget all callbacks, and the faults that were not used up."""
        self._gate.faults.clear()
        self._gate.callbacks.clear()
        self._gate.between_callbacks.clear()
        self._gate.answer_callbacks.clear()

    def _add_fault(
        self, effect: _faults.Effect, times: int | None, method: str | None, path: str | None
    ) -> None:
        fault = _faults.Fault(effect=effect, times=times, method=method, path=path)
        self._gate.faults.append(fault)


def _added(callback: _Callback, callbacks: list[Callback]) -> _Callback:
    if not callable(callback):
        raise TypeError(f"expected a function of an arrival, not {callback!r}")
    callbacks.append(callback)
    return callback
