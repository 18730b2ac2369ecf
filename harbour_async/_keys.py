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

_ESCAPE = re.compile(
    r"\\(?:u00([0-9a-fA-F]{2}))?|%([0-9a-fA-F]{2})"
    r"|&#[xX]0*([0-9a-fA-F]{1,2});|&#0*([0-9]{1,3});|&(amp|lt|gt|quot|apos);"
)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_LIKE_ESCAPES = re.compile(r"[\\%&#;]|u00|u0?$")
_OVERLAP = 5
"""So many characters of a key can look like the rest of an escape that begins before it."""


class Secret:
    """A key that does not show in ``repr`` or tracebacks with locals, and cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def reveal(self) -> str:
        # Spaces around a header's value are not a part of it (RFC 9110, section 5.5). A server
        # that sends the key back does so without them, and it would not be redacted.
        return str.__str__(self._value).strip(" ")

    def problem(self) -> str | None:
        """Why it cannot be a key; None if it can. Does not raise: this frame holds the key."""
        value = self._value
        if isinstance(value, str) and value.strip() and value.isascii() and not has_control(value):
            return None
        return "the API key must be printable ASCII text, and not blank"

    @property
    def like_escapes(self) -> bool:
        """Whether a part of it can be read as an escape, or as the beginning of one."""
        return _LIKE_ESCAPES.search(self.reveal()) is not None

    def may_be_in(self, plain: str) -> bool:
        """Whether a text may hold it that reads ``plain`` without its escapes."""
        return self.reveal()[_OVERLAP:] in plain

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
        self._given: dict[str, Secret] = {}
        # To make one takes a millisecond for every twenty characters. So keys that rotate have
        # none, but those that a server sends back, and those that look like escapes.
        self._patterns: dict[Secret, re.Pattern[str]] = {}
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
        if secret.reveal() not in self._given:
            self._given[secret.reveal()] = secret
            if secret.like_escapes:
                self._patterns[secret] = _pattern(secret)

    def redact(self, text: str) -> str:
        """The text without any key that was ever given."""
        plain = None if self._fixed else _ESCAPE.sub(_unescaped, text)
        for secret in self._given.values():
            pattern = self._patterns.get(secret)
            if pattern is None and (plain is None or secret.may_be_in(plain)):
                pattern = self._patterns[secret] = _pattern(secret)
            if pattern is not None:
                text = pattern.sub(_SHOWN, text)
        return text


def _unescaped(escape: re.Match[str]) -> str:
    of_json, of_url, hexadecimal, decimal, name = escape.groups()
    if name:
        return _NAMED[name]
    digits = of_json or of_url or hexadecimal
    if digits:
        return chr(int(digits, 16))
    return chr(int(decimal)) if decimal else ""


def _pattern(secret: Secret) -> re.Pattern[str]:
    """A pattern for the key in every spelling of its characters in JSON, HTML and URLs."""
    return re.compile("".join(map(_spellings, secret.reveal())))


def _spellings(character: str) -> str:
    code = ord(character)
    named = "".join(f"|&{name};" for name, meant in _NAMED.items() if meant == character)
    return (
        rf"(?:\\?{re.escape(character)}|\\u(?i:00{code:02x})|%(?i:{code:02x})"
        rf"|&\#0*{code};|&\#[xX]0*(?i:{code:x});{named})"
    )
