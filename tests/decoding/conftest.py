"""Each test module starts without the unknown fields that the decoder learned in another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harbour_async._decoding import scan


@pytest.fixture(autouse=True, scope="module")
def nothing_learned() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "_scanners", {})
        yield
