"""The state of an export: its arguments, and how far the spool and the walk have come."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from harbour_async._report import PagingReport
from harbour_async.errors import ConfigurationError
from harbour_async.export import _disk

VERSION = 1


@frozen
class Asked:
    """The arguments of an export; only an export with the same ones may go on with its spool.

    ``resume`` is a digest of the token that the listing goes on from, if it was given one.
    """

    listing: str
    identity: str = field(repr=False)
    format: str
    fields: list[str]
    max_items: int | None = None
    since: str | None = None
    resume: str | None = None

    def differences(self, kept: Asked) -> str:
        """Both sides of everything that differs."""
        ours, theirs = attrs.asdict(self), attrs.asdict(kept)
        if ours["listing"] != theirs["listing"]:
            ours.pop("identity")
        return "; ".join(
            f"{name}: kept {_shown(theirs[name])}, asked {_shown(ours[name])}"
            for name in ours
            if ours[name] != theirs[name]
        )


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


@frozen
class Checkpoint:
    """``offset`` and ``invalid_offset`` are the lengths of the two spools that count, in bytes.

    ``report`` is the account of all runs; ``walked`` says that the listing was read to its end,
    ``unproved`` that its proof failed, ``sent`` when requests were sent that may still count
    against the limit (seconds since 1970).
    """

    asked: Asked
    token: str
    offset: int = 0
    invalid_offset: int = 0
    yielded: int = 0
    invalid: int = 0
    runs: int = 1
    walked: bool = False
    unproved: bool = False
    report: PagingReport = field(factory=PagingReport)
    sent: list[float] = field(factory=list)

    def save(self, path: Path) -> None:
        document = {"version": VERSION, **attrs.asdict(self)}
        _disk.write_whole(path, json.dumps(document).encode())


def digest(token: str) -> str:
    return hashlib.blake2b(token.encode(), digest_size=8).hexdigest()


def load(path: Path) -> Checkpoint | None:
    """The checkpoint at ``path``, if there is one; ConfigurationError if it cannot be read."""
    text = _disk.read(path)
    if text is None:
        return None
    try:
        document = json.loads(text)
        if document.pop("version") != VERSION:
            raise ValueError("another version")
        asked = Asked(**document.pop("asked"))
        return Checkpoint(asked, report=report_from(document.pop("report")), **document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ConfigurationError(
            f"{path} is damaged, or of another version of the library: "
            "start again with --restart (restart=True)"
        ) from None


def report_from(document: dict[str, Any]) -> PagingReport:
    known = {a.name for a in attrs.fields(PagingReport)}
    return PagingReport(**{name: value for name, value in document.items() if name in known})


_SUMS = {"requests", "pages", "yielded", "invalid", "duplicates_dropped", "gaps_repaired"}


def together(before: PagingReport, now: PagingReport) -> PagingReport:
    """The reports of two parts of a walk as one."""
    sums = {a.name: getattr(before, a.name) + getattr(now, a.name)
            for a in attrs.fields(PagingReport) if a.name in _SUMS}  # fmt: skip
    first = now.total_first if before.total_first is None else before.total_first
    last = before.total_last if now.total_last is None else now.total_last
    return attrs.evolve(now, total_first=first, total_last=last, **sums)
