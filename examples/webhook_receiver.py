"""Receive Harbour's webhooks, and fetch what changed.

    $ export HOOK_SECRET=$(python -c 'import secrets; print(secrets.token_urlsafe())')
    $ HARBOUR_API_KEY=... python examples/webhook_receiver.py changes.token

The URL to register is https://YOUR-HOST/hooks/ and the secret. Harbour's guide does not say what a
webhook delivers, how it is signed or how often it is tried. So the receiver does not read the body
of a delivery. A delivery to the secret path only makes it read from the API what changed since its
checkpoint. A delivery that is lost, forged or repeated therefore does no harm.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from harbour_async import HarbourError, HarbourSession, Verification

EVERYTHING = datetime(2000, 1, 1, tzinfo=UTC)  # where a receiver without a checkpoint begins
INTERVAL = 60.0  # seconds: looks this often even without a delivery, because one may be lost

log = logging.getLogger("webhook_receiver")


async def handle(v: Verification) -> None:
    """Put your code here. It must be idempotent, because the same change may come twice.

    Deletions are not among the changes; a nightly run of reconcile_sqlite.py finds them.
    """
    print(v.verification_id, v.status, flush=True)


class Receiver:
    """Answers deliveries at once; one task reads the changes, however many deliveries came."""

    def __init__(self, secret: str, checkpoint: Path) -> None:
        self._secret = secret.encode()
        self._checkpoint = checkpoint
        self._look = asyncio.Event()

    async def deliver(self, request: web.Request) -> web.Response:
        path = request.match_info["secret"].encode()
        if not hmac.compare_digest(path, self._secret):  # in constant time
            raise web.HTTPNotFound
        self._look.set()  # the body is not read
        return web.Response(status=204)

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        async with HarbourSession(read_only=True) as harbour:
            task = asyncio.create_task(self._follow(harbour))
            yield
            task.cancel()
            await asyncio.wait([task])

    async def _follow(self, harbour: HarbourSession) -> None:
        while True:  # the first time at once: something may have changed while it was down
            self._look.clear()  # before reading, so that a delivery meanwhile leads to another look
            try:
                await self._catch_up(harbour)
            except HarbourError as error:  # the next look goes on from the same checkpoint
                log.warning("%s: %s", type(error).__name__, error)
            except Exception:  # also from handle(): the task must go on, or no change is read again
                log.exception("the changes could not be handled")
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._look.wait()

    async def _catch_up(self, harbour: HarbourSession) -> None:
        token = self._checkpoint.read_text() if self._checkpoint.exists() else None
        changes = harbour.verifications.changes(EVERYTHING, resume=token)
        async for v in changes:
            await handle(v)
        # The loop ended without an error, so nothing was missed. After an error the checkpoint
        # stays, and the next look repeats what came since.
        self._save(changes.resume_token)

    def _save(self, token: str) -> None:
        new = self._checkpoint.with_suffix(".new")
        new.write_text(token)
        new.replace(self._checkpoint)  # atomically


def main(checkpoint: str) -> None:
    logging.basicConfig(level=logging.INFO)
    secret = os.environ.get("HOOK_SECRET", "")
    if len(secret) < 32:
        sys.exit("HOOK_SECRET must have at least 32 characters: nothing else is checked")
    receiver = Receiver(secret, Path(checkpoint))
    app = web.Application()
    app.router.add_post("/hooks/{secret}", receiver.deliver)
    app.cleanup_ctx.append(receiver.run)
    port = int(os.environ.get("PORT", "8000"))
    web.run_app(app, host="127.0.0.1", port=port, access_log=None)  # which would show the secret


if __name__ == "__main__":
    main(sys.argv[1])
