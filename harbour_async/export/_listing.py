"""What an export has to know about a listing."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from typing import Any, Protocol, Self

from attrs import frozen

from harbour_async._report import PagingReport
from harbour_async.budget import Budget
from harbour_async.errors import ConfigurationError
from harbour_async.models import Page
from harbour_async.pagination import Pager


class PageIterator(Protocol):
    """Pages of a walk, which ends when it is closed."""

    def __aiter__(self) -> AsyncIterator[Page[Any]]: ...
    async def __anext__(self) -> Page[Any]: ...
    async def aclose(self) -> None: ...


class Listing(Protocol):
    """A pager, or a walk over several of them."""

    def pages(self) -> PageIterator: ...
    @property
    def resume_token(self) -> str: ...
    @property
    def report(self) -> PagingReport: ...
    @property
    def _identity(self) -> str: ...
    def _from(self, token: str, given: int = 0) -> Self: ...


@frozen
class Facts:
    """``about`` names resource, filters and order for people; ``ahead`` is in requests."""

    record: type[Any]
    about: str
    max_items: int | None
    ahead: int
    budget: Budget | None


def facts(listing: Listing) -> Facts:
    """ConfigurationError for a pager that was not made by a session's resource."""
    if not isinstance(listing, Pager):
        own = getattr(listing, "facts", None)
        if isinstance(own, Facts):
            return own
        raise ConfigurationError(
            f"a pager is needed, like harbour.verifications.list(), not {listing!r}"
        )
    options = listing._options
    if options.source is None:
        raise ConfigurationError("this pager does not say what it lists: use a session's resources")
    return Facts(
        options.source.record,
        _about(options.listing),
        options.max_items,
        options.concurrency,
        options.source.budget,
    )


def keeping(listing: Listing) -> Listing:
    """The listing with ``on_invalid="keep"`` if invalid records would end it otherwise."""
    return listing._keeping() if isinstance(listing, Pager) else listing


def _about(listing: str) -> str:
    path, params, *_ = ast.literal_eval(listing)
    return " ".join([path, *(f"{name}={value}" for name, value in params)])
