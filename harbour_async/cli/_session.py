"""The session of a command: its key, and the host that its failures name."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harbour_async import HarbourSession
from harbour_async._wire import base_url
from harbour_async.cli._failures import leaves
from harbour_async.errors import ConfigurationError, HarbourError


def ask_for_key() -> str | None:
    """Ask for the key at the terminal; None if HARBOUR_API_KEY is set.

    Call it before the event loop runs, because it blocks until the user answers. Raises
    ConfigurationError if there is no variable and no terminal.
    """
    if os.environ.get("HARBOUR_API_KEY"):
        return None
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigurationError(
            "no API key: set HARBOUR_API_KEY (an argument could be read by other users)"
        )
    host = base_url(None).authority
    try:
        key = getpass.getpass(f"API key for {host} (not shown): ", stream=sys.stderr)
    except EOFError:
        key = ""
    except UnicodeError:  # bytes of another encoding than the terminal's
        raise ConfigurationError("the API key must be printable ASCII text") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if not key:
        raise ConfigurationError("no API key was given")
    return key


@asynccontextmanager
async def open_session(key: str | None, *, url: str | None = None) -> AsyncIterator[HarbourSession]:
    """A session that adds the host to its errors.

    key: what ``ask_for_key`` gave, or a sandbox's key.
    url: a sandbox's base URL; None: HARBOUR_BASE_URL, or Harbour's own.
    """
    host = base_url(url).authority
    async with HarbourSession(key, base_url=url) as harbour:
        try:
            yield harbour
        except BaseException as error:
            for leaf in leaves(error):
                if isinstance(leaf, HarbourError):
                    leaf.add_note(host)  # read by _failures
            raise
