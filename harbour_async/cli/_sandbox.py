"""``harbour sandbox``: the sandbox as a server of its own, for services in any language."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from harbour_async.cli import _run
from harbour_async.cli._listing import plural

if TYPE_CHECKING:
    from harbour_async.sandbox import Arrival, Sandbox

_RATE = re.compile(r"(\d+)(?:/(\d+(?:\.\d+)?)s?)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|)")


def sandbox(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines too.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for any free one.")
    ] = 8700,
    verifications: Annotated[
        int, typer.Option(min=0, metavar="N", help="Verifications to begin with.")
    ] = 1_000,
    webhooks: Annotated[int, typer.Option(min=0, metavar="N", help="Webhooks to begin with.")] = 3,
    seed: Annotated[
        int, typer.Option(metavar="S", help="The same seed makes the same records.")
    ] = 0,
    db: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the records in this file.", dir_okay=False),
    ] = None,
    rate_limit: Annotated[
        str,
        typer.Option(
            metavar="100/60|off", help="Requests in so many seconds, such as 100/60, or off."
        ),
    ] = "100/60",
    latency: Annotated[
        str, typer.Option(metavar="80ms", help="Hold back every answer: 80ms, 0.5s or 10ms-80ms.")
    ] = "0ms",
    key: Annotated[
        str, typer.Option(metavar="K", help="The API key that requests must have.")
    ] = "sandbox-key",
) -> None:
    """Serve Harbour's API over made-up records, to develop against in any language.

    The variables to export go to stdout, a line per request to stderr. Ctrl-C ends it.
    """
    from harbour_async.sandbox import Sandbox

    requests, per = _rate_limit(rate_limit)
    try:
        server = Sandbox(
            host=host, port=port, verifications=verifications, webhooks=webhooks, seed=seed,
            database=":memory:" if db is None else str(db), rate_limit=requests, per=per,
            latency=_latency(latency), api_key=key, clock="machine",
        )  # fmt: skip
        asyncio.run(_serve(server))
    except (ValueError, OSError) as error:
        print(f"harbour: {_reason(error, server=f'{host}:{port}')}", file=sys.stderr)
        raise typer.Exit(2) from None


async def _serve(server: Sandbox) -> None:
    """Serve until SIGINT or SIGTERM, which may come while the records are made."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    # Also in a background job, where the shell ignores SIGINT. Windows has no signal handlers.
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
    logging.getLogger("aiohttp.server").addFilter(_shorten)
    served = 0

    @server.on_answer
    def log(arrival: Arrival) -> None:
        nonlocal served
        served += 1
        _say(_line(arrival))
        # Otherwise the log of arrivals would fill the memory over days.
        server.reset_log()

    with contextlib.suppress(asyncio.CancelledError):
        async with server:
            _announce(server)
            await asyncio.Event().wait()
    _say(f"harbour sandbox: stopped after {plural(served, 'request')}")


def _announce(server: Sandbox) -> None:
    limit = "no rate limit"
    if server.rate_limit is not None:
        seconds = f"{server.per:g} second{'' if server.per == 1 else 's'}"
        limit = f"{plural(server.rate_limit, 'request')} in {seconds}"
    where = "in memory" if server.database == ":memory:" else f"in {server.database}"
    _say(
        f"harbour sandbox: {plural(len(server.verification_ids()), 'verification')} and"
        f" {plural(len(server.webhook_ids()), 'webhook')} {where}, {limit}."
        " Ctrl-C ends it. To use it:"
    )
    key = _quoted(server.api_key)
    try:
        print(f"export HARBOUR_BASE_URL={server.url}\nexport HARBOUR_API_KEY={key}", flush=True)
    except OSError:  # nobody reads it
        _run.forget_stdout()


def _shorten(record: logging.LogRecord) -> bool:
    """Log one line, not a traceback, for requests that are not HTTP."""
    error = record.exc_info[1] if record.exc_info else None
    if getattr(error, "code", None) != 400:
        return True
    _say(f"{time.strftime('%H:%M:%S')} 400 a request that is not valid HTTP")
    return False


def _line(arrival: Arrival) -> str:
    query = f"?{urlencode(arrival.query)}" if arrival.query else ""
    milliseconds = (time.monotonic() - arrival.time) * 1000
    status = "dropped" if arrival.status is None else arrival.status
    clock = time.strftime("%H:%M:%S")
    return f"{clock} {arrival.method} {arrival.path}{query} {status} {milliseconds:.0f} ms"


def _say(text: str) -> None:
    # The path may hold any text, and the terminal may be ASCII only.
    safe = text.encode("ascii", "backslashreplace").decode()
    print("".join(c if c.isprintable() else "?" for c in safe), file=sys.stderr, flush=True)


def _quoted(text: str) -> str:
    """For a shell."""
    return text if re.fullmatch(r"[\w.-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _reason(error: Exception, server: str) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{server} is taken: choose another --port, or --port 0 for any that is free"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot listen on {server}: {error.strerror}"
    return str(error)


def _rate_limit(text: str) -> tuple[int | None, float]:
    if text == "off":
        return None, 60.0
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) < 1 or float(match[2] or 60) <= 0:
        raise typer.BadParameter(
            f"{text!r} is neither like 100/60 (100 requests in 60 seconds) nor off",
            param_hint="--rate-limit",
        )
    return int(match[1]), float(match[2] or 60)


def _latency(text: str) -> float | tuple[float, float]:
    parts = [_DURATION.fullmatch(part) for part in text.split("-")]
    seconds = [float(part[1]) / (1000 if part[2] == "ms" else 1) for part in parts if part]
    if len(seconds) < len(parts) or len(parts) > 2 or seconds != sorted(seconds):
        raise typer.BadParameter(
            f"{text!r} is not like 80ms, 0.5s or 10ms-80ms", param_hint="--latency"
        )
    return (seconds[0], seconds[1]) if len(seconds) == 2 else seconds[0]
