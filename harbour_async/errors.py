"""Everything this library raises.

::

    HarbourError
    ├── ConfigurationError (ValueError)     bad input; nothing was sent
    ├── SessionClosedError                  used after aclose(), or closed meanwhile
    ├── APIConnectionError                  no answer
    │   └── APITimeoutError (TimeoutError)  no answer in time (one attempt)
    ├── APIStatusError                      the API answered with an error
    │   ├── BadRequestError           400
    │   ├── AuthenticationError       401
    │   ├── PermissionDeniedError     403
    │   ├── NotFoundError             404
    │   ├── ConflictError             409
    │   ├── UnprocessableEntityError  422
    │   ├── RateLimitError            429
    │   └── InternalServerError       5xx
    ├── DecodeError                         the answer is not what the guide says
    ├── ResponseTooLargeError               the answer is larger than the session reads
    ├── DeadlineExceededError (TimeoutError)  the whole call ran out of time
    └── IncompleteListingError              a listing could not be proved complete

``harbour_async.export`` has one more: ExportError (OSError), a file that could not be written.
All of them can be pickled. None ever carries the API key, and none but APIStatusError, in its
attributes, any bytes of an answer: the answers hold criminal records. An error of a request names
it (``request``) and says how often it was sent (``attempts``). An error that ended a walk over a
listing has its ``resume_token``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from attrs import frozen

from harbour_async._report import PagingReport

_SHOWN = 200
"""Characters of a server's message that ``str()`` of its error shows."""


@frozen
class RequestInfo:
    """Which request an error is about: ``path`` below the base URL, ``page`` of a listing."""

    method: str
    path: str
    page: int | None = None

    def __str__(self) -> str:
        page = "" if self.page is None else f" (page {self.page})"
        return f"{self.method} {self.path}{page}"


class HarbourError(Exception):
    """Root of every error this library raises."""

    request: RequestInfo | None = None
    """The request that failed; None if the error is not about a single one."""

    attempts: int = 0
    """How often the request was sent, or was about to be."""

    resume_token: str | None = None
    """Where to go on, if the error ended a walk: ``list(resume=error.resume_token)``."""

    _separator = ": "

    def __str__(self) -> str:
        message = super().__str__()
        if self.request is None:
            return message
        attempts = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{self.request}{self._separator}{message}{attempts}"

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is pickled as a call of its class with `args`, which fails for
        # keyword-only constructors. So the attributes are pickled instead.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[HarbourError], args: tuple[Any, ...], state: dict[str, Any]) -> HarbourError:
    error = cls.__new__(cls, *args)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class ConfigurationError(HarbourError, ValueError):
    """An argument or a setting cannot be used; nothing was sent."""


class SessionClosedError(HarbourError):
    """The session was used after it had been closed, or was closed while the call was under way.

    ``sent`` is False if the request certainly did not reach the API, or was turned away by it.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class APIConnectionError(HarbourError):
    """The request got no answer: the connection could not be made, or was lost.

    ``sent`` is False if certainly no attempt sent the request. ``final`` is
    True where trying again cannot help: a certificate that is not trusted, a proxy that refuses.
    """

    def __init__(self, message: str, *, sent: bool = True, final: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.final = final


class APITimeoutError(APIConnectionError, TimeoutError):
    """One attempt got no answer in time (``Timeout.attempt`` or ``Timeout.connect``)."""


class APIStatusError(HarbourError):
    """The API answered with an error status (guide: "Errors").

    ``code``, ``message``, ``detail``, ``more_info`` and ``errors`` are the fields of the error
    envelope where there was one; ``retry_after`` is in seconds; ``headers`` are those of the
    answer as a plain dict, ``request_id`` is its ``X-Request-ID``; ``body`` is the answer as it
    came, decoded as UTF-8. What ``str()`` shows of them is ``code`` and ``message``, cut at 200
    characters.
    """

    _separator = " "

    def __init__(
        self,
        *,
        status: int,
        method: str,
        url: str,
        code: int | str | None = None,
        message: str | None = None,
        detail: Any = None,
        more_info: str | None = None,
        errors: list[Any] | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        body: str = "",
    ) -> None:
        number = f" (error {_shown(code)})" if code is not None else ""
        super().__init__(f"answered {status}{number}: {_shown(message) or _phrase(status)}")
        self.request: RequestInfo | None = RequestInfo(method, url)
        self.status = status
        self.method = method
        self.url = url
        self.code = code
        self.message = message
        self.detail = detail
        self.more_info = more_info
        self.errors = errors
        self.retry_after = retry_after
        self.headers: dict[str, str] = dict(headers or {})
        self.request_id = request_id
        self.body = body


def _shown(value: object) -> str:
    """A text of the server on one line, cut and without control characters."""
    text = "" if value is None else str(value)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no explanation"


class BadRequestError(APIStatusError):
    """400: the request is wrong; ``detail`` or ``errors`` may say where."""


class AuthenticationError(APIStatusError):
    """401: the API key is missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """403: the API key may not do this."""


class NotFoundError(APIStatusError):
    """404: there is no such object."""


class ConflictError(APIStatusError):
    """409: the object's state does not allow this."""


class UnprocessableEntityError(APIStatusError):
    """422: an argument is not valid; ``detail`` or ``errors`` may say which."""


class RateLimitError(APIStatusError):
    """429: too many requests; ``retry_after`` says when to come back, in seconds."""


class InternalServerError(APIStatusError):
    """5xx: the API or a gateway failed."""


class DecodeError(HarbourError):
    """An answer is not what the guide says; ``path`` names the place: ``$.items[3].is_scan``.

    ``status`` is that of the answer; ``content_type`` and ``size`` (bytes) say what kind of body
    it was; None where there was no answer.
    """

    status: int | None = None
    content_type: str | None = None
    size: int | None = None

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path

    def __str__(self) -> str:
        message = super().__str__()
        if self.size is None:
            return message
        status = "" if self.status is None else f"status {self.status}, "
        kind = self.content_type or "of no type"
        return f"{message} ({status}the body is {kind}, {self.size} bytes)"


class ResponseTooLargeError(HarbourError):
    """The answer is larger than ``max_response_bytes``, decompressed; reading it was stopped.

    ``limit`` is in bytes; ``status`` is that of the answer.
    """

    def __init__(self, message: str, *, limit: int, status: int) -> None:
        super().__init__(message)
        self.limit = limit
        self.status = status


class DeadlineExceededError(HarbourError, TimeoutError):
    """The whole call did not finish in its time, or certainly could not.

    ``sent`` is False if the request certainly did not reach the API, or was turned away by it.
    ``last_status`` is the status of a verification that ``wait_for`` saw last, and None elsewhere;
    nothing else of the record is kept, for it is personal data.
    """

    sent: bool = False
    last_status: str | None = None


class IncompleteListingError(HarbourError):
    """A listing cannot be proved complete, or was not read to its end; ``report`` says why."""

    def __init__(self, message: str, *, report: PagingReport) -> None:
        super().__init__(message)
        self.report = report
