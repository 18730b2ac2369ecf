"""Turn the options of ``harbour export`` into exports that are ready to run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, evolve

from harbour_async.cli._progress import Progress
from harbour_async.errors import ConfigurationError
from harbour_async.export import ExportError, ExportReport, export
from harbour_async.export._columns import choose
from harbour_async.export._events import AllEvents
from harbour_async.export._files import FORMATS
from harbour_async.export._since import LAST, export_since
from harbour_async.models import Verification, Webhook
from harbour_async.session import HarbourSession

_RECORDS = {"verifications": Verification, "webhooks": Webhook}


Job = Callable[[], Coroutine[Any, Any, ExportReport]]


class What(enum.StrEnum):
    """What can be exported."""

    VERIFICATIONS = "verifications"
    WEBHOOKS = "webhooks"
    EVENTS = "events"
    ALL = "all"


@define
class ExportOptions:
    """The command's options, checked."""

    what: What
    out: str
    format: str | None
    search: str | None
    metadata: dict[str, str]
    since: datetime | str | None
    fields: list[str] | None
    exclude: list[str]
    max_items: int | None
    restart: bool

    def __attrs_post_init__(self) -> None:
        what = self.what
        if self.metadata and what is not What.VERIFICATIONS:
            raise ConfigurationError("--metadata works for verifications only")
        if self.search is not None and what is What.EVENTS:
            raise ConfigurationError("--search does not work for events")
        if self.since is not None and what is not What.VERIFICATIONS:
            raise ConfigurationError("--since works for verifications only")
        if what is What.ALL and self.out == "-":
            raise ConfigurationError("all makes several files: --out names a folder for them")


def targets_of(wanted: ExportOptions) -> dict[str, str]:
    """The files to write, by the names of their listings."""
    if wanted.what is not What.ALL:
        return {wanted.what.value: wanted.out}
    form = wanted.format or "jsonl"
    if form not in FORMATS:
        raise ConfigurationError(f"--format must be one of {', '.join(FORMATS)}, not {form!r}")
    return {name: str(Path(wanted.out) / f"{name}.{form}") for name in _RECORDS}


def jobs_of(wanted: ExportOptions, harbour: HarbourSession, progress: Progress) -> dict[str, Job]:
    """The exports to run side by side, by the name that they are shown with."""
    targets = targets_of(wanted)
    if wanted.what is not What.ALL:
        return {name: _job(name, wanted, harbour, progress) for name in targets}
    parts = {name: _part(wanted, name, target) for name, target in targets.items()}
    make_folder(Path(wanted.out))
    return {name: _job(name, part, harbour, progress) for name, part in parts.items()}


def _part(wanted: ExportOptions, name: str, target: str) -> ExportOptions:
    """The options for one listing of ``all``: those of the fields that its records have."""
    every = {n: choose(record).names for n, record in _RECORDS.items()}
    for asked in (*(wanted.fields or ()), *wanted.exclude):
        if not any(asked in names for names in every.values()):
            raise ConfigurationError(f"no verification and no webhook has a field {asked!r}")
    own = every[name]
    fields = None if wanted.fields is None else [f for f in wanted.fields if f in own]
    exclude = [f for f in wanted.exclude if f in own]
    return evolve(wanted, what=What(name), out=target, fields=fields, exclude=exclude)


def make_folder(folder: Path) -> None:
    """Make the folder of ``--out``, for its owner alone."""
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"--out {folder} is a file: name a folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{folder}: {error.strerror}", error.errno) from error


def _job(name: str, wanted: ExportOptions, harbour: HarbourSession, progress: Progress) -> Job:
    chosen: dict[str, Any] = {
        "format": wanted.format,
        "fields": wanted.fields,
        "exclude": wanted.exclude,
        "restart": wanted.restart,
        "on_progress": partial(progress.update, name),
    }
    if wanted.since is not None:
        changes = partial(harbour.verifications.changes, **_filters(wanted))
        return partial(export_since, changes, wanted.out, wanted.since, **chosen)
    return partial(export, _listing(wanted, harbour), wanted.out, **chosen)


def _listing(wanted: ExportOptions, harbour: HarbourSession) -> Any:
    if wanted.what is What.EVENTS:
        return AllEvents(harbour.webhooks, max_items=wanted.max_items)
    if wanted.what is What.WEBHOOKS:
        return harbour.webhooks.list(search=wanted.search, max_items=wanted.max_items)
    return harbour.verifications.list(**_filters(wanted))


def _filters(wanted: ExportOptions) -> dict[str, Any]:
    return {
        "search": wanted.search,
        "metadata": wanted.metadata or None,
        "max_items": wanted.max_items,
    }


def since_when(text: str | None) -> datetime | str | None:
    if text is None or text == LAST:
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"--since must be last, or a moment with its zone like 2026-01-01T00:00Z, not {text!r}"
        )
    return moment


def names_of(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
