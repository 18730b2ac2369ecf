"""Where the values of an object or array stand in its JSON, by brackets and commas alone.

msgspec refuses a text that has NaN or half of a surrogate pair anywhere, even in what it skips.
Python's ``json.dumps`` writes the one, ``JSON.stringify`` the other, and one record with it must
not cost the others of its page. Apart from these, the text has to be JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


def elements(array: bytes) -> list[bytes]:
    """The values of an array, each as it came."""
    return list(_parts(array))


def members(json_object: bytes) -> dict[str, bytes]:
    """The values of an object by their names."""
    found = {}
    for part in _parts(json_object):
        name = _MARK.match(part)
        if name:
            found[json.loads(name[0])] = part[name.end() :].lstrip()[1:].lstrip()  # the colon
    return found


def _parts(text: bytes) -> Iterator[bytes]:
    depth = start = 0
    for mark in _MARK.finditer(text):
        if mark[0] in b"[{":
            depth += 1
            start = mark.end() if depth == 1 else start
        elif mark[0] in b"]}":
            depth -= 1
        if depth == 0 or (depth == 1 and mark[0] == b","):
            part = text[start : mark.start()].strip()
            start = mark.end()
            if part:
                yield part
