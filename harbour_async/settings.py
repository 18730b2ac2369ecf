"""The value objects a session is configured with. Durations are seconds; a timedelta will do."""

from __future__ import annotations

import enum
import math
from datetime import timedelta
from typing import Any

from attrs import Attribute, Factory, field, frozen

from harbour_async.errors import ConfigurationError

Seconds = float | timedelta


def seconds(value: Seconds | None) -> float | None:
    """A duration as float seconds; None (no limit) stays None."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value


def _positive(instance: object, attribute: Attribute[Any], value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value > 0):  # type: ignore[arg-type,operator]
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be a finite number above zero, "
            f"not {value!r}"
        )


def _positive_or_none(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _positive(instance, attribute, value)


def _positive_int(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be a whole number above zero, "
            f"not {value!r}"
        )


def _positive_int_or_none(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _positive_int(instance, attribute, value)


class Priority(enum.Enum):
    """The lane in which a request waits for the budget."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


def _fitting_burst(requests: object) -> int:
    # Defaults are made before anything is validated.
    return min(20, requests) if isinstance(requests, int) and requests > 0 else 20


@frozen
class RateLimit:
    """At most ``requests`` arrivals in any ``per`` seconds; ``burst`` at once after idling.

    The default is the guide's advice ("Rate limits"): 100 requests per minute. A burst that is
    not given is 20, or the whole limit where that is smaller.
    """

    requests: int | None = field(default=100, validator=_positive_int_or_none)
    per: float = field(default=60.0, converter=seconds, validator=_positive)
    burst: int = field(
        default=Factory(lambda self: _fitting_burst(self.requests), takes_self=True),
        validator=_positive_int,
    )

    def __attrs_post_init__(self) -> None:
        if self.requests is not None and self.burst > self.requests:
            raise ConfigurationError(
                f"RateLimit.burst ({self.burst}) is above RateLimit.requests ({self.requests})"
            )

    @classmethod
    def unlimited(cls) -> RateLimit:
        """No limit at all: for a server of one's own."""
        return cls(requests=None)


@frozen
class Retry:
    """Up to ``attempts`` sends of one request; ``attempts=1`` never sends twice.

    Before attempt n+1 the session waits a random time between 0 and
    ``min(max_delay, base_delay * 2**n)`` seconds, and never less than ``Retry-After``.
    """

    attempts: int = field(default=5, validator=_positive_int)
    base_delay: float = field(default=0.5, converter=seconds, validator=_positive)
    max_delay: float = field(default=20.0, converter=seconds, validator=_positive)


@frozen
class Timeout:
    """Bounds in seconds, None for none.

    ``total`` bounds a single call, waiting for the budget included; ``attempt`` one send and its
    answer; ``connect`` the making of a connection.
    """

    total: float | None = field(default=60.0, converter=seconds, validator=_positive_or_none)
    attempt: float | None = field(default=30.0, converter=seconds, validator=_positive_or_none)
    connect: float | None = field(default=10.0, converter=seconds, validator=_positive_or_none)
