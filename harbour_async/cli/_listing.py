"""Write a listing to stdout, and say how to go on when it is interrupted."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer
from attrs import define

from harbour_async import HarbourSession, Pager
from harbour_async.cli import _run
from harbour_async.cli._output import Output
from harbour_async.cli._session import ask_for_key, open_session
from harbour_async.errors import ConfigurationError, IncompleteListingError


@define
class _Progress:
    """How many records were written, and the token that goes on after them."""

    records: int = 0
    token: str | None = None
    ended: bool = False


def show_listing(
    make: Callable[[HarbourSession], Pager[Any]],
    *,
    command: Sequence[str],
    columns: Sequence[str],
    as_json: bool,
    max_items: int | None = None,
) -> None:
    """Walk a listing and write it page by page; ends the command with its exit code.

    make: the listing, of a session.
    command: how the command was called, without ``--resume`` and ``--max-items``.
    columns: the fields of a table.
    """
    key = ask_for_key()
    output = Output(columns, as_json=as_json)
    so_far = _Progress()

    async def walk() -> int:
        async with open_session(key) as harbour:
            pager = make(harbour)
            try:
                async for page in pager.pages():
                    output.records(page.items)
                    so_far.records += len(page.items)
                    so_far.token = pager.resume_token
            except IncompleteListingError:
                so_far.ended = True
                raise
        if so_far.records == max_items:
            _run.say(f"more with: {again(max_items)}")
        elif not so_far.records and not output.as_json:
            _run.say("no records")
        if invalid := pager.report.invalid:
            _run.say(f"{plural(invalid, 'record')} of these cannot be read as the guide says")
        return _run.UNPROVED if invalid else _run.DONE

    def again(at_most: int | None) -> str:
        limit = [] if at_most is None else [f"--max-items={at_most}"]
        return _run.quoted([*command, *limit, f"--resume={so_far.token}"])

    def kept() -> str | None:
        if not so_far.records or so_far.records == max_items or so_far.ended:
            return None
        came = f"{plural(so_far.records, 'record')} came"
        rest = None if max_items is None else max_items - so_far.records
        return f"{came}; go on with: {again(rest)}"

    raise typer.Exit(_run.run(walk, kept=kept))


def plural(count: int, noun: str) -> str:
    """``1 page``, ``2 pages``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def command_line(*words: str, **options: Any) -> list[str]:
    """The command again, with the options that were given: ``order_by`` is ``--order-by``."""
    line = [_program(), *words]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            line.append(flag)
        elif isinstance(value, list):
            line.extend(part for item in value for part in (flag, item))
        elif value is not None and value is not False:
            line.extend((flag, str(value)))
    return line


def _program() -> str:
    """``harbour``, or its path where that is not found, as in an environment not activated."""
    called = sys.argv[0]
    return "harbour" if Path(called).stem != "harbour" or shutil.which("harbour") else called


def metadata_of(pairs: Sequence[str] | None) -> dict[str, str]:
    """``--metadata key=value`` pairs as a mapping."""
    found = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise ConfigurationError(f"--metadata must be like key=value, not {pair!r}")
        found[name] = value
    return found
