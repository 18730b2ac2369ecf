"""The log of arrivals, and the rate limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Arrival:
    """One request as the sandbox received it, whether or not it was served.

    ``Sandbox.arrivals`` lists them, and callbacks get them::

        assert [arrival.path for arrival in sandbox.arrivals] == ["/verifications"]
    """

    time: float
    """When it came: ``time.monotonic()``, in seconds."""
    method: str
    """``GET``, in capitals."""
    path: str
    """Below ``/v2``, as sent, still escaped: ``/webhooks/wb_1/events``."""
    query: Mapping[str, str]
    """The parameters, unescaped."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in any letter case."""
    status: int | None = None
    """Of the answer; None until there is one, and for a dropped connection."""


def max_in_window(arrivals: list[Arrival], seconds: float) -> int:
    """The most arrivals within any ``seconds``, the end of the window not included."""
    window: deque[float] = deque()
    most = 0
    for time in sorted(arrival.time for arrival in arrivals):
        while window and window[0] <= time - seconds:
            window.popleft()
        window.append(time)
        most = max(most, len(window))
    return most


class RollingWindow:
    """The rate limit: admits ``limit`` requests in any window. Rejected ones do not count."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()

    def wait(self, now: float, limit: int | None, per: float) -> float | None:
        """None if admitted, else the seconds until there is room."""
        while self._admitted and self._admitted[0] <= now - per:
            self._admitted.popleft()
        if limit is not None and len(self._admitted) >= limit:
            # If the limit was lowered meanwhile, several have to leave the window first.
            return self._admitted[-limit] + per - now
        self._admitted.append(now)
        return None
