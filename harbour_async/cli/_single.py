"""Make a call for a single object, and write its answer to stdout."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import typer

from harbour_async import HarbourSession
from harbour_async.cli import _run
from harbour_async.cli._output import Output
from harbour_async.cli._session import ask_for_key, open_session
from harbour_async.errors import ConfigurationError


def show_answer(call: Callable[[HarbourSession], Awaitable[Any]], *, as_json: bool) -> None:
    """Make one call and write its result; ends the command with its exit code."""
    key = ask_for_key()
    output = Output(as_json=as_json)

    async def ask() -> None:
        async with open_session(key) as harbour:
            output.record(await call(harbour))

    raise typer.Exit(_run.run(ask))


def confirm(question: str, *, yes: bool) -> None:
    """Ask at the terminal whether to go on, unless ``--yes`` was given."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigurationError("cannot ask whether to delete it without a terminal: give --yes")
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C or Ctrl-D
        raise typer.Exit(_run.INTERRUPTED) from None
    if not agreed:
        _run.say("nothing was deleted")
        raise typer.Exit(_run.REFUSED)
