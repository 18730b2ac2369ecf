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
from tests.reliability.api import Api, talking
from tests.reliability.quiet_time import QuietLoop
from tests.servers import KEY
from tests.shown import shown

CASES = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the server keeps no state
)

CAP = 120.0
"""Seconds: ``Retry.max_retry_after``."""

# -- what a server may say ---------------------------------------------------------------------

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


class Asked:
    """A session against a server that says ``answer`` to everything."""

    def __init__(self, harbour: HarbourSession, api: Api, runner: asyncio.Runner) -> None:
        self.harbour = harbour
        self.answer = b""
        self._runner = runner
        api.meet(self._say, "*", 0, 1_000_000_000, unheard=True)

    async def _say(self, exchange: Any) -> None:
        await exchange.say(self.answer)

    def ask(self, call: Callable[[HarbourSession], Awaitable[Any]]) -> Any:
        """The result of the call, or the HarbourError that it raises."""

        async def asked() -> Any:
            try:
                return await call(self.harbour)
            except HarbourError as error:
                return error

        got = self._runner.run(asked())
        assert not isinstance(got, HarbourError) or KEY not in shown(got)
        return got


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    options = getattr(request, "param", {"retry": 1})
    stack = AsyncExitStack()

    async def start() -> tuple[HarbourSession, Api]:
        return await stack.enter_async_context(talking(**options))

    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        yield Asked(*runner.run(start()), runner)
        runner.run(stack.aclose())
        loop = runner.get_loop()
        assert isinstance(loop, QuietLoop)
        assert not loop.complaints


def said(status: int, body: bytes, more: dict[str, str]) -> bytes:
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
    asked: Asked,
    tried: Counter[str],
    call: Callable[[HarbourSession], Awaitable[Any]],
    body: bytes,
    more: dict[str, str],
) -> None:
    asked.answer = said(200, body, more)
    got = asked.ask(call)
    if not isinstance(got, HarbourError) and call is not free:
        assert to_dict(got) is not None
        assert repr(got)
    tried["fuzz cases"] += 1


@pytest.mark.exhaustive
@CASES
@given(status=st.integers(300, 599).filter(lambda status: status != 304), body=bodies, more=headers)
def test_any_other_status_is_its_error(
    asked: Asked, tried: Counter[str], status: int, body: bytes, more: dict[str, str]
) -> None:
    asked.answer = said(status, body, more)
    for call in (page, create):
        got = asked.ask(call)
        assert isinstance(got, APIStatusError), got
        assert got.status == status
        assert got.retry_after is None or 0 <= got.retry_after < float("inf")
        assert len(str(got)) < 1_000
        assert str(got).isprintable()
    tried["fuzz cases"] += 1


@pytest.mark.parametrize(
    "asked", [{"retry": Retry(2, 0.1, 1.0, max_retry_after=CAP), "timeout": 10_000}], indirect=True
)
@pytest.mark.parametrize("status", [429, 503])
@settings(CASES, max_examples=100)
@given(after=retry_afters, date=retry_afters)
def test_no_retry_after_is_waited_for_beyond_the_cap(
    asked: Asked, tried: Counter[str], status: int, after: str, date: str
) -> None:
    more = {"Retry-After": after, "Date": date}
    more = {name: text for name, text in more.items() if text.isprintable() and text.isascii()}
    asked.answer = said(status, b"", more)

    async def timed(harbour: HarbourSession) -> tuple[Any, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await harbour.verifications.page(), 0.0
        except HarbourError as error:
            await asyncio.sleep(2 * CAP)  # the pause of a 429 is over
            return error, loop.time() - began - 2 * CAP

    error, waited = asked.ask(timed)
    assert isinstance(error, APIStatusError)
    assert isinstance(error, RateLimitError) == (status == 429)
    assert waited <= CAP + 2
    if error.attempts > 1 and error.retry_after is not None:
        assert waited >= error.retry_after - 0.01
    tried["fuzz cases"] += 1


@pytest.mark.exhaustive
@CASES
@given(pages=st.lists(envelopes, min_size=1, max_size=4), keep=st.booleans())
def test_any_listing_is_records_or_an_error(
    asked: Asked, tried: Counter[str], pages: list[Any], keep: bool
) -> None:
    """The same few pages in turn, for ever."""
    answers = [said(200, json.dumps(page).encode(), {}) for page in pages]

    async def walked(harbour: HarbourSession) -> list[str]:
        pager = harbour.verifications.list(
            page_size=3, max_items=50, on_invalid="keep" if keep else "raise"
        )
        return [repr(record) async for record in turning(pager, asked, answers)]

    got = asked.ask(walked)
    if isinstance(got, list):
        assert len(got) <= 50
    tried["fuzz cases"] += 1


async def turning(records: Any, asked: Asked, answers: list[bytes]) -> AsyncIterator[Any]:
    asked.answer = answers[0]
    turn = 0
    async for record in records:
        turn += 1
        asked.answer = answers[turn % len(answers)]
        yield record
