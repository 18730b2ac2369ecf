"""Functions that callers hand in: they are called, and what they return is used at once."""

from __future__ import annotations

import inspect

from harbour_async.errors import ConfigurationError

_LAZY = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


def check_function(name: str, given: object, allowed: str = "a function") -> None:
    """Raise ConfigurationError unless it is a function that does its work when it is called.

    Nothing would await an async one or iterate a generator, so it would do nothing, and what it
    returns would be taken for a result.
    """
    if not callable(given):
        raise ConfigurationError(f"{name} must be {allowed}, not {given!r}")
    forms = (given, getattr(type(given), "__call__", None))  # noqa: B004 - the method itself
    if any(is_lazy(form) for is_lazy in _LAZY for form in forms):
        raise ConfigurationError(
            f"{name} must be an ordinary function: {given!r} is async or a generator, and would "
            "never be awaited or iterated"
        )
