"""The value objects a session is configured with. Durations are seconds or a timedelta."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from ssl import SSLContext
from typing import Any, Final, TypeGuard, TypeVar

from attrs import Attribute, field, frozen

from harbour_async.errors import ConfigurationError

Seconds = float | timedelta


class Inherit:
    """The type of INHERIT."""

    def __repr__(self) -> str:
        return "INHERIT"


INHERIT: Final = Inherit()
"""Stands for the session's setting where None already means "no limit"."""


def seconds(value: Seconds | None) -> float | None:
    """A duration as float seconds; None (no limit) stays None."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value


def is_aware(value: object) -> TypeGuard[datetime]:
    """Whether ``value`` is a datetime with a time zone that says how far it is from UTC."""
    return (
        isinstance(value, datetime) and value.tzinfo is not None and value.utcoffset() is not None
    )


def is_duration(value: object) -> TypeGuard[float]:
    """Whether ``value`` is a number above zero, finite also as a float."""
    return _is_number(value) and 0 < value <= sys.float_info.max


def _positive(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not is_duration(value):
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


class Priority(enum.StrEnum):
    """The lane in which a request waits for the budget.

    Calls of the lane INTERACTIVE (the default of single calls) go before those of the lane BULK
    (the default of listings). While both wait, one turn in five is BULK's.
    """

    INTERACTIVE = "interactive"
    BULK = "bulk"


def _default_burst(requests: object) -> int:
    # It is computed before the arguments are validated.
    return min(20, requests) if isinstance(requests, int) and requests > 0 else 20


# The constructors are written out, because pyright gives an argument the type of its field, and a
# converter accepts more than that.


@frozen(init=False)
class RateLimit:
    """How many requests may reach the API, and in what time.

    ::

        RateLimit(500, per=timedelta(minutes=1), burst=50)

    requests: the most arrivals in any ``per`` seconds; None for no limit.
    per: seconds or a timedelta.
    burst: how many may be sent at once after idling; by default 20, or ``requests`` where that is
        smaller.

    Raises ConfigurationError for values that cannot work. Guide: "Rate limits" (100 per minute).
    """

    requests: int | None = field(validator=_positive_int_or_none)
    per: float = field(converter=seconds, validator=_positive)
    burst: int = field(validator=_positive_int)

    def __init__(
        self, requests: int | None = 100, per: Seconds = 60.0, burst: int | None = None
    ) -> None:
        chosen = _default_burst(requests) if burst is None else burst
        self.__attrs_init__(requests, per, chosen)

    def __attrs_post_init__(self) -> None:
        if self.requests is not None and self.burst > self.requests:
            raise ConfigurationError(
                f"RateLimit.burst ({self.burst}) is above RateLimit.requests ({self.requests})"
            )

    @classmethod
    def unlimited(cls) -> RateLimit:
        """No limit, for a server of your own."""
        return cls(requests=None)


@frozen(init=False)
class Retry:
    """How often a request is sent, and how long to wait in between.

    Before attempt n+1 the session waits a random time between 0 and
    ``min(max_delay, base_delay * 2**(n-1))`` seconds, and never less than ``Retry-After``. After a
    429 without one it waits all of that time.

    ::

        Retry(attempts=3, max_delay=timedelta(seconds=5))

    attempts: the most sends of one request, the first included; 1 never sends twice.
    base_delay: seconds or a timedelta; the first wait is at most this, the next at most twice this,
        and so on.
    max_delay: seconds or a timedelta; the most for any of these waits.
    max_retry_after: seconds or a timedelta. A longer ``Retry-After`` is not waited for: the call
        fails at once.

    Raises ConfigurationError for values that cannot work. Guide: "Rate limits", "Errors".
    """

    attempts: int = field(validator=_positive_int)
    base_delay: float = field(converter=seconds, validator=_positive)
    max_delay: float = field(converter=seconds, validator=_positive)
    max_retry_after: float = field(converter=seconds, validator=_positive)

    def __init__(
        self,
        attempts: int = 5,
        base_delay: Seconds = 0.5,
        max_delay: Seconds = 20.0,
        max_retry_after: Seconds = 120.0,
    ) -> None:
        self.__attrs_init__(attempts, base_delay, max_delay, max_retry_after)


@frozen(init=False)
class Timeout:
    """How long a call may take. Seconds or timedeltas; None for no bound.

    ::

        Timeout(total=20, attempt=5)

    total: a single call, with the wait for the budget, every attempt and every pause. A listing has
        no total unless it is given a ``timeout``.
    attempt: one send and its answer.
    connect: making a connection, TLS included, which is a part of the attempt. Only the attempt
        bounds the look-up of the name, and a proxy's answer to CONNECT.

    Raises ConfigurationError for values that cannot work.
    """

    total: float | None = field(converter=seconds, validator=_positive_or_none)
    attempt: float | None = field(converter=seconds, validator=_positive_or_none)
    connect: float | None = field(converter=seconds, validator=_positive_or_none)

    def __init__(
        self,
        total: Seconds | None = 60.0,
        attempt: Seconds | None = 30.0,
        connect: Seconds | None = 10.0,
    ) -> None:
        self.__attrs_init__(total, attempt, connect)


def _hide_proxy(proxy: object) -> str:
    # A proxy's URL may hold a password.
    return "None" if proxy is None else "<a proxy>"


def _names(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not (isinstance(value, tuple) and all(isinstance(name, str) and name for name in value)):
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be a tuple of host names, "
            f"not {value!r}"
        )


def _text_or_none(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        # Not shown: it may hold a password.
        raise ConfigurationError(f"{type(instance).__name__}.{attribute.name} must be a URL")


def _flag(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be True or False, not {value!r}"
        )


def _context_or_none(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, SSLContext):
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be an ssl.SSLContext, not {value!r}"
        )


def _as_tuple(value: Any) -> Any:
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    return tuple(value) if several else value


@frozen(init=False)
class Network:
    """How the API is reached.

    ::

        Network(proxy="http://user:password@proxy.example:3128", ssl=ssl.create_default_context())

    proxy: URL of an HTTP proxy, credentials included; they are in no ``repr`` and no error.
    trust_env: take the proxy from the environment, as ``urllib.request.getproxies`` reads it (and
    ``no_proxy``). It is looked up once, when the session is made. ``.netrc`` is never read.
    ssl: an ``ssl.SSLContext`` with your own CA or client certificate. One that does not verify
    certificates and host names is refused, except for loopback hosts.
    insecure_hosts: names of hosts, beside loopback ones, that may be spoken to without TLS.
    keepalive: seconds for which an idle connection is kept.

    Raises ConfigurationError for values that cannot work. Guide: "Know the basics".
    """

    proxy: str | None = field(validator=_text_or_none, repr=_hide_proxy)
    trust_env: bool = field(validator=_flag)
    ssl: SSLContext | None = field(validator=_context_or_none)
    insecure_hosts: tuple[str, ...] = field(converter=_as_tuple, validator=_names)
    keepalive: float = field(converter=seconds, validator=_positive)

    def __init__(
        self,
        proxy: str | None = None,
        trust_env: bool = False,
        ssl: SSLContext | None = None,
        insecure_hosts: Iterable[str] = (),
        keepalive: Seconds = 15.0,
    ) -> None:
        self.__attrs_init__(proxy, trust_env, ssl, insecure_hosts, keepalive)


S = TypeVar("S", RateLimit, Retry, Timeout)


def as_timeout(value: Timeout | Seconds | None) -> Timeout:
    """``timeout=5`` is ``Timeout(total=5)``, and None is a call without a bound."""
    if value is None or isinstance(value, timedelta) or _is_number(value):
        return Timeout(total=value)
    return _instance("timeout", value, Timeout)


def as_retry(value: Retry | int) -> Retry:
    """``retry=3`` is ``Retry(attempts=3)``."""
    return Retry(attempts=value) if _is_number(value) else _instance("retry", value, Retry)  # type: ignore[arg-type]


def as_rate_limit(value: RateLimit | int) -> RateLimit:
    """``rate_limit=100`` is ``RateLimit(100)``."""
    if _is_number(value):
        return RateLimit(value)  # type: ignore[arg-type]
    return _instance("rate_limit", value, RateLimit)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _instance(name: str, value: object, cls: type[S]) -> S:
    if not isinstance(value, cls):
        raise ConfigurationError(f"{name} must be a {cls.__name__} or a number, not {value!r}")
    return value
