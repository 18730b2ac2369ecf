"""A sandbox, and a shell to call the command in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from harbour_async.sandbox import Sandbox
from tests.cli.process import Shell


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    async with Sandbox(verifications=230, webhooks=2, rate_limit=None) as sandbox:
        yield Shell(sandbox)
