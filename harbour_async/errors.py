"""Everything this library raises.

::

    HarbourError
    ├── ConfigurationError (ValueError)     bad input; nothing was sent
    ├── SessionClosedError                  used after ``aclose()``
    ├── APIConnectionError                  no answer
    │   └── APITimeoutError (TimeoutError)  no answer in time (one attempt)
    ├── APIStatusError                      the API said no
    │   ├── BadRequestError           400
    │   ├── AuthenticationError       401
    │   ├── PermissionDeniedError     403
    │   ├── NotFoundError             404
    │   ├── ConflictError             409
    │   ├── UnprocessableEntityError  422
    │   ├── RateLimitError            429
    │   └── InternalServerError       5xx
    ├── DecodeError                         the answer is not what the guide says
    ├── DeadlineExceededError (TimeoutError)  the whole call ran out of time
    └── IncompleteListingError              a listing could not be proved complete

All of them can be pickled, and none ever carries the API key. An error that ended a
walk over a listing has its ``resume_token``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harbour_async.pagination import PagingReport


class HarbourError(Exception):
    """Root of every error this library raises."""

    resume_token: str | None = None
    """Where to go on, if the error ended a walk: ``list(resume=error.resume_token)``."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by calling the class with `args`, which keyword-only
        # constructors do not survive; attributes carry the facts instead.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[HarbourError], args: tuple[Any, ...], state: dict[str, Any]) -> HarbourError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(HarbourError, ValueError):
    """An argument or a setting cannot be used; nothing was sent."""


class SessionClosedError(HarbourError):
    """The session was used after it had been closed."""


class APIConnectionError(HarbourError):
    """The request got no answer: the connection could not be made, or was lost.

    ``sent`` is False if the request certainly never left.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class APITimeoutError(APIConnectionError, TimeoutError):
    """One attempt got no answer in time (``Timeout.attempt`` or ``Timeout.connect``)."""


class APIStatusError(HarbourError):
    """The API answered with an error status (guide: "Errors").

    ``code``, ``message``, ``detail``, ``more_info`` and ``errors`` are the fields of the error
    envelope where there was one; ``retry_after`` is in seconds; ``body`` is the answer as it
    came, decoded as UTF-8.
    """

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
        body: str = "",
    ) -> None:
        said = " ".join(str(part) for part in (message, detail) if part) or "no explanation"
        number = f" (error {code})" if code is not None else ""
        super().__init__(f"{method} {url} answered {status}{number}: {said}")
        self.status = status
        self.method = method
        self.url = url
        self.code = code
        self.message = message
        self.detail = detail
        self.more_info = more_info
        self.errors = errors
        self.retry_after = retry_after
        self.body = body


class BadRequestError(APIStatusError):
    """400"""


class AuthenticationError(APIStatusError):
    """401"""


class PermissionDeniedError(APIStatusError):
    """403"""


class NotFoundError(APIStatusError):
    """404"""


class ConflictError(APIStatusError):
    """409"""


class UnprocessableEntityError(APIStatusError):
    """422"""


class RateLimitError(APIStatusError):
    """429"""


class InternalServerError(APIStatusError):
    """5xx"""


class DecodeError(HarbourError):
    """An answer is not what the guide says; ``path`` names the place: ``$.items[3].is_scan``."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class DeadlineExceededError(HarbourError, TimeoutError):
    """The whole call could not be, or certainly cannot be, finished in its time."""


class IncompleteListingError(HarbourError):
    """A listing cannot be proved complete, or was not read to its end; ``report`` says why."""

    def __init__(self, message: str, *, report: PagingReport) -> None:
        super().__init__(message)
        self.report = report
