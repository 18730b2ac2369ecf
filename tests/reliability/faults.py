"""Everything that can go wrong with one answer, and the outcomes of calls that meet it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from harbour_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DeadlineExceededError,
    DecodeError,
    HarbourError,
    IncompleteListingError,
    InternalServerError,
    RateLimitError,
)
from tests.reliability.api import PERSON, Effect, Exchange, http
from tests.servers import KEY

CANARY = PERSON.encode()
HTML = b"<html><body>" + CANARY + b"</body></html>"

Outcome = tuple[type[HarbourError], ...]
"""The errors of which one is raised; empty if the right answer is returned."""

RIGHT: Outcome = ()
LOST: Outcome = (APIConnectionError,)
TIMEOUT: Outcome = (APITimeoutError, DeadlineExceededError)
UNREADABLE: Outcome = (DecodeError,)


@frozen
class Fault:
    """``read`` is the outcome of a GET if the fault comes once, ``forever`` if it stays.

    ``write`` is that of a POST, which is never sent twice, and ``receipt`` that of a PUT or
    DELETE that meets the fault once.
    """

    name: str
    effect: Effect
    read: Outcome
    forever: Outcome
    write: Outcome
    receipt: Outcome = RIGHT
    unprocessed: bool = False
    """Whether the API did not carry the request out."""

    @property
    def is_temporary(self) -> bool:
        """Whether sending the request again helps, if the fault comes once."""
        return self.forever != self.read


def transient(
    name: str, effect: Effect, outcome: Outcome = LOST, unprocessed: bool = False
) -> Fault:
    """A lost answer: a GET, a PUT or a DELETE is sent again, a POST is not."""
    return Fault(name, effect, RIGHT, outcome, outcome, RIGHT, unprocessed)


def harmless(name: str, effect: Effect) -> Fault:
    return Fault(name, effect, RIGHT, RIGHT, RIGHT, RIGHT)


def definite(
    name: str, effect: Effect, outcome: Outcome = UNREADABLE, receipt: Outcome | None = None
) -> Fault:
    """An answer that came, so nothing is sent again."""
    return Fault(name, effect, outcome, outcome, outcome, outcome if receipt is None else receipt)


def answers(status: int, body: bytes, **headers: str) -> Effect:
    async def effect(exchange: Exchange) -> None:
        await exchange.send(http(status, body, **headers))

    return effect


def raw(data: bytes) -> Effect:
    """Bytes that are not an HTTP answer, and the end of the connection."""

    async def effect(exchange: Exchange) -> None:
        await exchange.send(data)
        exchange.hang_up()

    return effect


def replaced(**fields: Any) -> Effect:
    """The right answer with some fields replaced."""

    async def effect(exchange: Exchange) -> None:
        await exchange.send(http(200, exchange.marked(**fields)))

    return effect


# -- connections -------------------------------------------------------------------------------


async def reset_before(exchange: Exchange) -> None:
    exchange.reset()


async def hung_up_before(exchange: Exchange) -> None:
    exchange.hang_up()


async def reset_in_the_middle(exchange: Exchange) -> None:
    data = http(200, exchange.marked())
    await exchange.send(data[: len(data) // 2])
    await asyncio.sleep(0.01)
    exchange.reset()


async def reset_after(exchange: Exchange) -> None:
    await exchange.send(http(200, exchange.marked()))
    await asyncio.sleep(0.01)
    exchange.reset()


async def truncated(exchange: Exchange) -> None:
    data = http(200, exchange.marked())
    await exchange.send(data[:-1])
    exchange.hang_up()


async def truncated_headers(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nX-Note: " + CANARY)
    exchange.hang_up()


# -- lengths and encodings ---------------------------------------------------------------------


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def in_chunks(exchange: Exchange) -> None:
    body = exchange.marked()
    await exchange.send(CHUNKED, chunked(body[:20]), chunked(body[20:]), b"0\r\n\r\n")


async def cut_between_chunks(exchange: Exchange) -> None:
    await exchange.send(CHUNKED, chunked(exchange.marked()))
    exchange.hang_up()


async def cut_in_a_chunk(exchange: Exchange) -> None:
    await exchange.send(CHUNKED, chunked(exchange.marked())[:-20])
    exchange.hang_up()


async def bad_chunk_size(exchange: Exchange) -> None:
    await exchange.send(CHUNKED, CANARY, b"\r\n", exchange.marked())
    exchange.hang_up()


def with_length(length: str) -> Effect:
    async def effect(exchange: Exchange) -> None:
        body = exchange.marked()
        await exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode(), body)
        exchange.hang_up()

    return effect


async def too_long_a_length(exchange: Exchange) -> None:
    body = exchange.marked()
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 9), body)


async def without_length(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", exchange.marked())
    exchange.hang_up()


async def gzipped(exchange: Exchange) -> None:
    await exchange.send(http(200, gzip.compress(exchange.marked()), Content_Encoding="gzip"))


async def cut_gzip(exchange: Exchange) -> None:
    half = gzip.compress(exchange.marked())[:-12]
    await exchange.send(http(200, half, Content_Encoding="gzip"))


# -- time --------------------------------------------------------------------------------------


async def silence(exchange: Exchange) -> None:
    await asyncio.sleep(100_000)
    exchange.hang_up()


async def slow_headers(exchange: Exchange) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Note: " + CANARY * 5:
        await exchange.send(bytes([byte]))
        await asyncio.sleep(1)


async def slow_body(exchange: Exchange) -> None:
    data = http(200, exchange.marked())
    start = data.index(b"\r\n\r\n") + 4
    await exchange.send(data[:start])
    for byte in data[start : start + 45]:
        await exchange.send(bytes([byte]))
        await asyncio.sleep(1)


async def byte_a_second(exchange: Exchange) -> None:
    """A body that never ends."""
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    while not exchange.writer.is_closing():
        await exchange.send(b" ")
        await asyncio.sleep(1)


async def late(exchange: Exchange) -> None:
    await asyncio.sleep(5)
    await exchange.send(http(200, exchange.marked()))


async def in_pieces(exchange: Exchange) -> None:
    data = http(200, exchange.marked())
    for start in range(0, len(data), len(data) // 8 + 1):
        await exchange.send(data[start : start + len(data) // 8 + 1])
        await asyncio.sleep(1)


# -- content -----------------------------------------------------------------------------------


async def big_headers(exchange: Exchange) -> None:
    await exchange.send(http(200, exchange.marked(), X_Big="x" * 32 * 1024))


async def byte_order_mark(exchange: Exchange) -> None:
    await exchange.send(http(200, b"\xef\xbb\xbf" + exchange.marked()))


def informational(status: int) -> Effect:
    async def effect(exchange: Exchange) -> None:
        head = f"HTTP/1.1 {status} Reason\r\nX-Note: {PERSON}\r\n\r\n".encode()
        await exchange.send(head, http(200, exchange.marked()))

    return effect


def inside(value: bytes) -> Effect:
    """The right answer with one more field, of this value."""

    async def effect(exchange: Exchange) -> None:
        await exchange.send(http(200, exchange.marked()[:-1] + b', "odd": ' + value + b"}"))

    return effect


async def duplicate_keys(exchange: Exchange) -> None:
    """The last one counts, as in all common parsers."""
    body = exchange.marked()
    first = b'{"items": [], ' if exchange.is_page else b'{"event_datetime": 1, '
    await exchange.send(http(200, first + body[1:]))


def in_every_record(**fields: Any) -> Effect:
    """Fields of a record: those of a page's items, or those of the one object."""

    async def effect(exchange: Exchange) -> None:
        if not exchange.is_page:
            await exchange.send(http(200, exchange.marked(**fields)))
            return
        items = [{**item, **fields} for item in exchange.body["items"]]
        await exchange.send(http(200, exchange.marked(items=items)))

    return effect


