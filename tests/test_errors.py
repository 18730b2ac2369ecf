"""The tree of errors as promised; each survives pickling with its facts."""

from __future__ import annotations

import pickle

import pytest

from harbour_async import PagingReport, errors
from harbour_async.errors import HarbourError

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
    "DeadlineExceededError": (HarbourError, TimeoutError),
    "IncompleteListingError": (HarbourError,),
}


def test_the_tree_is_as_drawn() -> None:
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
    errors.SessionClosedError("x"),
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
        body="{}",
    ),
    errors.DecodeError("expected a boolean", path="$.items[3].is_scan"),
    errors.DeadlineExceededError("x"),
    errors.IncompleteListingError("x", report=PagingReport()),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: HarbourError) -> None:
    error.resume_token = "a token"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_messages_say_what_happened_where() -> None:
    error = errors.NotFoundError(status=404, method="GET", url="/verifications/V", message="M")
    assert str(error) == "GET /verifications/V answered 404: M"
    assert str(errors.DecodeError("missing", path="$.items[0]")) == "$.items[0]: missing"
