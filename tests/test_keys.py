"""The API key is fixed or comes from a callable, and is never shown, pickled or logged."""

from __future__ import annotations

import copy
import html
import json
import logging
import pickle
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from harbour_async import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    DecodeError,
    HarbourError,
    HarbourSession,
    RateLimit,
    Retry,
    Timeout,
)
from harbour_async._keys import Keys, Secret
from tests.exposed import exposed_text
from tests.servers import KEY, ReceivedRequest, answer, raw_server

RECORD = b'{"verification_id": "VERIFICATION-1"}'
FAST = Retry(attempts=3, base_delay=0.001, max_delay=0.002)


def session(key: Any, url: str, **settings: Any) -> HarbourSession:
    return HarbourSession(key, base_url=url, retry=FAST, timeout=Timeout(10, 1, 1), **settings)


class Rotating:
    """Gives a new key each time it is called."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self) -> str:
        self.given.append(f"rotated-key-{len(self.given)}")
        return self.given[-1]

    async def later(self) -> str:
        return self()


@pytest.mark.parametrize("source", [lambda keys: keys, lambda keys: keys.later])
async def test_a_callable_is_asked_before_each_attempt(
    source: Callable[[Rotating], Callable[[], Any]],
) -> None:
    async def fail_twice(_: ReceivedRequest) -> bytes:
        return answer(200, RECORD) if len(server.received) == 3 else answer(503)

    keys = Rotating()
    async with raw_server(fail_twice) as server, session(source(keys), server.url) as harbour:
        await harbour.verifications.get("VERIFICATION-1")
    assert [request.headers["x-api-key"] for request in server.received] == keys.given
    assert len(keys.given) == 3


class VaultError(Exception):
    pass


@pytest.mark.parametrize(
    "error", [VaultError("sealed"), APIConnectionError("vault", sent=False), TimeoutError("vault")]
)
async def test_what_the_callable_raises_passes_through_and_is_not_retried(
    error: Exception,
) -> None:
    asked = []

    async def source() -> str:
        asked.append(1)
        raise error

    async with session(source, "http://127.0.0.1:9/v2") as harbour:
        with pytest.raises(type(error)) as caught:
            await harbour.verifications.get("VERIFICATION-1")
        assert harbour.budget.snapshot().used == 0
    assert caught.value is error
    assert len(asked) == 1


async def test_a_source_that_ends_is_not_taken_for_the_end_of_a_listing() -> None:
    async def keys() -> AsyncIterator[str]:
        yield "key"

    source = keys()
    await anext(source)
    async with session(lambda: anext(source), "http://127.0.0.1:9/v2") as harbour:
        with pytest.raises(RuntimeError, match="the source of the API key raised"):
            await harbour.verifications.list().to_list()


@pytest.mark.parametrize("key", ["", " ", "hush\nkey", "schlüssel-hush", 5, None, b"hush"])
async def test_an_unusable_key_from_a_callable_is_an_error_that_does_not_show_it(key: Any) -> None:
    async with session(lambda: key, "http://127.0.0.1:9/v2") as harbour:
        with pytest.raises(ConfigurationError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert "hush" not in exposed_text(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "hush\nb", "hush\rb", "\x00", "hushlüssel", 5])
def test_an_unusable_key_is_refused_and_never_shown(key: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        HarbourSession(key)
    assert "hush" not in exposed_text(caught.value)


def test_the_key_falls_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_API_KEY", "from-env")
    for given, expected in ((None, "from-env"), ("given", "given")):
        fixed = Keys(given).fixed
        assert fixed is not None
        assert fixed.reveal() == expected


def test_a_missing_key_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARBOUR_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="HARBOUR_API_KEY"):
        HarbourSession()


def test_a_setting_that_is_refused_does_not_show_the_key() -> None:
    for settings in ({"base_url": "ftp://x"}, {"timeout": -1}, {"max_connections": 0}):
        with pytest.raises(ConfigurationError) as caught:
            HarbourSession(KEY, **settings)
        assert KEY not in exposed_text(caught.value)


ODD_KEY = 'a/b+c&d"e\\f<g>'


def _escaped(key: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in key)


ECHOES: list[Callable[[str], bytes]] = [
    lambda key: json.dumps({"message": f"bad key {key}", "detail": [{"input": key}]}).encode(),
    lambda key: json.dumps({key: key, "errors": [key]}).encode(),
    lambda key: json.dumps({"message": key}).replace("/", "\\/").encode(),
    lambda key: json.dumps({"message": "@"}).replace("@", _escaped(key)).encode(),
    lambda key: "".join(f"%{ord(c):02X}" for c in key).encode(),
    lambda key: "".join(f"&#x{ord(c):x};" for c in key).encode(),
    lambda key: key.encode(),
]


@pytest.mark.parametrize("key", [KEY, ODD_KEY])
@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [200, 401])
async def test_a_server_that_echoes_the_key_does_not_get_it_into_an_error(
    key: str, echo: Callable[[str], bytes], status: int
) -> None:
    body = echo(key)

    async def echoing(_: ReceivedRequest) -> bytes:
        return answer(status, body, X_Request_ID=key, X_Echo=key, Content_Type=f"application/{KEY}")

    async with raw_server(echoing) as server, session(key, server.url) as harbour:
        with pytest.raises(APIStatusError if status == 401 else DecodeError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    text = exposed_text(caught.value)
    for spelling in (key, repr(key)[1:-1], json.dumps(key)[1:-1], body.decode()):
        assert spelling not in text


@pytest.mark.parametrize("given", [f"{KEY} ", f"  {KEY}", lambda: f" {KEY} "])
async def test_a_key_with_spaces_around_it_is_kept_out_of_errors(given: Any) -> None:
    async def echo(request: ReceivedRequest) -> bytes:
        sent = request.headers["x-api-key"].strip(" ")
        return answer(401, json.dumps({"message": f"no such key: {sent}"}).encode())

    async with raw_server(echo) as server, session(given, server.url) as harbour:
        with pytest.raises(APIStatusError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert caught.value.message == "no such key: [api key]"
    assert KEY not in exposed_text(caught.value)


async def test_every_key_a_callable_ever_gave_is_kept_out_of_errors() -> None:
    async def echoing(request: ReceivedRequest) -> bytes:
        seen.append(request.headers["x-api-key"])
        return answer(401, " ".join(seen).encode())

    seen: list[str] = []
    keys = Rotating()
    async with raw_server(echoing) as server, session(keys, server.url) as harbour:
        for _ in range(3):
            with pytest.raises(APIStatusError) as caught:
                await harbour.verifications.get("VERIFICATION-1")
    assert len(keys.given) == 3
    for key in keys.given:
        assert key not in exposed_text(caught.value)


def test_a_thousand_long_keys_in_turn_cost_neither_time_nor_memory() -> None:
    keys = Keys(lambda: "unused")
    given = [f"{n:0>4}" * 250 for n in range(1000)]
    tracemalloc.start()
    for key in given:
        keys._accept(Secret(key))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 1_000_000
    assert keys.redact(f"{given[0]}, {_escaped(given[999])}") == "[api key], [api key]"


@pytest.mark.parametrize(
    "text",
    ["100%key-4-abc\\/def", "%4key-4-abc/def", "\\u00key-4-abc\\u002fdef", "\\\\key-4-abc&#47;def"],
)
def test_a_key_behind_something_like_an_escape_is_redacted(text: str) -> None:
    keys = Keys("key-4-abc/def")
    keys.check()
    assert keys.redact(text).endswith("[api key]")


def test_a_key_that_reads_like_an_escape_is_redacted() -> None:
    keys = Keys("%41-key\\u0041&#65;")
    keys.check()
    assert keys.redact("<%41-key\\u0041&#65;>") == "<[api key]>"


@pytest.mark.parametrize("key", ["one<two>three", 'one"two', "one&two", "one'two"])
async def test_a_key_in_a_page_of_html_is_redacted(key: str) -> None:
    for given in (key, lambda: key):
        keys = Keys(given)
        keys.check()
        await keys.ask()
        for escaped in (html.escape(key), key.replace("'", "&apos;")):
            assert keys.redact(f"<p>{escaped}</p>") == "<p>[api key]</p>"


BREAKING = [
    b"nonsense %s\r\n\r\n",
    b"HTTP/1.1 200 OK %s\r\nContent-Length: 100\r\n\r\n%s",
    b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n%s",
    b"HTTP/1.1 200 OK\r\nBad Header %s\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n%s\x00: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n%s",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%s",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 15\r\n\r\n%s",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 15\r\n\r\n%s",
    b"HTTP/1.1 200 OK\r\nX: %s" + b"x" * 100_000,
    b"HTTP/1.1 999999 %s\r\n\r\n",
    b"%s",
]


@pytest.mark.parametrize("data", BREAKING)
async def test_no_byte_of_a_broken_answer_gets_into_an_error(data: bytes) -> None:
    answer_bytes = data.replace(b"%s", f"Jane-{KEY}".encode())

    async def breaking(_: ReceivedRequest) -> bytes | None:
        if len(server.received) > 1:
            return None
        return answer_bytes

    async with (
        raw_server(breaking) as server,
        HarbourSession(KEY, base_url=server.url, retry=1, timeout=Timeout(5, 0.3)) as harbour,
    ):
        with pytest.raises(HarbourError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert isinstance(caught.value, APIConnectionError)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    text = exposed_text(caught.value)
    assert "Jane" not in text
    assert KEY not in text


async def test_a_socket_error_is_kept_as_the_cause_without_the_frames_below() -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        return b""

    async with raw_server(handler) as server:
        gone = server.url
    async with session(KEY, gone) as harbour:
        with pytest.raises(APIConnectionError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert type(caught.value.__cause__) is ConnectionRefusedError
    assert caught.value.__cause__.__traceback__ is None
    assert gone.split("/")[2] in str(caught.value)
    assert KEY not in exposed_text(caught.value)


Use = Callable[[HarbourSession], Awaitable[object]]


async def test_a_cancelled_call_does_not_show_the_key_in_its_frames() -> None:
    import asyncio

    async def silence(_: ReceivedRequest) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with raw_server(silence) as server, session(KEY, server.url) as harbour:
        task = asyncio.ensure_future(harbour.verifications.get("VERIFICATION-1"))
        while not server.received:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert KEY not in exposed_text(caught.value)


async def test_the_key_is_in_nothing_public_and_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def fail_once(_: ReceivedRequest) -> bytes | None:
        return answer(200, RECORD) if len(server.received) > 1 else None

    with caplog.at_level(logging.DEBUG):
        async with raw_server(fail_once) as server, session(KEY, server.url) as harbour:
            await harbour.verifications.get("VERIFICATION-1")
            view = harbour.with_options(timeout=5)
            for thing in (harbour, view, harbour.verifications, harbour.webhooks, harbour.budget):
                assert KEY not in repr(thing)
                assert KEY not in repr(vars(thing))
            caller = harbour._caller
            assert KEY not in repr(caller)
            for copied in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="pickled or copied"):
                    copied(caller.keys.fixed)
    assert KEY not in "".join(record.getMessage() + repr(vars(record)) for record in caplog.records)
    assert harbour.budget.limit == RateLimit()
