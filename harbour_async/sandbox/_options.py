"""The options of a sandbox, validated when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Spelling = Literal["both", "plural", "singular", "guide"]
Method = Literal["GET", "PUT", "DELETE"]
Errors = Literal["guide", "newer"]
Receipts = Literal["object", "204", "blank", "null", "{}"]
UnknownRoute = Literal[403, 404, 405]
Clock = Literal["own", "machine"]
Envelope = Literal["ints", "strings"]
GetWebhook = Literal["object", "short"]
EventsShape = Literal["page", "bare"]
RetryAfter = Literal["seconds", "date"]


@dataclass(kw_only=True, eq=False)
class Options:
    """The keyword arguments of ``Sandbox``, explained there."""

    verifications: int = 1000
    webhooks: int = 3
    events: int = 5
    seed: int = 0
    ties: int = 1
    shuffle_ties: bool = False
    database: str = ":memory:"
    clock: Clock = "own"
    api_key: str = "sandbox-key"
    rate_limit: int | None = 100
    per: float = 60.0
    retry_after: RetryAfter | None = "seconds"
    latency: float | tuple[float, float] = 0.0
    host: str = "127.0.0.1"
    port: int = 0
    keepalive_timeout: float = 75.0
    spelling: Spelling | Mapping[Method, Spelling] = "both"
    unknown_route: UnknownRoute | None = None
    errors: Errors = "guide"
    receipts: Receipts = "object"
    envelope: Envelope = "ints"
    get_webhook: GetWebhook = "object"
    events_shape: EventsShape = "page"

    def __post_init__(self) -> None:
        for name in ("verifications", "webhooks", "events"):
            self._whole(name, 0)
        self._whole("seed")
        self._whole("ties", 1)
        self._whole("port", 0, 65535)
        self._require("host", isinstance(self.host, str) and self.host != "", "a name or address")
        self._require("database", isinstance(self.database, str), "a path or ':memory:'")
        if self.rate_limit is not None:
            self._whole("rate_limit", 1)
        self._require("shuffle_ties", isinstance(self.shuffle_ties, bool), "True or False")
        self._require("per", _is_seconds(self.per) and self.per > 0, "a number above zero")
        self._require("keepalive_timeout", _is_seconds(self.keepalive_timeout), "seconds")
        self._require("latency", _is_latency(self.latency), "seconds or a pair (low, high)")
        key = self.api_key
        self._require(
            "api_key",
            isinstance(key, str)
            and key.isascii()
            and key.isprintable()
            and key == key.strip() != "",
            "printable ASCII without spaces around it",  # HTTP drops those of a header
        )
        self._choice("retry_after", (*get_args(RetryAfter), None))
        self._choice("unknown_route", (*get_args(UnknownRoute), None))
        wanted = f"one of {get_args(Spelling)}, or such for each of {get_args(Method)}"
        self._require("spelling", _is_spelling(self.spelling), wanted)
        for name, choices in (
            ("clock", Clock),
            ("errors", Errors),
            ("receipts", Receipts),
            ("envelope", Envelope),
            ("get_webhook", GetWebhook),
            ("events_shape", EventsShape),
        ):
            self._choice(name, get_args(choices))

    def _require(self, name: str, good: bool, wanted: str) -> None:
        if not good:
            raise ValueError(f"{name} must be {wanted}, not {getattr(self, name)!r}")

    def _whole(self, name: str, low: int | None = None, high: int | None = None) -> None:
        value = getattr(self, name)
        good = is_whole(value, low, high)
        bounds = "" if low is None else f" from {low}" + ("" if high is None else f" to {high}")
        self._require(name, good, f"a whole number{bounds}")

    def _choice(self, name: str, choices: tuple[Any, ...]) -> None:
        self._require(name, getattr(self, name) in choices, f"one of {choices}")


def is_whole(value: object, low: int | None = None, high: int | None = None) -> bool:
    """Whether it is a whole number within these bounds."""
    good = isinstance(value, int) and not isinstance(value, bool)
    return good and (low is None or value >= low) and (high is None or value <= high)  # type: ignore[operator]


def _is_spelling(value: object) -> bool:
    if isinstance(value, Mapping):
        known = set(value) <= set(get_args(Method))
        return known and all(spelling in get_args(Spelling) for spelling in value.values())
    return value in get_args(Spelling)


def _is_seconds(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0  # type: ignore[arg-type,operator]


def _is_latency(value: object) -> bool:
    if isinstance(value, tuple):
        return len(value) == 2 and all(map(_is_seconds, value)) and value[0] <= value[1]
    return _is_seconds(value)
