"""The API key: where it comes from, and how it is kept out of errors, logs and ``repr``."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Awaitable, Callable
from typing import NoReturn

from harbour_async._wire import has_control
from harbour_async.errors import ConfigurationError

KeySource = Callable[[], str | Awaitable[str]]

_SHOWN = "[api key]"


class Secret:
    """A key that does not show in ``repr`` or tracebacks with locals, and cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def reveal(self) -> str:
        return str.__str__(self._value)

    def problem(self) -> str | None:
        """Why it cannot be a key; None if it can. Does not raise: this frame holds the key."""
        value = self._value
        if isinstance(value, str) and value.strip() and value.isascii() and not has_control(value):
            return None
        return "the API key must be printable ASCII text, and not blank"

    def __repr__(self) -> str:
        return _SHOWN

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be pickled or copied")


class Keys:
    """The key of a session, and all keys that its source ever gave.

    No function raises while it holds a key as text: a traceback with locals would show the key.
    """

    def __init__(self, given: str | KeySource | None) -> None:
        self._source: KeySource | None = None
        self._fixed: Secret | None = None
        self._patterns: dict[str, re.Pattern[str]] = {}
        if callable(given):
            self._source = given
        else:
            value = os.environ.get("HARBOUR_API_KEY") if given is None else given
            self._fixed = None if value is None else Secret(value)

    def check(self) -> None:
        """Raise ConfigurationError if there is no key, or an unusable one ("Get your keys")."""
        if self._source is not None:
            return
        if self._fixed is None:
            raise ConfigurationError("no API key: pass one, or set HARBOUR_API_KEY")
        self._accept(self._fixed)

    @property
    def fixed(self) -> Secret | None:
        """The key, if it never changes."""
        return self._fixed

    async def ask(self) -> Secret:
        """The current key. An error that the source raises passes through."""
        if self._fixed is not None:
            return self._fixed
        assert self._source is not None
        given = self._source()
        secret = Secret(await given if inspect.isawaitable(given) else given)
        del given
        self._accept(secret)
        return secret

    def _accept(self, secret: Secret) -> None:
        problem = secret.problem()
        if problem is not None:
            raise ConfigurationError(problem)
        if secret.reveal() not in self._patterns:
            self._patterns[secret.reveal()] = _pattern(secret)

    def redact(self, text: str) -> str:
        """The text without any key that was ever given."""
        for pattern in self._patterns.values():
            text = pattern.sub(_SHOWN, text)
        return text


def _pattern(secret: Secret) -> re.Pattern[str]:
    """A pattern for the key in every spelling of its characters in JSON, HTML and URLs."""
    return re.compile("".join(map(_spellings, secret.reveal())))


def _spellings(character: str) -> str:
    code = ord(character)
    return (
        rf"(?:\\?{re.escape(character)}|\\u(?i:00{code:02x})|%(?i:{code:02x})"
        rf"|&\#0*{code};|&\#[xX]0*(?i:{code:x});)"
    )
