"""A FastAPI service in front of Harbour that answers fast while it exports everything.

    $ pip install harbour-async fastapi uvicorn
    $ HARBOUR_API_KEY=... python examples/fastapi_service.py

One process, one session: all requests and the export share its connections and its rate budget.
The records are personal data and this service has no users: put your own authentication before it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict, TypeVar

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from harbour_async import (
    APITimeoutError,
    DeadlineExceededError,
    HarbourError,
    HarbourSession,
    NotFoundError,
    PagingReport,
    Priority,
    RateLimitError,
    Verification,
    VerificationResult,
    VerificationStatus,
    export,
)

T = TypeVar("T")

EXPORT = os.environ.get("EXPORT_PATH", "verifications.jsonl")
log = logging.getLogger("fastapi_service")


class VerificationOut(BaseModel):
    """The fields of a record that this service shows."""

    model_config = ConfigDict(from_attributes=True)

    verification_id: str
    status: VerificationStatus | str | None  # Harbour may add values: they come as plain strings
    result: VerificationResult | str | None
    verification_type: str | None
    created_at: datetime | None
    updated_at: datetime | None


class ExportOut(BaseModel):
    state: Literal["none", "running", "done", "failed"]
    records: int


class Exporter:
    """An export of all verifications beside the requests, one at a time."""

    def __init__(self, harbour: HarbourSession) -> None:
        self._harbour = harbour
        self._task: asyncio.Task[export.ExportReport] | None = None
        self._records = 0

    def start(self) -> None:
        if self._task is None or self._task.done():
            # A listing is Priority.BULK: it takes what the requests leave of the rate limit.
            pager = self._harbour.verifications.list()
            work = export.export(pager, EXPORT, on_progress=self._progress)
            self._task = asyncio.create_task(work)

    def _progress(self, report: PagingReport) -> None:
        self._records = report.yielded

    def state(self) -> ExportOut:
        if self._task is None:
            return ExportOut(state="none", records=0)
        if not self._task.done():
            return ExportOut(state="running", records=self._records)
        failed = self._task.cancelled() or self._task.exception()
        return ExportOut(state="failed" if failed else "done", records=self._records)

    async def stop(self) -> None:
        """Cancel the export. What it received is kept; the next export goes on from there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


class State(TypedDict):
    harbour: HarbourSession
    exporter: Exporter


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    # A person waits ten seconds at most; a service that only shows cannot delete by mistake.
    async with HarbourSession(timeout=10, read_only=True) as harbour:
        exporter = Exporter(harbour)
        try:
            yield {"harbour": harbour, "exporter": exporter}
        finally:  # before the session closes
            await exporter.stop()


app = FastAPI(lifespan=lifespan)


def get_harbour(request: Request) -> HarbourSession:
    harbour: HarbourSession = request.state.harbour
    return harbour


def get_exporter(request: Request) -> Exporter:
    exporter: Exporter = request.state.exporter
    return exporter


Harbour = Annotated[HarbourSession, Depends(get_harbour)]
TheExporter = Annotated[Exporter, Depends(get_exporter)]


@app.get("/verifications/{verification_id}", response_model=VerificationOut)
async def verification(verification_id: str, request: Request, harbour: Harbour) -> Verification:
    # A single call is Priority.INTERACTIVE: it goes before all pages of the export.
    return await while_connected(request, harbour.verifications.get(verification_id))


@app.get("/people/{internal_id}/verifications", response_model=list[VerificationOut])
async def verifications_of(
    internal_id: str, request: Request, harbour: Harbour
) -> list[Verification]:
    # A listing would be BULK, but for this one somebody waits.
    pager = harbour.verifications.list(
        metadata={"internal_id": internal_id}, priority=Priority.INTERACTIVE, timeout=10
    )
    return await while_connected(request, pager.to_list())


@app.put("/export", status_code=202)
async def start_export(exporter: TheExporter) -> ExportOut:
    exporter.start()
    return exporter.state()


@app.get("/export")
async def export_state(exporter: TheExporter) -> ExportOut:
    return exporter.state()


@app.exception_handler(HarbourError)
async def harbour_failed(_: Request, error: HarbourError) -> JSONResponse:
    """Log what Harbour said, and answer with a status only."""
    log.warning("%s: %s", type(error).__name__, error)
    match error:
        case NotFoundError():
            return JSONResponse({"detail": "Not Found"}, 404)
        case RateLimitError():
            return JSONResponse({"detail": "Harbour is busy"}, 503)
        case DeadlineExceededError() | APITimeoutError():
            return JSONResponse({"detail": "Harbour did not answer in time"}, 504)
    return JSONResponse({"detail": "Harbour failed"}, 502)


async def while_connected(request: Request, call: Coroutine[Any, Any, T]) -> T:
    """Await ``call``, and cancel it if the client hangs up.

    FastAPI runs a handler to its end, even if nobody waits for the answer any more. A cancelled
    call sends nothing further, and the turn that it waited for goes to the next.
    """
    work, gone = asyncio.create_task(call), asyncio.create_task(hung_up(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise HTTPException(499)  # only the access log shows it
        return work.result()
    finally:  # also if the server cancels the handler
        work.cancel()
        gone.cancel()
        await asyncio.wait((work, gone))


async def hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    # On SIGTERM uvicorn lets requests finish, for so long, and then leaves the lifespan.
    port = int(os.environ.get("PORT", "8000"))
    uvicorn.run(app, host="127.0.0.1", port=port, timeout_graceful_shutdown=15)
