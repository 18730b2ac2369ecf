"""The commands, their options, and what their failures mean to a shell."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from harbour_async.cli._demo import demo as run_demo
from harbour_async.cli._export import export
from harbour_async.cli._sandbox import sandbox
from harbour_async.errors import ConfigurationError, HarbourError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(sandbox)


@app.callback()
def _commands() -> None:
    """Harbour's API v2.2 from the command line.

    Exit codes: 0 done, 1 the API said no, 2 usage, 130 interrupted.
    """


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for verifications.jsonl and webhooks.jsonl.")
    ] = Path("demo-output"),
    records: Annotated[
        int, typer.Option(min=1, max=100_000, help="Verifications in the sandbox.")
    ] = 3_000,
    live: Annotated[
        bool, typer.Option("--live", help="Stream from the real API; needs HARBOUR_API_KEY.")
    ] = False,
) -> None:
    """Stream verifications and webhooks side by side, from the sandbox unless --live is given."""
    try:
        asyncio.run(run_demo(out=out, records=records, live=live))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


app.command()(export)


def run() -> None:
    """Run the command; failures end in one line on stderr and an exit code."""
    try:
        app()
    except* ConfigurationError as errors:
        _fail(errors, 2)
    except* (HarbourError, OSError) as errors:
        _fail(errors, 1)


def _fail(errors: BaseExceptionGroup[BaseException], code: int) -> None:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    print(f"harbour: {first}", file=sys.stderr)
    raise SystemExit(code)
