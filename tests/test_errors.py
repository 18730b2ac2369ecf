"""The tree of errors, their messages, and their attributes after pickling."""

from __future__ import annotations

import copy
import errno
import pickle

import pytest

from harbour_async import PagingReport, errors
from harbour_async.errors import HarbourError
from harbour_async.export import ExportError

TREE: dict[str, tuple[type[BaseException], ...]] = {
    "ConfigurationError": (HarbourError, ValueError),
    "SessionClosedError": (HarbourError,),
    "APIConnectionError": (HarbourError,),
    "APITimeoutError": (errors.APIConnectionError, TimeoutError),
    "APIStatusError": (HarbourError,),
    "BadRequestError": (errors.APIStatusError,),
    "AuthenticationError": (errors.APIStatusError,),
    "PermissionDeniedError": (errors.APIStatusError,),
    "NotFoundError": (errors.APIStatusError,),
    "ConflictError": (errors.APIStatusError,),
    "UnprocessableEntityError": (errors.APIStatusError,),
    "RateLimitError": (errors.APIStatusError,),
    "InternalServerError": (errors.APIStatusError,),
    "DecodeError": (HarbourError,),
    "ResponseTooLargeError": (HarbourError,),
    "DeadlineExceededError": (HarbourError, TimeoutError),
    "IncompleteListingError": (HarbourError,),
}


def test_the_tree_of_errors_is_as_documented() -> None:
    found = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, HarbourError)
    }
    assert found == {*TREE, "HarbourError"}
    for name, parents in TREE.items():
        for parent in parents:
            assert issubclass(getattr(errors, name), parent)
        assert name in (errors.__doc__ or "")


EXAMPLES = [
    HarbourError("x"),
    errors.ConfigurationError("x"),
    errors.SessionClosedError("x", sent=True),
    errors.APIConnectionError("x", sent=False),
    errors.APITimeoutError("x", sent=True),
    errors.RateLimitError(
        status=429,
        method="GET",
        url="/verifications",
        code=2003,
        message="M",
        detail=[{"loc": ["query", "size"]}],
        more_info="https://k.example",
        errors=[{"path": "x"}],
        retry_after=3.0,
        headers={"Retry-After": "3"},
        request_id="r-1",
        body="{}",
    ),
    errors.DecodeError("expected a boolean", path="$.items[3].is_scan"),
    errors.ResponseTooLargeError("x", limit=5, status=200),
    errors.DeadlineExceededError("x"),
    errors.IncompleteListingError("x", report=PagingReport()),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: HarbourError) -> None:
    error.resume_token = "a token"
    error.request = errors.RequestInfo("GET", "/verifications", 3)
    error.attempts = 2
    error.add_note("a note")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert (again.request, again.attempts) == (error.request, 2)


def test_an_export_error_keeps_its_errno() -> None:
    error = ExportError("the disk is full", errno.ENOSPC)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (again.errno, str(again)) == (errno.ENOSPC, "the disk is full")


def test_messages_say_what_happened_where() -> None:
    error = errors.NotFoundError(status=404, method="GET", url="/verifications/V", message="M")
    assert str(error) == "GET /verifications/V answered 404: M"
    assert str(errors.DecodeError("missing", path="$.items[0]")) == "$.items[0]: missing"


def test_an_error_names_its_request_and_its_attempts() -> None:
    error = errors.APIConnectionError("no connection to host:443: refused")
    assert str(error) == "no connection to host:443: refused"
    error.request = errors.RequestInfo("GET", "/verifications", 3)
    error.attempts = 5
    assert str(error) == (
        "GET /verifications (page 3): no connection to host:443: refused (5 attempts)"
    )


def test_a_status_error_shows_code_and_message_only() -> None:
    error = errors.InternalServerError(
        status=503,
        method="GET",
        url="/x",
        code=2003,
        message="Service Unavailable",
        detail="Service Unavailable",
        body="Jane Doe",
    )
    assert str(error) == "GET /x answered 503 (error 2003): Service Unavailable"


def test_a_status_error_without_a_message_says_what_the_status_means() -> None:
    assert str(errors.NotFoundError(status=404, method="GET", url="/x")).endswith("404: Not Found")
    strange = errors.InternalServerError(status=529, method="GET", url="/x")
    assert str(strange).endswith("529: no explanation")


def test_a_long_message_is_cut_and_stays_on_one_line() -> None:
    error = errors.NotFoundError(
        status=404, method="GET", url="/x", code="c" * 999, message="a\r\n\x1b" + "b" * 999
    )
    assert "a " + "b" * 198 + "…" in str(error)
    assert len(str(error)) < 500
    assert str(error).isprintable()
    assert error.message is not None
    assert len(error.message) == 1003


def test_a_decode_error_says_what_kind_of_body_came() -> None:
    error = errors.DecodeError("invalid JSON")
    error.content_type, error.size = "text/html", 512
    assert str(error) == "$: invalid JSON (the body is text/html, 512 bytes)"
