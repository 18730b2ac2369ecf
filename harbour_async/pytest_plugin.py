"""pytest fixtures: ``harbour_sandbox``, a running server, and ``harbour_session``, a client of it.

Both live for one test and in its event loop, whichever of pytest-asyncio (0.24 or newer, in
strict or auto mode) or anyio's plugin runs it::

    @pytest.mark.harbour_sandbox(verifications=250)
    async def test_export(harbour_sandbox, harbour_session):
        harbour_sandbox.fail(status=503, times=2)
        assert await harbour_session.verifications.list().count() == 250
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harbour_async import HarbourSession
    from harbour_async.sandbox import Sandbox

# What makes a fixture of an asynchronous generator: a decorator with options.
_Declare = Callable[..., Callable[[Callable[..., object]], object]]

_MARKER = "harbour_sandbox"
_DEFAULTS = {"verifications": 100, "rate_limit": None}
_LOOP_SCOPES = ("function", "class", "module", "package", "session")


@pytest.fixture
def harbour_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A running ``harbour_async.sandbox.Sandbox`` with 100 verifications and no rate limit.

    ``@pytest.mark.harbour_sandbox(...)`` on the test, its class or its module gives it other
    keyword arguments.
    """
    sandbox: Sandbox = request.getfixturevalue(f"_harbour_sandbox_{_loop(request)}")
    return sandbox


@pytest.fixture
def harbour_session(request: pytest.FixtureRequest) -> HarbourSession:
    """A ``harbour_async.HarbourSession`` for ``harbour_sandbox``, with the sandbox's rate limit."""
    session: HarbourSession = request.getfixturevalue(f"_harbour_session_{_loop(request)}")
    return session


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{_MARKER}(**options): keyword arguments for the Sandbox of harbour_sandbox"
    )
    # A fixture is bound to a loop when it is declared, so there is one for each kind of loop.
    # The plugins are looked up here, because all of them are loaded by now.
    if config.pluginmanager.hasplugin("asyncio"):
        import pytest_asyncio

        for scope in _LOOP_SCOPES:
            _declare(config, scope, pytest_asyncio.fixture, loop_scope=scope)
    if config.pluginmanager.hasplugin("anyio"):
        _declare(config, "anyio", pytest.fixture)


def _declare(config: pytest.Config, loop: str, fixture: _Declare, **options: Any) -> None:
    # Imported inside, so that only tests that use the fixtures pay for it.
    @fixture(name=f"_harbour_sandbox_{loop}", **options)
    async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
        from harbour_async.sandbox import Sandbox

        async with Sandbox(**_options(request)) as sandbox:
            yield sandbox

    @fixture(name=f"_harbour_session_{loop}", **options)
    async def session(harbour_sandbox: Sandbox) -> AsyncIterator[HarbourSession]:
        from harbour_async import HarbourSession, RateLimit

        limit = RateLimit(requests=harbour_sandbox.rate_limit, per=harbour_sandbox.per)
        async with HarbourSession(
            harbour_sandbox.api_key, base_url=harbour_sandbox.url, rate_limit=limit
        ) as session:
            # Another loop, of a fixture with a wider scope, would wait for the sandbox in vain: its
            # loop does not run then. So bind the session to this loop before the first request.
            session._life.claim()
            yield session

    plugin = ModuleType(f"harbour_{loop}")
    vars(plugin).update(sandbox=sandbox, session=session)
    config.pluginmanager.register(plugin, plugin.__name__)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    options: dict[str, Any] = dict(_DEFAULTS)
    # The marker nearest to the test comes first in the list; it overrides the others.
    for marker in reversed(list(request.node.iter_markers(_MARKER))):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.{_MARKER} takes keyword arguments only")
        options |= marker.kwargs
    return options


def _loop(request: pytest.FixtureRequest) -> str:
    """Which of the declared fixtures shares its event loop with the test."""
    plugins = request.config.pluginmanager
    marker = request.node.get_closest_marker("asyncio")
    if plugins.hasplugin("harbour_anyio") and "anyio_backend" in request.fixturenames:
        # In its auto mode pytest-asyncio marks every test, and the sandbox would never answer.
        if marker is not None and plugins.hasplugin("harbour_function"):
            pytest.fail(
                "pytest-asyncio runs this test in its own event loop, and anyio's plugin the "
                "fixtures in another: drop the mark of anyio, or set asyncio_mode = strict",
                pytrace=False,
            )
        return "anyio"
    if not plugins.hasplugin("harbour_function"):
        pytest.fail(
            "the fixtures of harbour_async need an asynchronous test runner: "
            "pip install 'pytest-asyncio>=0.24'",
            pytrace=False,
        )
    options = marker.kwargs if marker else {}
    scope = options.get("loop_scope") or options.get("scope")
    return scope or _default_loop_scope(request.config)


def _default_loop_scope(config: pytest.Config) -> str:
    try:
        return config.getini("asyncio_default_test_loop_scope") or "function"
    except ValueError:  # unknown to a pytest-asyncio before 0.26
        return "function"
