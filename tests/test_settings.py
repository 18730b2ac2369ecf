"""Value objects: defaults as promised, durations in either form, nonsense refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from harbour_async import ConfigurationError, RateLimit, Retry, Timeout


def test_the_defaults_are_those_promised() -> None:
    limit = RateLimit()
    assert (limit.requests, limit.per, limit.burst) == (100, 60.0, 20)
    timeout = Timeout()
    assert (timeout.total, timeout.attempt, timeout.connect) == (60.0, 30.0, 10.0)
    assert Retry().attempts == 5


def test_a_timedelta_is_seconds() -> None:
    assert RateLimit(per=timedelta(minutes=1)) == RateLimit(per=60.0)
    assert Timeout(total=timedelta(seconds=5)).total == 5.0
    assert Retry(base_delay=timedelta(milliseconds=100)).base_delay == 0.1


def test_none_switches_off() -> None:
    assert Timeout(total=None, attempt=None, connect=None).total is None
    assert RateLimit.unlimited().requests is None


def test_a_small_limit_has_a_burst_that_fits() -> None:
    assert RateLimit(5, 1).burst == 5


NONSENSE: list[Any] = [0, -1, float("nan"), float("inf"), "5", True]


@pytest.mark.parametrize("bad", NONSENSE)
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (RateLimit, "requests"),
        (RateLimit, "per"),
        (RateLimit, "burst"),
        (Retry, "attempts"),
        (Retry, "base_delay"),
        (Retry, "max_delay"),
        (Timeout, "total"),
        (Timeout, "attempt"),
        (Timeout, "connect"),
    ],
)
def test_nonsense_is_refused_by_name(cls: Any, name: str, bad: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        cls(**{name: bad})


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Retry().attempts = 3  # type: ignore[misc]
