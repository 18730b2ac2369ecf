"""The answer to a request that this library knows no method for."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from harbour_async._decoding import decode_any
from harbour_async._wire import content_type, json_text
from harbour_async.errors import DecodeError


@frozen
class Response:
    """What ``session.request`` returns: a success, as it came.

    status: the HTTP status, 2xx (or 404, see ``HarbourSession.request``).
    headers: a plain dict. Well-known names have their usual letter case, others that in which they
        came; of a name that came more than once it has the last value.
    body: the decompressed bytes.
    request_id: ``X-Request-ID``, or None.
    attempts: how often the request was sent.
    elapsed: seconds from the call to its answer, all waiting included.
    """

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    request_id: str | None
    attempts: int
    elapsed: float

    def json(self) -> Any:
        """The body's JSON value; DecodeError if it is not JSON."""
        try:
            return decode_any(json_text(self.body))
        except DecodeError as error:
            failure = error
        failure.status = self.status
        failure.content_type, failure.size = content_type(self.headers), len(self.body)
        # A parser's error may quote the body, and its frames hold it.
        failure.__cause__ = failure.__context__ = failure.__traceback__ = None
        raise failure
