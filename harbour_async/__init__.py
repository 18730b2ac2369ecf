"""The asyncio client for Harbour's API v2.2: agreements and identity verification.

``HarbourSession`` is the way in; everything else here is what it takes, gives or raises. The names
are listed in ``_public``.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from harbour_async import (
        catalog as catalog,
        errors as errors,
        events as events,
        export as export,
        reconcile as reconcile,
        sandbox as sandbox,
    )
    from harbour_async._public import *


def __getattr__(name: str) -> Any:
    # The names are loaded when the first one is asked for (PEP 562): pytest imports this package
    # at every start, for its plugin, and should not have to load aiohttp with it.
    if name == "__all__":
        return _public_names()
    if name == "__version__":
        globals()[name] = found = _installed_version()
        return found
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec(f"{__name__}.{name}"):
        return import_module(f"{__name__}.{name}")
    if name not in _public_names():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module("harbour_async._public"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return _public_names()


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("harbour-async")
    except PackageNotFoundError:  # a copy of the files that was never installed
        return "unknown"


def _public_names() -> list[str]:
    public = import_module("harbour_async._public")
    return sorted(name for name in vars(public) if name[0].isalpha())
