"""Where the values of an object or array stand in its JSON, by brackets and commas alone.

msgspec refuses a text that has NaN, half of a surrogate pair or a thousand levels anywhere, even
in what it skips. Python's ``json.dumps`` writes the first, ``JSON.stringify`` the second, and one
record with it must not cost the others of its page. Each function raises ValueError for a text
whose brackets and commas are not those of JSON; the values are not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

# Possessive, and a quote alone is a mark too: a string that does not end is noticed at its
# beginning. Otherwise each quote in it would be tried, in quadratic time.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_MARK = re.compile(_STRING + rb'|["\[\]{},]', re.DOTALL)
_NAME = re.compile(rb"(" + _STRING + rb")[ \t\n\r]*:", re.DOTALL)
_SPACE = b" \t\n\r"

_MOST_MARKS = 1 << 20
"""A hostile body of 64 MB would keep the event loop for half a minute; these take a second."""


def elements(array: bytes) -> list[bytes]:
    """The values of an array, each as it came."""
    return list(_parts(array, b"[", b"]"))


def members(json_object: bytes) -> list[tuple[str, bytes]]:
    """The names and values of an object; a name that comes twice is in it twice."""
    found = []
    for part in _parts(json_object, b"{", b"}"):
        name = _NAME.match(part)
        if name is None:
            raise ValueError("a name and a colon are missing")
        found.append((json.loads(name[1]), part[name.end() :].lstrip(_SPACE)))
    return found


def _parts(text: bytes, opening: bytes, closing: bytes) -> Iterator[bytes]:
    text = text.strip(_SPACE)
    if not (text.startswith(opening) and text.endswith(closing)):
        raise ValueError(f"not between {opening!r} and {closing!r}")
    if not text[1:-1].strip(_SPACE):
        return
    depth = start = 1
    for mark in islice(_MARK.finditer(text, 1), _MOST_MARKS):
        if mark[0] == b'"':
            raise ValueError("a string does not end")
        if mark[0] in b"[{":
            depth += 1
        elif mark[0] in b"]}":
            depth -= 1
        if depth == 0 or (depth == 1 and mark[0] == b","):
            part = text[start : mark.start()].strip(_SPACE)
            start = mark.end()
            yield part
        if depth == 0:
            break
    if depth or start != len(text):
        raise ValueError("the brackets do not match, or are too many")
