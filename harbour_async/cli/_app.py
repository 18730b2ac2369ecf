"""The commands of ``harbour`` and their options."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from harbour_async.cli import _run, _verifications, _webhooks
from harbour_async.cli._demo import demo as run_demo
from harbour_async.cli._diff import diff as run_diff
from harbour_async.cli._export import export
from harbour_async.cli._options import Json
from harbour_async.cli._sandbox import sandbox
from harbour_async.errors import HarbourError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(_verifications.app, name="verifications")
app.add_typer(_webhooks.app, name="webhooks")
app.command()(sandbox)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"harbour-async {version('harbour-async')}")
        raise typer.Exit


@app.callback()
def _commands(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Harbour's API v2.2 from the command line.

    Start with `harbour demo`: it needs no key. Then set HARBOUR_API_KEY
    and try `harbour verifications list --max-items 10`.

    The key comes from HARBOUR_API_KEY, or the command asks for it at a terminal.
    HARBOUR_BASE_URL names another server. Data goes to stdout, as JSON
    lines unless that is a terminal; everything else goes to stderr.

    Exit codes: 0 done, 1 an error, 2 usage, 3 done but a proof failed or a
    record is invalid, 130 interrupted.
    """


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder of verifications.jsonl and webhooks.jsonl.")
    ] = Path("demo-output"),
    records: Annotated[
        int, typer.Option(min=1, max=100_000, help="Verifications in the sandbox.")
    ] = 3_000,
    live: Annotated[bool, typer.Option("--live", help="From the real API, with your key.")] = False,
) -> None:
    """Stream verifications and webhooks into files, both at the same time.

    They come from a sandbox on this machine unless --live is given. An
    interrupt keeps what has arrived, and the same command continues there.
    """
    raise typer.Exit(run_demo(out=out, records=records, live=live))


@app.command()
def diff(
    old: Annotated[
        Path, typer.Argument(help="An export in JSON lines.", metavar="OLD", show_default=False)
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="NEW", help="Another export. Default: the live API.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what was added (+), removed (-) or changed (~) since an export.

    Fields that only one side has are not compared. Removed records are only shown if the listing is
    proved complete.

    Exit codes: 0 equal, 1 different, 2 anything else.
    """
    raise typer.Exit(run_diff(old, against, as_json=as_json))


app.command()(export)


def run() -> None:
    """Run the command; failures end in one line on stderr and an exit code."""
    try:
        app(prog_name="harbour")  # also as python -m harbour_async
    except (HarbourError, OSError) as error:  # an interrupt before or after the event loop
        raise SystemExit(_run.fail(error)) from None
