"""The only module that logs: the events of all sessions, and the few warnings beside them.

Everything goes to ``logging.getLogger("harbour_async")`` and propagates as usual.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from harbour_async.errors import ConfigurationError
from harbour_async.events import (
    AttemptEnded,
    AttemptStarted,
    BudgetPaused,
    CallEnded,
    CallStarted,
    Event,
    RetryScheduled,
)

LONG_WAIT = 1.0
"""Seconds: a longer wait for the budget is logged at INFO."""

_ENVIRONMENT = "HARBOUR_LOG"
_LEVELS = {"info": logging.INFO, "debug": logging.DEBUG}
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_logger = logging.getLogger("harbour_async")


def warn(message: str, *args: object) -> None:
    """Warn of what is not about one call: ``warn("%s is away", name)``. No personal data."""
    with suppress(Exception):  # a log that cannot be written ends nothing
        _logger.warning(message, *args, stacklevel=2)


def wants_each_call() -> bool:
    """Whether anything below WARNING would be logged."""
    return _logger.isEnabledFor(logging.INFO)


def log(event: Event) -> None:
    """The listener that logs."""
    _SAID[type(event)](event)


def report(listener: object) -> None:
    """Log the exception that is being handled as one that a listener raised."""
    name = getattr(listener, "__qualname__", type(listener).__qualname__)
    _logger.exception(
        "the listener %s raised on an event; no further exception of it is reported", name
    )


def use_environment() -> None:
    """If ``HARBOUR_LOG`` is ``info`` or ``debug``, log to stderr from that level on.

    All sessions share one handler.

    Raises ConfigurationError for another value.
    """
    asked = os.environ.get(_ENVIRONMENT, "").strip().lower()
    if not asked:
        return
    if asked not in _LEVELS:
        raise ConfigurationError(f"{_ENVIRONMENT} must be info or debug, not {asked!r}")
    level = _LEVELS[asked]
    if not any(isinstance(handler, _StderrHandler) for handler in _logger.handlers):
        _logger.addHandler(_StderrHandler())
    for handler in _logger.handlers:
        if isinstance(handler, _StderrHandler):
            handler.setLevel(level)
    if not _logger.isEnabledFor(level):
        _logger.setLevel(level)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, because programs and tests replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter(_FORMAT))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def _call_started(event: CallStarted) -> None:
    _logger.debug("%s %s: call %d begins", event.method, event.template, event.call_id)


def _attempt_started(event: AttemptStarted) -> None:
    long = event.budget_wait > LONG_WAIT
    _logger.log(
        logging.INFO if long else logging.DEBUG,
        "%s %s: attempt %d waited %.2f s for the budget",
        event.method,
        event.template,
        event.attempt,
        event.budget_wait,
    )


def _attempt_ended(event: AttemptEnded) -> None:
    _logger.debug(
        "%s %s: attempt %d ended after %.2f s: %s",
        event.method,
        event.template,
        event.attempt,
        event.duration,
        _outcome(event.status, event.error),
    )


def _retry_scheduled(event: RetryScheduled) -> None:
    _logger.warning(
        "%s %s: attempt %d failed: %s; next attempt in %.2f s",
        event.method,
        event.template,
        event.attempt,
        _outcome(event.status, event.error),
        event.duration,
    )


def _budget_paused(event: BudgetPaused) -> None:
    _logger.warning(
        "%s %s: attempt %d was answered with %d: nothing is sent for %.2f s",
        event.method,
        event.template,
        event.attempt,
        event.status,
        event.duration,
    )


def _call_ended(event: CallEnded) -> None:
    # A call that gave up waiting has no AttemptStarted event, so its wait is logged here.
    in_vain = event.error is not None and event.budget_wait > LONG_WAIT
    _logger.log(
        logging.INFO if in_vain else logging.DEBUG,
        "%s %s: call %d ended after %.2f s (%.2f s waiting for the budget) and %d %s: %s",
        event.method,
        event.template,
        event.call_id,
        event.duration,
        event.budget_wait,
        event.attempt,
        "attempt" if event.attempt == 1 else "attempts",
        _outcome(event.status, event.error),
    )


def _outcome(status: int | None, error: str | None) -> str:
    return " ".join(str(part) for part in (status, error) if part is not None)


_SAID: dict[type[Event], Callable[[Any], None]] = {
    CallStarted: _call_started,
    AttemptStarted: _attempt_started,
    AttemptEnded: _attempt_ended,
    RetryScheduled: _retry_scheduled,
    BudgetPaused: _budget_paused,
    CallEnded: _call_ended,
}
