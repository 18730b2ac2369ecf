"""Runs a check in a forked child of the test process."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable


def in_a_fork(check: Callable[[], None]) -> None:
    """Run ``check`` in a forked child; an assertion that fails there fails here."""
    with warnings.catch_warnings():
        # The child only runs Python code of this test, so other threads do not matter.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            check()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
