"""Functions that a caller hands in have to be ordinary ones, wherever they go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest

from harbour_async import ConfigurationError, HarbourSession
from harbour_async.export import export
from harbour_async.reconcile import reconcile


async def asynchronous(_: object) -> None: ...


def generator(_: object) -> Iterator[None]:
    yield


async def asynchronous_generator(_: object) -> AsyncIterator[None]:
    yield


class Asynchronous:
    async def __call__(self, _: object) -> None: ...


UNUSABLE = [
    asynchronous,
    generator,
    asynchronous_generator,
    Asynchronous(),
    partial(asynchronous),
    "log",
    5,
]


async def listen(_: HarbourSession, given: Any) -> None:
    HarbourSession("key", on_event=[given])


async def replace(harbour: HarbourSession, given: Any) -> None:
    harbour.verifications.list(on_invalid=given)


async def wait(harbour: HarbourSession, given: Any) -> None:
    await harbour.verifications.wait_for("V-1", until=given, timeout=1)


async def show_progress(harbour: HarbourSession, given: Any) -> None:
    await export(harbour.verifications.list(), "file.jsonl", on_progress=given)


async def fingerprint(harbour: HarbourSession, given: Any) -> None:
    reconcile(harbour.verifications.list(), [], key=None, fingerprint=given)


async def key(harbour: HarbourSession, given: Any) -> None:
    reconcile(harbour.verifications.list(), [], key=(None, given), fingerprint=repr)


DOORS = {
    "on_event": listen,
    "on_invalid": replace,
    "until": wait,
    "on_progress": show_progress,
    "fingerprint": fingerprint,
    "key": key,
}


@pytest.mark.parametrize("given", UNUSABLE, ids=lambda given: getattr(given, "__name__", None))
@pytest.mark.parametrize("name", DOORS)
async def test_what_would_do_nothing_when_it_is_called_is_refused_at_once(
    name: str, given: Any
) -> None:
    async with HarbourSession("key", base_url="http://127.0.0.1:1/v2") as session:
        with pytest.raises(ConfigurationError, match=f"{name} must be"):
            await DOORS[name](session, given)
