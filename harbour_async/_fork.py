"""Tells a forked child, once, that limits are kept per process."""

from __future__ import annotations

import os
import warnings

_child = False
_warned = False


def _note_fork() -> None:
    global _child, _warned
    _child, _warned = True, False


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_note_fork)


def warn_in_child() -> None:
    """Warn if this process was forked; the second time is silent."""
    global _warned
    if _child and not _warned:
        _warned = True
        warnings.warn(
            "this process is a forked child, and its rate limit is its own: several workers "
            "together send that many times as much. Share one limit with RedisBudget.from_url(...)",
            RuntimeWarning,
            stacklevel=2,
        )
