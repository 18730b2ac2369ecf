"""The key is in nothing that can be shown, pickled or logged, whatever happens to a call.

The fault matrix checks for each of its cases that no HarbourError holds the key. No error of what
reads listings holds a record.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from harbour_async import APIStatusError, ConfigurationError, HarbourError, HarbourSession
from harbour_async.export import export, to_arrow
from harbour_async.reconcile import reconcile
from tests.exposed import exposed_text
from tests.reliability.api import IDS, PAGE_SIZE, PERSON, Api, Exchange, http, talking
from tests.reliability.faults import FAULTS, Fault, answers, silence
from tests.reliability.quiet_time import here, quiet_time
from tests.servers import KEY


async def asked_key() -> str:
    await asyncio.sleep(0)
    return KEY


KEYS = [pytest.param(KEY, id="fixed"), pytest.param(asked_key, id="from a callable")]


def logged(records: list[logging.LogRecord]) -> str:
    """All that any formatter could write of the log records."""
    parts = []
    for record in records:
        parts += [record.getMessage(), repr(vars(record)), record.exc_text or ""]
        if record.exc_info and record.exc_info[1]:
            parts += traceback.format_exception(record.exc_info[1])
            parts.append(exposed_text(record.exc_info[1]))
    return "\n".join(parts)


@pytest.mark.parametrize("key", KEYS)
def test_no_log_at_debug_has_the_key(
    key: Any, caplog: pytest.LogCaptureFixture, tried: Counter[str]
) -> None:
    """Ours, aiohttp's and asyncio's, in asyncio's debug mode."""

    async def meets(fault: Fault) -> None:
        async with talking(api_key=key) as (harbour, api):
            api.inject(fault.effect, "*", 0, 1, unprocessed=fault.unprocessed)
            for call in (harbour.verifications.get(IDS[0]), harbour.webhooks.create("https://x.y")):
                await asyncio.gather(call, return_exceptions=True)

    @quiet_time
    async def main() -> None:
        here().set_debug(True)
        here().slow_callback_duration = 1e9
        for fault in FAULTS:
            await meets(fault)
            tried["faults"] += 1

    with caplog.at_level(logging.DEBUG):
        main()
    assert caplog.records
    assert KEY not in logged(caplog.records)


# -- public objects ----------------------------------------------------------------------------


def parts_of(thing: Any) -> list[Any]:
    """What a debugger or an error reporter shows of it first."""
    slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
    values = [getattr(thing, name, None) for name in slots if not name.startswith("__")]
    if attrs.has(type(thing)):
        values.append(attrs.asdict(thing, recurse=False))
    return [thing, values, getattr(thing, "__dict__", {})]


async def public_objects(harbour: HarbourSession, api: Api) -> list[Any]:
    fresh, pager = harbour.verifications.list(), harbour.verifications.list(page_size=PAGE_SIZE)
    records = aiter(pager)
    record = await anext(records)
    response = await harbour.request("GET", "verifications", params={"page": 1, "size": 1})
    one = await harbour.verifications.page(size=1)
    receipts = [
        await harbour.webhooks.create("https://destination.example"),
        await harbour.verifications.delete(IDS[9]),
    ]
    api.inject(answers(401, KEY.encode(), X_Echo=KEY), "GET", 0, 1, unprocessed=True)
    with pytest.raises(HarbourError) as caught:
        await harbour.verifications.page()
    failed = caught.value
    view = harbour.with_options(timeout=5)
    sessions = [harbour, view, harbour.verifications, harbour.webhooks, view.webhooks]
    budget = [harbour.budget, harbour.budget.snapshot(), harbour.budget.limit]
    walks = [fresh, pager, records, record, pager.report, pager.resume_token]
    return [*sessions, *budget, *walks, response, response.headers, one, *receipts, failed]


@pytest.mark.parametrize("key", KEYS)
@quiet_time
async def test_no_public_object_shows_the_key(key: Any) -> None:
    async with talking(api_key=key) as (harbour, api):
        for thing in await public_objects(harbour, api):
            for part in parts_of(thing):
                assert KEY not in repr(part), type(thing)
                assert KEY not in str(part), type(thing)


@pytest.mark.parametrize("key", KEYS)
@quiet_time
async def test_no_public_object_pickles_the_key(key: Any) -> None:
    """An object that cannot be pickled raises instead."""
    async with talking(api_key=key) as (harbour, api):
        for thing in await public_objects(harbour, api):
            try:
                pickled = pickle.dumps(thing)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                pickled = repr(error).encode()
            assert KEY.encode() not in pickled, type(thing)


# -- what others raise through us --------------------------------------------------------------

Break = Callable[[HarbourSession], Awaitable[Any]]


async def cancelled(harbour: HarbourSession) -> None:
    task = asyncio.ensure_future(harbour.verifications.get(IDS[0]))
    await asyncio.sleep(5)
    task.cancel()
    await task


async def timed_out(harbour: HarbourSession) -> None:
    async with asyncio.timeout(5):
        await harbour.verifications.list().to_list()


async def in_a_group(harbour: HarbourSession) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(harbour.verifications.get(IDS[0]))
        await asyncio.sleep(5)
        raise ZeroDivisionError


async def closed_meanwhile(harbour: HarbourSession) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(harbour.verifications.list().to_list())
        await asyncio.sleep(5)
        await harbour.aclose()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("breaks", [cancelled, timed_out, in_a_group, closed_meanwhile])
@quiet_time
async def test_no_traceback_with_locals_shows_the_key(breaks: Break, key: Any) -> None:
    async with talking(api_key=key) as (harbour, api):
        api.inject(silence, "GET", 0, 1_000_000, unprocessed=True)
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - each raises its own
            await breaks(harbour)
    errors = [caught.value, *getattr(caught.value, "exceptions", ())]
    for error in errors:
        error.__reduce_ex__(2)
        assert KEY not in exposed_text(error)


