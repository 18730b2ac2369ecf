"""Check arguments of changes, and bring them into the form in which a walk takes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from harbour_async.errors import ConfigurationError
from harbour_async.settings import Seconds, is_aware, is_duration, seconds


def since_micros(since: datetime) -> int:
    """Microseconds since 1970 UTC."""
    if not is_aware(since):
        raise ConfigurationError(f"since must be a datetime with a time zone, not {since!r}")
    return (since - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def interval_seconds(interval: Seconds) -> float:
    """A finite duration above zero."""
    value = seconds(interval)
    if not is_duration(value):
        raise ConfigurationError(f"interval must be above zero seconds, not {interval!r}")
    return value


def lookback_micros(lookback: timedelta) -> int:
    """Microseconds."""
    if not isinstance(lookback, timedelta) or lookback < timedelta(0):
        raise ConfigurationError(f"lookback must be a timedelta of zero or more, not {lookback!r}")
    return lookback // timedelta(microseconds=1)
