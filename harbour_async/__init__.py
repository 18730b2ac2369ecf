"""The asyncio client for Harbour's API v2.2: agreements and identity verification.

``HarbourSession`` is the way in; everything else here is what it takes, gives or raises.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harbour_async._public import *


def __getattr__(name: str) -> Any:
    # The names come when the first is asked for: pytest loads this package at every start, for
    # its plugin, and should not have to load aiohttp with it.
    if not name.startswith("_") or name == "__all__":
        public = import_module("harbour_async._public")
        if name in public.__all__ or name == "__all__":
            globals().update({each: getattr(public, each) for each in (*public.__all__, "__all__")})
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__getattr__("__all__")]