CONNECTIONS = [
    transient("reset before the answer", reset_before),
    transient("reset before the request was read", reset_before, unprocessed=True),
    transient("closed before the answer", hung_up_before),
    transient("reset in the middle", reset_in_the_middle),
    harmless("reset after the answer", reset_after),
    transient("truncated body", truncated),
    transient("truncated headers", truncated_headers),
]

LENGTHS = [
    harmless("chunked", in_chunks),
    transient("cut between chunks", cut_between_chunks),
    transient("cut in a chunk", cut_in_a_chunk),
    transient("a chunk size that is not one", bad_chunk_size),
    transient("negative length", with_length("-5")),
    transient("two lengths", with_length("3\r\nContent-Length: 5")),
    transient("a length that is a name", with_length(PERSON)),
    transient("too short a length", with_length("5")),
    transient("too long a length", too_long_a_length, TIMEOUT),
    harmless("no length", without_length),
    harmless("gzip", gzipped),
    transient("gzip that is not", answers(200, CANARY * 3, Content_Encoding="gzip")),
    definite("gzip cut short", cut_gzip),
    transient("deflate that is not", answers(200, CANARY * 3, Content_Encoding="deflate")),
]

TIMES = [
    transient("silence", silence, TIMEOUT),
    transient("slow headers", slow_headers, TIMEOUT),
    transient("slow body", slow_body, TIMEOUT),
    harmless("a late answer", late),
    harmless("an answer in pieces", in_pieces),
]

