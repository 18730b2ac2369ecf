"""The command line: ``harbour`` (extra ``cli``)."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper

from harbour_async.cli._stderr import guard_stderr


def main() -> None:
    """Entry point of the ``harbour`` command."""
    guard_stderr()
    try:
        _main()
    except KeyboardInterrupt:  # before the command has begun
        print("harbour: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _main() -> None:
    try:
        import rich  # noqa: F401  (only asked whether it is there)
        import typer  # noqa: F401
    except ImportError as error:
        print(
            f"harbour: {error.name} is missing: pip install 'harbour-async[cli]'", file=sys.stderr
        )
        raise SystemExit(2) from None
    if isinstance(sys.stdout, TextIOWrapper):  # escape characters that the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    # Without a handler, warnings would go to stderr, where a failure is to be one line only.
    # HARBOUR_LOG adds a handler that shows them.
    logging.getLogger("harbour_async").addHandler(logging.NullHandler())
    from harbour_async.cli._app import run

    run()
