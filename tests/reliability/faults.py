"""Everything that can go wrong with one answer, each with what a caller may see."""

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
from tests.reliability.api import PERSON, Exchange, Spoil, http
from tests.servers import KEY

CANARY = PERSON.encode()
HTML = b"<html><body>" + CANARY + b"</body></html>"

Seen = tuple[type[HarbourError], ...]
"""The errors of which one is raised; empty if the right answer is returned."""

RIGHT: Seen = ()
LOST: Seen = (APIConnectionError,)
TIMEOUT: Seen = (APITimeoutError, DeadlineExceededError)
UNREADABLE: Seen = (DecodeError,)


@frozen
class Fault:
    """``read`` is what a GET ends in if the fault comes once, ``forever`` if it stays.

    ``write`` is the same for a POST, which is never sent twice, and ``receipt`` for a PUT or
    DELETE that meets it once.
    """

    name: str
    spoil: Spoil
    read: Seen
    forever: Seen
    write: Seen
    receipt: Seen = RIGHT
    unheard: bool = False
    """The API did not carry the request out."""

    @property
    def passes(self) -> bool:
        """Whether trying again helps, if it came once."""
        return self.forever != self.read


def transient(name: str, spoil: Spoil, seen: Seen = LOST, unheard: bool = False) -> Fault:
    """A lost answer: a GET, a PUT or a DELETE is sent again, a POST is not."""
    return Fault(name, spoil, RIGHT, seen, seen, RIGHT, unheard)


def harmless(name: str, spoil: Spoil) -> Fault:
    return Fault(name, spoil, RIGHT, RIGHT, RIGHT, RIGHT)


def definite(
    name: str, spoil: Spoil, seen: Seen = UNREADABLE, receipt: Seen | None = None
) -> Fault:
    """An answer that came, so nothing is sent again."""
    return Fault(name, spoil, seen, seen, seen, seen if receipt is None else receipt)


def says(status: int, body: bytes, **headers: str) -> Spoil:
    async def spoil(exchange: Exchange) -> None:
        await exchange.say(http(status, body, **headers))

    return spoil


def raw(data: bytes) -> Spoil:
    """Bytes that are not an HTTP answer, and the end of the connection."""

    async def spoil(exchange: Exchange) -> None:
        await exchange.say(data)
        exchange.hang_up()

    return spoil


def replaced(**fields: Any) -> Spoil:
    """The right answer, but for some fields."""

    async def spoil(exchange: Exchange) -> None:
        await exchange.say(http(200, exchange.spoilt(**fields)))

    return spoil


# -- connections -------------------------------------------------------------------------------


async def reset_before(exchange: Exchange) -> None:
    exchange.reset()


async def hung_up_before(exchange: Exchange) -> None:
    exchange.hang_up()


async def reset_in_the_middle(exchange: Exchange) -> None:
    said = http(200, exchange.spoilt())
    await exchange.say(said[: len(said) // 2])
    await asyncio.sleep(0.01)
    exchange.reset()


async def reset_after(exchange: Exchange) -> None:
    await exchange.say(http(200, exchange.spoilt()))
    await asyncio.sleep(0.01)
    exchange.reset()


async def truncated(exchange: Exchange) -> None:
    said = http(200, exchange.spoilt())
    await exchange.say(said[:-1])
    exchange.hang_up()


async def truncated_headers(exchange: Exchange) -> None:
    await exchange.say(b"HTTP/1.1 200 OK\r\nX-Note: " + CANARY)
    exchange.hang_up()


# -- lengths and encodings ---------------------------------------------------------------------


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def in_chunks(exchange: Exchange) -> None:
    body = exchange.spoilt()
    await exchange.say(CHUNKED, chunked(body[:20]), chunked(body[20:]), b"0\r\n\r\n")


async def cut_between_chunks(exchange: Exchange) -> None:
    await exchange.say(CHUNKED, chunked(exchange.spoilt()))
    exchange.hang_up()


async def cut_in_a_chunk(exchange: Exchange) -> None:
    await exchange.say(CHUNKED, chunked(exchange.spoilt())[:-20])
    exchange.hang_up()


async def bad_chunk_size(exchange: Exchange) -> None:
    await exchange.say(CHUNKED, CANARY, b"\r\n", exchange.spoilt())
    exchange.hang_up()


def with_length(length: str) -> Spoil:
    async def spoil(exchange: Exchange) -> None:
        body = exchange.spoilt()
        await exchange.say(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode(), body)
        exchange.hang_up()

    return spoil


async def too_long_a_length(exchange: Exchange) -> None:
    body = exchange.spoilt()
    await exchange.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 9), body)


async def without_length(exchange: Exchange) -> None:
    await exchange.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", exchange.spoilt())
    exchange.hang_up()


async def gzipped(exchange: Exchange) -> None:
    await exchange.say(http(200, gzip.compress(exchange.spoilt()), Content_Encoding="gzip"))


async def cut_gzip(exchange: Exchange) -> None:
    half = gzip.compress(exchange.spoilt())[:-12]
    await exchange.say(http(200, half, Content_Encoding="gzip"))


# -- time --------------------------------------------------------------------------------------


async def silence(exchange: Exchange) -> None:
    await asyncio.sleep(100_000)
    exchange.hang_up()


async def slow_headers(exchange: Exchange) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Note: " + CANARY * 5:
        await exchange.say(bytes([byte]))
        await asyncio.sleep(1)


