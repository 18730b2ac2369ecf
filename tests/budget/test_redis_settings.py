"""The arguments of RedisBudget, without a server."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from harbour_async.budget import RedisBudget
from harbour_async.errors import APIConnectionError, ConfigurationError
from harbour_async.settings import RateLimit
from tests.exposed import exposed_text


@pytest.mark.parametrize(
    "url", ["", "localhost", "http://:secret@host/0", "redis://:secret@host:port/0", None]
)
def test_a_bad_url_is_a_configuration_error_that_shows_no_secret(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisBudget.from_url(url)
    assert "secret" not in exposed_text(caught.value)
    assert caught.value.__cause__ is None


def test_a_refused_option_shows_no_secret_of_the_url() -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisBudget.from_url("redis://:secret@localhost", attempt=0)
    assert "secret" not in exposed_text(caught.value)


@pytest.mark.parametrize("sign", "/?#")
def test_a_password_that_is_not_escaped_is_not_taken_for_a_part_of_the_address(sign: str) -> None:
    budget = RedisBudget.from_url(f"redis://user:12{sign}34@localhost")
    assert "34" not in repr(budget)
    assert "12" not in repr(budget)


@pytest.mark.parametrize(
    "options",
    [
        {"key": None},
        {"key": ""},
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


@pytest.mark.parametrize(
    "answer",
    [
        b":one\r\n",
        b"$one\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+OK\r\n",
        b"*-1\r\n",
        b"*2\r\n:1\r\n:0\r\n",
        b"*4\r\n:1\r\n:0\r\n*0\r\n:0\r\n",
    ],
)
async def test_a_server_that_is_not_redis_is_a_redis_that_is_not_available(answer: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with RedisBudget.from_url(f"redis://127.0.0.1:{port}") as budget:
            with pytest.raises(APIConnectionError, match="not available"):
                await budget.acquire()