CONTENT = [
    definite("empty body", answers(200, b""), receipt=RIGHT),
    definite("204", raw(b"HTTP/1.1 204 No Content\r\n\r\n"), receipt=RIGHT),
    definite("null", answers(200, b"null"), receipt=RIGHT),
    definite("an empty object", answers(200, b"{}"), receipt=RIGHT),
    definite("a list", answers(200, b'["%s"]' % CANARY)),
    definite("HTML with 200", answers(200, HTML, Content_Type="text/html")),
    transient(
        "HTML with 502", answers(502, HTML, Content_Type="text/html"), (InternalServerError,)
    ),
    transient("garbage", raw(b"\x00\xff" + CANARY * 9)),
    transient("another protocol", raw(b"SSH-2.0-" + CANARY + b"\r\n")),
    definite("invalid UTF-8", inside(b'"\xff%s"' % CANARY)),
    definite("NaN", inside(b"NaN")),
    definite("100,000 levels", inside(b"[" * 100_000 + b"]" * 100_000)),
    definite("100,000 levels without an end", inside(b'{"a":' * 100_000)),
    harmless("integers beyond 64 bits", inside(b"9" * 60)),
    definite("a moment beyond 64 bits", in_every_record(created_at=10**40, event_datetime=10**40)),
    definite("an id that is a number", in_every_record(verification_id=7, webhook_id=7)),
    harmless("duplicate keys", duplicate_keys),
    harmless("a million numbers", inside(b"[%s1]" % (b"1," * 999_999))),
    harmless("headers of 32 KiB", big_headers),
    harmless("a byte order mark", byte_order_mark),
    *(harmless(str(status), informational(status)) for status in (100, 102, 103)),
    definite(
        "101",
        raw(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        (APIStatusError,),
    ),
    *(
        definite(
            f"a redirect {status}",
            answers(status, CANARY, Location="http://127.0.0.1:1/stolen"),
            (APIStatusError,),
        )
        for status in (301, 302, 303, 307, 308)
    ),
]

FAULTS = [*CONNECTIONS, *LENGTHS, *TIMES, *CONTENT]

TRANSIENT = {408, 425, 500, 502, 503, 504, *range(520, 525), 527, 529, 530}
"""Statuses after which an idempotent request is sent again; and 429, after which any is."""

ANSWER_LOST = {500, 502, 504, 520, 522, 524, 527}
"""Those of TRANSIENT after which the request may have been carried out."""


def statuses() -> Iterator[Fault]:
    """Every 4xx and 5xx, with a person's name and the key in body and header."""
    for status in range(400, 600):
        envelope = {"error": status, "message": f"no {KEY}", "detail": [PERSON, KEY]}
        effect = answers(status, json.dumps(envelope).encode(), X_Note=f"{PERSON} {KEY}")
        outcome: Outcome = (InternalServerError if status >= 500 else APIStatusError,)
        if status == 429:
            # Not carried out, so a POST is sent again, too.
            yield Fault("429", effect, RIGHT, (RateLimitError,), RIGHT, RIGHT, unprocessed=True)
        elif status in TRANSIENT:
            yield transient(str(status), effect, outcome, unprocessed=status not in ANSWER_LOST)
        else:
            yield definite(str(status), effect, outcome)


MILLION = b'{"items": [%s1], "total": 1000000}' % (b"1," * 999_999)

PAGES = [
    definite("a million items that are numbers", answers(200, MILLION)),
    definite("a million empty records", answers(200, MILLION.replace(b"1,", b"{},"))),
    definite("items that are not a list", replaced(items={"0": 1})),
    definite("items missing", replaced(items=None)),
]
"""Faults of a page only."""

LIES: dict[str, dict[str, Any]] = {
    "total too small": {"total": 3},
    "total zero": {"total": 0},
    "total too large": {"total": 10_000},
    "total missing": {"total": None},
    "page of another": {"page": 77},
    "size of another": {"size": 1},
    "pages of another": {"pages": 1},
    "pages too many": {"pages": 99},
}
"""Fields of the envelope that a server may lie about: right records, or no proof."""

UNPROVED: Outcome = (IncompleteListingError, DecodeError)