async def slow_body(exchange: Exchange) -> None:
    said = http(200, exchange.spoilt())
    start = said.index(b"\r\n\r\n") + 4
    await exchange.say(said[:start])
    for byte in said[start : start + 45]:
        await exchange.say(bytes([byte]))
        await asyncio.sleep(1)


async def byte_a_second(exchange: Exchange) -> None:
    """Without an end."""
    await exchange.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    while not exchange.writer.is_closing():
        await exchange.say(b" ")
        await asyncio.sleep(1)


async def late(exchange: Exchange) -> None:
    await asyncio.sleep(5)
    await exchange.say(http(200, exchange.spoilt()))


async def in_pieces(exchange: Exchange) -> None:
    said = http(200, exchange.spoilt())
    for start in range(0, len(said), len(said) // 8 + 1):
        await exchange.say(said[start : start + len(said) // 8 + 1])
        await asyncio.sleep(1)


# -- content -----------------------------------------------------------------------------------


async def big_headers(exchange: Exchange) -> None:
    await exchange.say(http(200, exchange.spoilt(), X_Big="x" * 32 * 1024))


async def byte_order_mark(exchange: Exchange) -> None:
    await exchange.say(http(200, b"\xef\xbb\xbf" + exchange.spoilt()))


def informational(status: int) -> Spoil:
    async def spoil(exchange: Exchange) -> None:
        head = f"HTTP/1.1 {status} Reason\r\nX-Note: {PERSON}\r\n\r\n".encode()
        await exchange.say(head, http(200, exchange.spoilt()))

    return spoil


def inside(value: bytes) -> Spoil:
    """One unknown field more, with this value."""

    async def spoil(exchange: Exchange) -> None:
        await exchange.say(http(200, exchange.spoilt()[:-1] + b', "odd": ' + value + b"}"))

    return spoil


async def duplicate_keys(exchange: Exchange) -> None:
    """The last one counts, as in all common parsers."""
    body = exchange.spoilt()
    first = b'{"items": [], ' if exchange.is_page else b'{"event_datetime": 1, '
    await exchange.say(http(200, first + body[1:]))


def in_every_record(**fields: Any) -> Spoil:
    """Fields of a record: those of a page's items, or those of the one object."""

    async def spoil(exchange: Exchange) -> None:
        if not exchange.is_page:
            await exchange.say(http(200, exchange.spoilt(**fields)))
            return
        items = [{**item, **fields} for item in exchange.body["items"]]
        await exchange.say(http(200, exchange.spoilt(items=items)))

    return spoil


CONNECTIONS = [
    transient("reset before the answer", reset_before),
    transient("reset before the request was read", reset_before, unheard=True),
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
    transient("gzip that is not", says(200, CANARY * 3, Content_Encoding="gzip")),
    definite("gzip cut short", cut_gzip),
    transient("deflate that is not", says(200, CANARY * 3, Content_Encoding="deflate")),
]

TIMES = [
    transient("silence", silence, TIMEOUT),
    transient("slow headers", slow_headers, TIMEOUT),
    transient("slow body", slow_body, TIMEOUT),
    harmless("a late answer", late),
    harmless("an answer in pieces", in_pieces),
]

CONTENT = [
    definite("empty body", says(200, b""), receipt=RIGHT),
    definite("204", raw(b"HTTP/1.1 204 No Content\r\n\r\n"), receipt=RIGHT),
    definite("null", says(200, b"null"), receipt=RIGHT),
    definite("an empty object", says(200, b"{}"), receipt=RIGHT),
    definite("a list", says(200, b'["%s"]' % CANARY)),
    definite("HTML with 200", says(200, HTML, Content_Type="text/html")),
    transient("HTML with 502", says(502, HTML, Content_Type="text/html"), (InternalServerError,)),
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
            says(status, CANARY, Location="http://127.0.0.1:1/stolen"),
            (APIStatusError,),
        )
        for status in (301, 302, 303, 307, 308)
    ),
]

FAULTS = [*CONNECTIONS, *LENGTHS, *TIMES, *CONTENT]

TRANSIENT = {408, 425, 500, 502, 503, 504, *range(520, 525), 527, 529, 530}
"""Statuses after which an idempotent request is sent again; and 429, after which any is."""

ANSWER_LOST = {500, 502, 504, 520, 522, 524, 527}
"""Those of them after which the request may have been carried out."""


def statuses() -> Iterator[Fault]:
    """Every 4xx and 5xx, with a person's name and the key in body and header."""
    for status in range(400, 600):
        said = {"error": status, "message": f"no {KEY}", "detail": [PERSON, KEY]}
        spoil = says(status, json.dumps(said).encode(), X_Note=f"{PERSON} {KEY}")
        seen: Seen = (InternalServerError if status >= 500 else APIStatusError,)
        if status == 429:
            # Turned away, so also a POST is sent again.
            yield Fault("429", spoil, RIGHT, (RateLimitError,), RIGHT, RIGHT, unheard=True)
        elif status in TRANSIENT:
            yield transient(str(status), spoil, seen, unheard=status not in ANSWER_LOST)
        else:
            yield definite(str(status), spoil, seen)


MILLION = b'{"items": [%s1], "total": 1000000}' % (b"1," * 999_999)

PAGES = [
    definite("a million items that are numbers", says(200, MILLION)),
    definite("a million empty records", says(200, MILLION.replace(b"1,", b"{},"))),
    definite("items that are not a list", replaced(items={"0": 1})),
    definite("items missing", replaced(items=None)),
]
"""What only a page can have."""

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

UNPROVED: Seen = (IncompleteListingError, DecodeError)
