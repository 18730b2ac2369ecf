"""The commands, their options, and what their failures mean to a shell.

Exit codes: 0 done, 1 the API said no, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from harbour_async.cli._demo import demo as run_demo
from harbour_async.errors import ConfigurationError, HarbourError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)


@app.callback()
def _commands() -> None:
    """Harbour's API v2.2 from the command line."""


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
    asyncio.run(run_demo(out=out, records=records, live=live))


def run() -> None:
    """Run the command; failures end in one line on stderr and an exit code."""
    try:
        app()
    except* KeyboardInterrupt:
        _fail("interrupted", 130)
    except* ConfigurationError as errors:
        _fail(str(errors.exceptions[0]), 2)
    except* (HarbourError, OSError) as errors:
        _fail(str(errors.exceptions[0]), 1)


def _fail(message: str, code: int) -> None:
    print(f"harbour: {message}", file=sys.stderr)
    raise SystemExit(code)
