"""The arguments of RedisBudget, without a server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harbour_async.budget import RedisBudget
from harbour_async.errors import ConfigurationError
from harbour_async.settings import RateLimit


@pytest.mark.parametrize(
    "url", ["", "localhost", "http://:secret@host/0", "redis://:secret@host:port/0", None]
)
def test_a_bad_url_is_a_configuration_error_that_shows_no_secret(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisBudget.from_url(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "options",
    [
        {"on_unavailable": "open"},
        {"on_unavailable": "share"},
        {"processes": 4},
        {"on_unavailable": "share", "processes": 0},
        {"on_unavailable": "share", "processes": 101},
        {"attempt": 0},
        {"attempt": None},
        {"limit": RateLimit.unlimited()},
    ],
)
def test_bad_options_are_configuration_errors(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        RedisBudget.from_url("redis://localhost", **options)  # type: ignore[arg-type]


def test_redis_is_imported_only_when_used() -> None:
    code = "import sys, harbour_async.budget; print(sorted({'redis', 'limits'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_without_redis_py_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio.retry", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'harbour-async\[redis\]'"):
        RedisBudget.from_url("redis://localhost")
