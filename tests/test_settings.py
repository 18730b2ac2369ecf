"""Value objects: defaults as promised, durations in either form, nonsense refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from harbour_async import ConfigurationError, Network, RateLimit, Retry, Timeout
from harbour_async.settings import as_rate_limit, as_retry, as_timeout


def test_the_defaults_are_those_promised() -> None:
    limit = RateLimit()
    assert (limit.requests, limit.per, limit.burst) == (100, 60.0, 20)
    timeout = Timeout()
    assert (timeout.total, timeout.attempt, timeout.connect) == (60.0, 30.0, 10.0)
    assert Retry().attempts == 5
    assert Retry().max_retry_after == 120.0
    network = Network()
    assert (network.proxy, network.trust_env, network.ssl) == (None, False, None)
    assert (network.insecure_hosts, network.keepalive) == ((), 15.0)


def test_a_timedelta_is_seconds() -> None:
    assert RateLimit(per=timedelta(minutes=1)) == RateLimit(per=60.0)
    assert Timeout(total=timedelta(seconds=5)).total == 5.0
    assert Retry(base_delay=timedelta(milliseconds=100)).base_delay == 0.1


def test_none_switches_off() -> None:
    assert Timeout(total=None, attempt=None, connect=None).total is None
    assert RateLimit.unlimited().requests is None


def test_a_small_limit_has_a_burst_that_fits() -> None:
    assert RateLimit(5, 1).burst == 5


INVALID: list[Any] = [0, -1, float("nan"), float("inf"), "5", True]


@pytest.mark.parametrize("bad", INVALID)
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (RateLimit, "requests"),
        (RateLimit, "per"),
        (RateLimit, "burst"),
        (Retry, "attempts"),
        (Retry, "base_delay"),
        (Retry, "max_delay"),
        (Retry, "max_retry_after"),
        (Network, "keepalive"),
        (Timeout, "total"),
        (Timeout, "attempt"),
        (Timeout, "connect"),
    ],
)
def test_an_invalid_setting_is_refused_by_name(cls: Any, name: str, bad: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        cls(**{name: bad})


@pytest.mark.parametrize("setting", [{"total": 10**400}, {"attempt": 10**400}])
def test_a_duration_that_no_float_can_hold_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        Timeout(**setting)


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Retry().attempts = 3  # type: ignore[misc]


def test_numbers_are_shorthands_for_settings() -> None:
    assert as_timeout(5) == as_timeout(timedelta(seconds=5)) == Timeout(total=5)
    assert as_timeout(None) == Timeout(total=None)
    assert as_retry(3) == Retry(attempts=3)
    assert as_rate_limit(100) == RateLimit(100)


@pytest.mark.parametrize("bad", [True, "5", [], 0, -1, float("nan")])
@pytest.mark.parametrize("shorthand", [as_timeout, as_retry, as_rate_limit])
def test_other_shorthands_are_refused(shorthand: Any, bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        shorthand(bad)


@pytest.mark.parametrize(
    "settings",
    [
        {"proxy": 5},
        {"proxy": " "},
        {"trust_env": "yes"},
        {"ssl": True},
        {"ssl": False},
        {"insecure_hosts": "sandbox"},
        {"insecure_hosts": [1]},
        {"insecure_hosts": None},
    ],
)
def test_a_network_that_cannot_work_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        Network(**settings)


def test_hosts_may_be_given_as_a_list() -> None:
    assert Network(insecure_hosts=["sandbox"]).insecure_hosts == ("sandbox",)
    assert Network(insecure_hosts=iter({"sandbox": 1})).insecure_hosts == ("sandbox",)


def test_a_proxys_password_is_in_no_repr_and_no_error() -> None:
    network = Network(proxy="http://user:hunter2@proxy.example:3128")
    assert "hunter2" not in repr(network)
    with pytest.raises(ConfigurationError) as caught:
        Network(proxy=b"http://user:hunter2@proxy.example")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)
