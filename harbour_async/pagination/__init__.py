"""Walks over listings that change meanwhile. Knows no HTTP: it is given a fetch function."""

from harbour_async._report import PagingReport
from harbour_async.pagination._batch import OnInvalid
from harbour_async.pagination._prefetch import Fetch
from harbour_async.pagination._walk import Source
from harbour_async.pagination.pager import Pager

__all__ = ["Fetch", "OnInvalid", "Pager", "PagingReport", "Source"]
