"""Records as answers of a Litestar service.

    $ pip install harbour-async litestar uvicorn
    $ HARBOUR_API_KEY=... python examples/litestar_service.py

Litestar encodes with msgspec, which reads the slots of an attrs class. Not all values of a record
are in its slots, so records refuse msgspec (TypeError) unless there are ``type_encoders``.
The records are personal data and this service has no users: put your own authentication before it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import uvicorn
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import NotFoundException

from harbour_async import HarbourSession, NotFoundError, Verification, to_dict


@get("/verifications/{verification_id:str}")
async def verification(verification_id: str, harbour: HarbourSession) -> Verification:
    try:
        return await harbour.verifications.get(verification_id)
    except NotFoundError:
        raise NotFoundException from None


@get("/people/{internal_id:str}/verifications")
async def verifications_of(internal_id: str, harbour: HarbourSession) -> list[Verification]:
    pager = harbour.verifications.list(metadata={"internal_id": internal_id}, timeout=10)
    return await pager.to_list()


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    async with HarbourSession(timeout=10, read_only=True) as harbour:
        app.state.harbour = harbour
        yield


def get_harbour(state: State) -> HarbourSession:
    harbour: HarbourSession = state.harbour
    return harbour


app = Litestar(
    route_handlers=[verification, verifications_of],
    lifespan=[lifespan],
    dependencies={"harbour": Provide(get_harbour, sync_to_thread=False)},
    type_encoders={
        Verification: partial(to_dict, dates="iso")
    },  # all fields, with the wire's names
)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
