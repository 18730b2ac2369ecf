"""One API request, and the checks of paths and methods that a caller gives as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlencode

from attrs import field, frozen
from yarl import URL

from harbour_async._wire._arguments import has_control, plain
from harbour_async.errors import ConfigurationError, RequestInfo

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent again even if the first send succeeded (RFC 9110, section 9.2.2)."""

_METHODS = IDEMPOTENT | {"POST", "PATCH"}
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_SEGMENT_END = re.compile(r"[/\\;?#]")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What RFC 3986 allows in a path; % because it introduces what is escaped already.
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"


@frozen
class Request:
    """One request. ``path`` is relative to the base URL; it and ``query`` are escaped already.

    ``pattern`` is the path with names in place of ids; None for a path of one segment.
    """

    method: str
    path: str
    query: str = field(default="", repr=False)
    body: bytes | None = field(default=None, repr=False)
    page: int | None = None
    pattern: str | None = None

    @property
    def template(self) -> str:
        """The path without ids, for logs and events: its pattern, or its first segment."""
        return f"/{self.pattern or _first_segment(self.path)}"

    @property
    def info(self) -> RequestInfo:
        return RequestInfo(self.method, f"/{self.path}", self.page)

    def url(self, base: URL) -> URL:
        query = f"?{self.query}" if self.query else ""
        # Escaped already: yarl would turn %2E into a dot again.
        return URL(f"{base}/{self.path}{query}", encoded=True)


def query(pairs: Iterable[tuple[str, str]]) -> str:
    """Parameters as a query, spaces as %20."""
    return urlencode(list(pairs), quote_via=quote)


def method(given: str) -> str:
    """An HTTP method, in capitals."""
    name = str.__str__(given).upper() if isinstance(given, str) else ""
    if name not in _METHODS:
        raise ConfigurationError(f"method must be one of {sorted(_METHODS)}, not {given!r}")
    return name


def path(given: str) -> str:
    """The path, escaped; ConfigurationError if it could lead outside of the base URL."""
    if not isinstance(given, str) or has_control(given):
        raise ConfigurationError(f"path must be text without control characters, not {given!r}")
    if "://" in given or given.startswith("//"):
        raise ConfigurationError(f"path must be a path below the base URL, not a URL: {given!r}")
    text = plain(given).removeprefix("/")
    if not text or "?" in text or "#" in text or _BARE_PERCENT.search(text):
        raise ConfigurationError(
            f"path must be a path below the base URL, parameters go into params: {given!r}"
        )
    if any(part in (".", "..") for part in re.split(r"[/\\]", _unquoted(text))):
        raise ConfigurationError(f"path must not hold dots as segments: {given!r}")
    return quote(text, safe=_PATH_SAFE)


def _first_segment(path: str) -> str:
    # Servers may read an escaped slash as a slash, and text after a semicolon as parameters.
    return path if _PLAIN.fullmatch(path) else quote(_SEGMENT_END.split(_unquoted(path), 1)[0])


def _unquoted(text: str) -> str:
    """The text, unescaped until nothing is left to unescape, as a careless server might do."""
    while (shorter := unquote(text)) != text:
        text = shorter
    return text
