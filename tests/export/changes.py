"""What ``verifications.changes`` promises, over any listing: oldest update first, at least once."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from harbour_async import Page, Pager, PagingReport, Verification
from harbour_async.export._listing import Facts


class Changes:
    """A listing of what was updated at or after a moment, three records a page."""

    def __init__(
        self,
        everything: Callable[[], Pager[Verification]],
        since: datetime,
        *,
        resume: str | None = None,
        lookback: timedelta = timedelta(0),
        proved: bool = True,
        max_items: int | None = None,
        **_filters: Any,
    ) -> None:
        self._everything = everything
        self._since = since
        self._lookback = lookback
        self._proved = proved
        self._token = resume or json.dumps([since.isoformat(), []])
        self._max_items = max_items
        self._report = PagingReport()
        self.facts = Facts(Verification, "changes", max_items, 1, None)

    resume_token = property(lambda self: self._token)
    report = property(lambda self: self._report)
    _identity = "changes"

    def _from(self, token: str, given: int = 0) -> Changes:
        most = None if self._max_items is None else self._max_items - given
        return Changes(
            self._everything, self._since, resume=token, proved=self._proved, max_items=most
        )

    async def pages(self) -> AsyncGenerator[Page[Any], None]:
        moment, known = json.loads(self._token)
        floor = datetime.fromisoformat(moment)
        found = [
            (v.updated_at, v)
            async for v in self._everything()
            if v.updated_at and v.updated_at >= floor - self._lookback
            if not (v.updated_at == floor and v.verification_id in known)
        ]
        ordered = [v for _, v in sorted(found, key=lambda pair: pair[0])][: self._max_items]
        for start in range(0, len(ordered), 3):
            items = ordered[start : start + 3]
            last = max(items[-1].updated_at or floor, floor)
            at_last = [v.verification_id for v in ordered[: start + 3] if v.updated_at == last]
            self._token = json.dumps([last.isoformat(), at_last + (known if last == floor else [])])
            self._report = evolve(
                self._report,
                pages=self._report.pages + 1,
                yielded=self._report.yielded + len(items),
            )
            yield Page(items, len(ordered))
        self._report = evolve(self._report, complete=self._proved, reason=None)
