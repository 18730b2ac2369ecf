"""``harbour diff``: an export in JSON lines against the live API, or against another one."""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, frozen

from harbour_async import HarbourSession, Pager, Verification, Webhook, WebhookEvent, to_dict
from harbour_async._decoding import decode_any, decode_record, encode_json
from harbour_async.cli import _run
from harbour_async.cli._listing import plural
from harbour_async.cli._output import Output, shown
from harbour_async.cli._session import ask_for_key, open_session
from harbour_async.errors import ConfigurationError, DecodeError
from harbour_async.reconcile import Changed, Missing, reconcile

_KINDS = {"event_id": WebhookEvent, "verification_id": Verification, "webhook_id": Webhook}
_NEWS_EVERY = 10.0  # seconds


@frozen
class _Known:
    """A record, and the names of its fields that are known."""

    record: Any
    fields: Iterable[str]

    @classmethod
    def of(cls, record: Any) -> _Known:
        return cls(record, to_dict(record).keys())

    @property
    def key(self) -> str:
        return next(
            str(value) for name in _KINDS if (value := getattr(self.record, name, None)) is not None
        )

    def values(self) -> Mapping[str, Any]:
        """The fields' values as records have them: the spelling of times and enums is ignored."""
        extra = self.record.extra
        return {name: extra.get(name, getattr(self.record, name, None)) for name in self.fields}


@define
class _Export:
    """A file of JSON lines; ``kind`` is known from its first record, None if it has none."""

    path: Path
    file: BinaryIO
    first: bytes = b""
    number: int = 1

    def __attrs_post_init__(self) -> None:
        # Editors and shells of Windows put a byte order mark at the beginning.
        self.first = self.file.readline().removeprefix(BOM_UTF8)
        while self.first and not self.first.strip():
            self.first, self.number = self.file.readline(), self.number + 1

    @property
    def kind(self) -> type[Any] | None:
        fields = self._object(self.first) if self.first else {}
        for name, kind in _KINDS.items():
            if name in fields:
                return kind
        if fields:
            raise self._unreadable("no id of a record")
        return None

    def records(self, kind: type[Any]) -> Iterator[_Known]:
        line = self.first
        while line:
            if line.strip():
                fields = self._object(line)
                try:
                    record = decode_record(kind, line)
                except DecodeError as error:
                    raise self._unreadable(str(error)) from None
                if kind is WebhookEvent and record.event_id is None:
                    raise self._unreadable("no event_id, so the event cannot be compared")
                yield _Known(record, fields.keys())
            line, self.number = self.file.readline(), self.number + 1

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            found = decode_any(line)
        except DecodeError:
            found = None
        if isinstance(found, dict):
            return found
        raise self._unreadable("it is not a JSON object; exports in JSON lines can be compared")

    def _unreadable(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}, line {self.number}: {why}")


def diff(old: Path, new: Path | None, *, as_json: bool) -> int:
    """Compare, write what differs, and return the exit code: 0 equal, 1 different, 2 error."""
    key = ask_for_key() if new is None else None
    output = Output(as_json=as_json)
    counts: Counter[str] = Counter()

    async def compare() -> None:
        async with AsyncExitStack() as stack:
            mine = _Export(old, stack.enter_context(old.open("rb")))
            kind = mine.kind
            if new is not None:
                other = _Export(new, stack.enter_context(new.open("rb")))
                theirs = other.kind
                if kind and theirs and kind is not theirs:
                    what = f"{kind.__name__} and {theirs.__name__}"
                    raise ConfigurationError(f"{old} and {new} are not exports of one kind: {what}")
                kind = kind or theirs or Verification
                remote: Any = other.records(kind)
            else:
                remote = await stack.enter_async_context(_live(key, kind, old))
            await _compare(remote, mine.records(kind or Verification), output, counts)
        summary = ", ".join(f"{count:,} {change}" for change, count in sorted(counts.items()))
        _run.say(summary or "equal")

    code = _run.run(compare, failed=_run.USAGE)
    return 1 if code == _run.DONE and counts else code  # also if stdout was closed early


async def _compare(
    remote: Any, local: Iterator[_Known], output: Output, counts: Counter[str]
) -> None:
    with closing(local):  # type: ignore[type-var]
        differences = reconcile(remote, local, key=lambda k: k.key, fingerprint=_Known.values)
        async with differences:
            async for difference in differences:
                if isinstance(difference, Changed):
                    _changed(difference, output, counts)
                    continue
                added = isinstance(difference, Missing)
                change, mark = ("added", "+") if added else ("removed", "-")
                counts[change] += 1
                _write(output, f"{mark} {difference.key}", change, difference.key)


def _changed(change: Changed[_Known, _Known], output: Output, counts: Counter[str]) -> None:
    """Only fields that both sides have count: an export may leave some out."""
    new, old = change.remote, change.local
    fields = [name for name in change.fields or () if name in new.fields and name in old.fields]
    if not fields:
        return
    counts["changed"] += 1
    now, before = new.values(), old.values()
    texts = [_shown(name, before[name], now[name]) for name in fields]
    new_wire, old_wire = to_dict(new.record), to_dict(old.record)
    values = {name: {"old": old_wire.get(name), "new": new_wire.get(name)} for name in fields}
    _write(output, f"~ {change.key} {', '.join(texts)}", "changed", change.key, fields=values)


def _shown(name: str, old: Any, new: Any) -> str:
    if isinstance(old, dict | list) or isinstance(new, dict | list):
        return name
    return f"{name}: {shown(old)} -> {shown(new)}"


def _write(output: Output, line: str, change: str, key: Any, **more: Any) -> None:
    if output.as_json:
        output.json(encode_json({"change": change, "id": key, **more}))
    else:
        output.line(line)


@asynccontextmanager
async def _live(key: str | None, kind: type[Any] | None, old: Path) -> AsyncIterator[_LiveListing]:
    if kind is None:
        raise ConfigurationError(f"{old} is empty, so it is not known what to compare it with")
    if kind is WebhookEvent:
        raise ConfigurationError("events can only be compared with another export: give --against")
    async with open_session(key) as harbour:
        listing = _LiveListing(_pager(harbour, kind))
        news = asyncio.create_task(_news(listing))
        try:
            yield listing
        finally:
            news.cancel()


def _pager(harbour: HarbourSession, kind: type[Any]) -> Pager[Any]:
    return harbour.webhooks.list() if kind is Webhook else harbour.verifications.list()


@define
class _LiveListing:
    """A pager whose records are given in the form of a file's lines."""

    pager: Pager[Any]

    @property
    def report(self) -> Any:
        return self.pager.report

    async def __aiter__(self) -> AsyncIterator[_Known]:
        async for record in self.pager:
            yield _Known.of(record)


async def _news(listing: _LiveListing) -> None:
    while True:
        await asyncio.sleep(_NEWS_EVERY)
        report = listing.report
        _run.say(f"{report.yielded:,} of {plural(report.total_last or 0, 'record')} read")
