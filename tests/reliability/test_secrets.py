"""The key is in nothing that can be shown, pickled or logged, whatever happens to a call.

The fault matrix checks for each of its cases that no HarbourError holds the key.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from harbour_async import HarbourError, HarbourSession
from tests.exposed import exposed_text
from tests.reliability.api import IDS, PAGE_SIZE, Api, talking
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