@quiet_time
async def test_the_error_of_a_source_of_keys_does_not_show_the_last_one() -> None:
    given = [KEY]

    def source() -> str:
        return given.pop()

    async with talking(api_key=source) as (harbour, _):
        await harbour.verifications.get(IDS[0])
        with pytest.raises(IndexError) as caught:
            await harbour.verifications.get(IDS[0])
    assert KEY not in exposed_text(caught.value)


# -- records -----------------------------------------------------------------------------------

Breakage = Callable[[list[dict[str, Any]]], bytes]


def one_is_invalid(items: list[dict[str, Any]]) -> bytes:
    return page_of([*items[:-1], items[-1] | {"is_scan": PERSON, "is_deactivated": PERSON}])


def one_has_no_place(items: list[dict[str, Any]]) -> bytes:
    return page_of([*items[:-1], items[-1] | {"created_at": PERSON}])


def all_are_in_disorder(items: list[dict[str, Any]]) -> bytes:
    return page_of(items[::-1])


def torn(items: list[dict[str, Any]]) -> bytes:
    return http(200, page_of(items)[-100:])


def failed(_items: list[dict[str, Any]]) -> bytes:
    return http(500, PERSON.encode())


def page_of(items: list[dict[str, Any]]) -> bytes:
    envelope = {"items": items, "total": 30, "page": 2, "size": 10, "pages": 3}
    return http(200, json.dumps(envelope).encode())


def personal(number: int) -> dict[str, Any]:
    """A record that is a person's in all its texts."""
    ids = ("verification_id", "webhook_id")
    texts = dict.fromkeys(("search_phrase", "url"), PERSON)
    moment = 1_685_000_000_000 + 1000 * number
    return dict.fromkeys(ids, f"{PERSON}-{number:02}") | texts | {"created_at": moment}


def breaking(breakage: Breakage) -> Callable[[Exchange], Awaitable[None]]:
    """Listings of 30 persons. From the second page on the answers are broken."""

    async def answer(exchange: Exchange) -> None:
        if not exchange.is_page:
            return await exchange.send(http(404, b"{}"))
        asked = parse_qs(urlsplit(exchange.request.target).query)
        page, size = int(asked["page"][0]), int(asked["size"][0])
        persons = [personal(n) for n in range(30)]
        if "DESC" in asked["order_by"][0]:
            persons.reverse()
        items = persons[(page - 1) * size : page * size]
        broken = page > 1 or size >= len(persons)
        return await exchange.send(breakage(items) if broken else page_of(items))

    return answer


def by_id(record: Any) -> str:
    return str(record.verification_id)


async def to_list(harbour: HarbourSession) -> None:
    await harbour.verifications.list(page_size=10).to_list()


async def iterated(harbour: HarbourSession) -> None:
    async for _ in harbour.verifications.list(page_size=10):
        pass


async def by_pages(harbour: HarbourSession) -> None:
    async for _ in harbour.verifications.list(page_size=10, order_by="created_at ASC").pages():
        pass


async def refused_by_the_caller(harbour: HarbourSession) -> None:
    def refuse(_record: object) -> None:
        raise ConfigurationError("not wanted")

    async for _ in harbour.verifications.list(page_size=10, on_invalid=refuse):
        pass


async def to_a_table(harbour: HarbourSession) -> None:
    await to_arrow(harbour.verifications.list(page_size=10))


async def to_a_file(harbour: HarbourSession) -> None:
    await export(harbour.verifications.list(page_size=10), "records.jsonl")


async def reconciled(harbour: HarbourSession) -> None:
    remote = harbour.verifications.list(page_size=10)
    async for _ in reconcile(remote, [], key=by_id, fingerprint=by_id):
        pass


async def merged(harbour: HarbourSession) -> None:
    remote = harbour.verifications.list(page_size=10, order_by="created_at ASC")
    async for _ in reconcile(remote, [], key=by_id, fingerprint=by_id, ordered=True):
        pass


async def ensured(harbour: HarbourSession) -> None:
    await harbour.webhooks.ensure("https://destination.example")


@pytest.mark.parametrize(
    "breakage", [one_is_invalid, one_has_no_place, all_are_in_disorder, torn, failed]
)
@quiet_time
async def test_no_error_of_what_reads_a_listing_shows_a_record(
    breakage: Breakage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a traceback with locals, which error reports send."""
    monkeypatch.chdir(tmp_path)
    readers = [to_list, iterated, by_pages, refused_by_the_caller, to_a_table, to_a_file]
    for reads in [*readers, reconciled, merged, ensured]:
        async with talking(retry=1) as (harbour, api):
            api.inject(breaking(breakage), "*", 0, 1_000, unprocessed=True)
            shown = await error_of(reads(harbour))
            assert PERSON not in shown, f"{reads.__name__}: {shown}"


@quiet_time
async def test_the_error_of_a_full_disk_shows_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def write(_fd: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    async with talking() as (harbour, api):
        api.inject(breaking(page_of), "*", 0, 1_000, unprocessed=True)
        monkeypatch.setattr(os, "write", write)
        shown = await error_of(to_a_file(harbour))
    assert "No space left" in shown
    assert PERSON not in shown


async def error_of(reading: Awaitable[None]) -> str:
    """All that its error can show; the attributes of an APIStatusError may hold an answer."""
    try:
        await reading
    except HarbourError as error:
        if isinstance(error, APIStatusError):
            error.body, error.message = "", ""
        return exposed_text(error)
    return ""
