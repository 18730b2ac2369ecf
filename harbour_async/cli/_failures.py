"""Failures as a line for people and an exit code for scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harbour_async.errors import (
    APIStatusError,
    ConfigurationError,
    HarbourError,
    IncompleteListingError,
)
from harbour_async.export import ExportError

# Control characters, line separators, what turns the direction of text, and halves of pairs.
UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]+")
_LONGEST = 200  # characters of each text of the API


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, at any depth; an error that is not a group, itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def first_of(error: BaseException) -> BaseException:
    """The error to report: the first one of a group."""
    return next(leaves(error))


def exit_code(error: BaseException) -> int | None:
    """The exit code of a failure, None for a bug."""
    match first_of(error):
        case ConfigurationError():
            return 2
        case IncompleteListingError():
            return 3
        case HarbourError() | OSError():
            return 1
    return None


def one_line(error: BaseException) -> str:
    """What went wrong and where; for an error status the API's message, code and link."""
    first = first_of(error)
    if isinstance(first, APIStatusError):
        text = _status(first)
    elif isinstance(first, OSError) and not isinstance(first, HarbourError) and first.strerror:
        text = first.strerror + (f": {first.filename}" if first.filename else "")
    else:
        text = str(first)
    host = (getattr(first, "__notes__", None) or [""])[-1]  # open_session adds it last
    if host not in text and not isinstance(first, ConfigurationError | ExportError):
        text = f"{host}: {text}"
    return printable(text)


def printable(text: str) -> str:
    """The text on one line, without control characters."""
    return _UNPRINTABLE.sub(" ", text)


def _status(error: APIStatusError) -> str:
    said = [_cut(part).rstrip(".") for part in (error.message, *_details(error)) if part]
    number = f" (error {_cut(error.code)})" if error.code is not None else ""
    text = f"{error.method} {error.url} answered {error.status}{number}"
    if said:
        text += f": {'; '.join(dict.fromkeys(said))}"
    return f"{text}; see {_cut(error.more_info)}" if error.more_info else text


def _details(error: APIStatusError) -> Iterator[str]:
    if isinstance(error.detail, str):
        yield error.detail
    for entries in (error.detail, error.errors):
        for entry in entries[:3] if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield _entry(entry)


def _entry(entry: dict[str, Any]) -> str:
    """One wrong field, as FastAPI names it (loc, msg) or as newer endpoints do (path, message)."""
    place = entry.get("loc") or entry.get("path") or ""
    if isinstance(place, list):
        place = ".".join(map(str, place))
    said = entry.get("msg") or entry.get("message") or ""
    return f"{place}: {said}" if place and said else str(said)


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
