"""Random answers: each ends in a record or in a HarbourError."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from harbour_async import (
    APIStatusError,
    HarbourError,
    HarbourSession,
    RateLimitError,
    Retry,
    to_dict,
)
from tests.exposed import exposed_text
from tests.reliability.api import Api, talking
from tests.reliability.quiet_time import QuietLoop
from tests.servers import KEY

CASES = settings(
    max_examples=250,
    # The server keeps no state, and a machine may be busy.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

CAP = 120.0
"""Seconds: ``Retry.max_retry_after``."""

# -- what a server may answer ------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()  # NaN and Infinity are not JSON; json.dumps writes them all the same
    | st.text(max_size=20)
    | st.sampled_from(["1685452157000", "2023-05-30T13:09:17Z", "Accepted", "-1", KEY])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = {"verification_id", "created_at", "updated_at", "status", "is_scan", "result", "other"}
records = st.fixed_dictionaries(
    {}, optional={name: st.just("V-1") | scalars | values for name in sorted(FIELDS)}
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "items": st.lists(records, max_size=5) | values,
        **{name: st.integers(0, 9) | scalars for name in ("total", "page", "size", "pages")},
        "other": values,
    },
)
failures = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("error", "code", "message", "detail", "more_info", "docs", "errors"), scalars | values
    ),
)
bodies = st.one_of(
    *(kind.map(lambda value: json.dumps(value).encode()) for kind in (values, envelopes, failures)),
    st.binary(max_size=200),
    records.map(lambda value: json.dumps(value).encode()[:-3]),
)
moments = st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S")) | st.text()
zones = st.sampled_from(["", " GMT", " -0000", " +0530", " PST", " +9999", " GMT GMT"])
retry_afters = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.tuples(moments, zones).map("".join),
    st.text(max_size=30),
    st.sampled_from(["1e3", "1_000", "٣", "0x10", "9" * 400, "1.", ".5", "+5", "-0", "12 s"]),
)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
tokens = st.text("abcdefghijklmnopqrstuvwxyz-ABCXYZ0123456789_!#$%&'*+.^`|~", min_size=1)
FRAMING = {"content-length", "transfer-encoding", "content-encoding", "connection", "upgrade"}
headers = st.dictionaries(
    tokens.filter(lambda name: name.lower() not in FRAMING)
    | st.sampled_from(["Date", "X-Request-ID", "Content-Type", "Location", "Set-Cookie"]),
    printable | retry_afters.filter(lambda text: text.isprintable() and text.isascii()),
    max_size=6,
)

# -- one server and one session for all cases of a test ----------------------------------------


class FuzzServer:
    """A session against a server that gives one ``answer`` to every request."""

    def __init__(self, harbour: HarbourSession, api: Api, runner: asyncio.Runner) -> None:
        self.harbour = harbour
        self.answer = b""
        self._runner = runner
        api.inject(self._give_answer, "*", 0, 1_000_000_000, unprocessed=True)

    async def _give_answer(self, exchange: Any) -> None:
        await exchange.send(self.answer)

    def ask(self, call: Callable[[HarbourSession], Awaitable[Any]]) -> Any:
        """The result of the call, or the HarbourError that it raises."""

        async def outcome() -> Any:
            try:
                return await call(self.harbour)
            except HarbourError as error:
                return error

        result = self._runner.run(outcome())
        assert not isinstance(result, HarbourError) or KEY not in exposed_text(result)
        return result


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[FuzzServer]:
    options = getattr(request, "param", {"retry": 1})
    stack = AsyncExitStack()

    async def start() -> tuple[HarbourSession, Api]:
        return await stack.enter_async_context(talking(**options))

    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        yield FuzzServer(*runner.run(start()), runner)
        runner.run(stack.aclose())
        loop = runner.get_loop()
        assert isinstance(loop, QuietLoop)
        assert not loop.complaints


def http_answer(status: int, body: bytes, more: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in more.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def get(harbour: HarbourSession) -> Any:
    return await harbour.verifications.get("V-1")


async def page(harbour: HarbourSession) -> Any:
    return await harbour.verifications.page()


async def update(harbour: HarbourSession) -> Any:
    return await harbour.webhooks.update("wb_1", destination_url="https://destination.example")


async def create(harbour: HarbourSession) -> Any:
    return await harbour.webhooks.create("https://destination.example")


async def free(harbour: HarbourSession) -> Any:
    return (await harbour.request("GET", "anything")).json()


@pytest.mark.exhaustive
@pytest.mark.parametrize("call", [get, page, create, update, free])
@CASES
@given(body=bodies, more=headers)
@example(body=b'{"verification_id": "\\ud800"}', more={})
@example(body=b'{"verification_id": "V", "created_at": 1e400}', more={})
@example(body=b'{"items": [{"verification_id": "V", "created_at": "99999-01-01"}]}', more={})
def test_any_success_is_a_record_or_an_error(
    server: FuzzServer,
    tried: Counter[str],
    call: Callable[[HarbourSession], Awaitable[Any]],
    body: bytes,
    more: dict[str, str],
) -> None:
    server.answer = http_answer(200, body, more)
    result = server.ask(call)
    if not isinstance(result, HarbourError) and call is not free:
        assert to_dict(result) is not None
        assert repr(result)
    tried["fuzz cases"] += 1


@pytest.mark.exhaustive
@CASES
@given(status=st.integers(300, 599).filter(lambda status: status != 304), body=bodies, more=headers)
def test_any_other_status_is_its_error(
    server: FuzzServer, tried: Counter[str], status: int, body: bytes, more: dict[str, str]
) -> None:
    server.answer = http_answer(status, body, more)
    for call in (page, create):
        result = server.ask(call)
        assert isinstance(result, APIStatusError), result
        assert result.status == status
        assert result.retry_after is None or 0 <= result.retry_after < float("inf")
        assert len(str(result)) < 1_000
        assert str(result).isprintable()
    tried["fuzz cases"] += 1


@pytest.mark.parametrize(
    "server", [{"retry": Retry(2, 0.1, 1.0, max_retry_after=CAP), "timeout": 10_000}], indirect=True
)
@pytest.mark.parametrize("status", [429, 503])
@settings(CASES, max_examples=100)
@given(after=retry_afters, date=retry_afters)
def test_no_retry_after_is_waited_for_beyond_the_cap(
    server: FuzzServer, tried: Counter[str], status: int, after: str, date: str
) -> None:
    more = {"Retry-After": after, "Date": date}
    more = {name: text for name, text in more.items() if text.isprintable() and text.isascii()}
    server.answer = http_answer(status, b"", more)

    async def timed(harbour: HarbourSession) -> tuple[Any, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await harbour.verifications.page(), 0.0
        except HarbourError as error:
            await asyncio.sleep(2 * CAP)  # the pause of a 429 is over
            return error, loop.time() - began - 2 * CAP

    error, waited = server.ask(timed)
    assert isinstance(error, APIStatusError)
    assert isinstance(error, RateLimitError) == (status == 429)
    assert waited <= CAP + 2
    if error.attempts > 1 and error.retry_after is not None:
        assert waited >= error.retry_after - 0.01
    tried["fuzz cases"] += 1


@pytest.mark.exhaustive
@CASES
@given(pages=st.lists(envelopes, min_size=1, max_size=4), keep=st.booleans())
@example(pages=[{"items": [{"verification_id": KEY, "is_scan": "no"}], "total": 0}], keep=False)
def test_any_listing_is_records_or_an_error(
    server: FuzzServer, tried: Counter[str], pages: list[Any], keep: bool
) -> None:
    """The same few pages again and again, in turn."""
    answers = [http_answer(200, json.dumps(page).encode(), {}) for page in pages]

    async def walked(harbour: HarbourSession) -> list[str]:
        pager = harbour.verifications.list(
            page_size=3, max_items=50, on_invalid="keep" if keep else "raise"
        )
        return [repr(record) async for record in turning(pager, server, answers)]

    result = server.ask(walked)
    if isinstance(result, list):
        assert len(result) <= 50
    tried["fuzz cases"] += 1


async def turning(records: Any, server: FuzzServer, answers: list[bytes]) -> AsyncIterator[Any]:
    server.answer = answers[0]
    turn = 0
    async for record in records:
        turn += 1
        server.answer = answers[turn % len(answers)]
        yield record
