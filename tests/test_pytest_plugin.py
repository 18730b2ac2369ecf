"""The fixtures work in the loop of the user's test, and load nothing until they are used."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

USES_BOTH = """
    import asyncio
    import pytest

    async def test_both(harbour_sandbox, harbour_session):
        page = await asyncio.wait_for(harbour_session.verifications.page(1, size=10), 10)
        assert page.total == 100
        assert page.items[0].verification_id == harbour_sandbox.verification_ids()[0]
        assert harbour_sandbox.rate_limit is None
"""


def run(pytester: pytest.Pytester, test: str, *args: str, ini: str = "") -> pytest.RunResult:
    pytester.makepyfile(test)
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{ini}")
    return pytester.runpytest_subprocess(*args)


def test_auto_mode(pytester: pytest.Pytester) -> None:
    ini = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    run(pytester, USES_BOTH, ini=ini).assert_outcomes(passed=1)


def test_strict_mode_in_a_loop_of_wider_scope(pytester: pytest.Pytester) -> None:
    test = USES_BOTH.replace(
        "async def", '@pytest.mark.asyncio(loop_scope="module")\n    async def'
    )
    ini = "asyncio_default_fixture_loop_scope = function"
    run(pytester, test, ini=ini).assert_outcomes(passed=1)


def test_auto_mode_with_one_loop_for_all_tests(pytester: pytest.Pytester) -> None:
    ini = """asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
asyncio_default_test_loop_scope = session"""
    run(pytester, USES_BOTH, ini=ini).assert_outcomes(passed=1)


def test_the_marker_gives_the_sandbox_its_options_and_the_nearest_wins(
    pytester: pytest.Pytester,
) -> None:
    test = """
    import pytest

    pytestmark = pytest.mark.harbour_sandbox(verifications=7, webhooks=1)

    @pytest.mark.asyncio
    @pytest.mark.harbour_sandbox(verifications=2, rate_limit=50)
    async def test_options(harbour_sandbox):
        assert len(harbour_sandbox.verification_ids()) == 2
        assert len(harbour_sandbox.webhook_ids()) == 1
        assert harbour_sandbox.rate_limit == 50
    """
    ini = "asyncio_default_fixture_loop_scope = function"
    run(pytester, test, "--strict-markers", ini=ini).assert_outcomes(passed=1)


def test_without_an_async_plugin_one_message_says_what_to_install(
    pytester: pytest.Pytester,
) -> None:
    test = "def test_it(harbour_sandbox): pass"
    result = run(pytester, test, "-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pip install 'pytest-asyncio>=0.24'*"])


def test_neither_the_sandbox_nor_sqlite_is_loaded_unless_asked_for(
    pytester: pytest.Pytester,
) -> None:
    test = """
    import sys

    def test_it():
        assert "harbour_async.sandbox" not in sys.modules
    """
    ini = "asyncio_default_fixture_loop_scope = function"
    run(pytester, test, ini=ini).assert_outcomes(passed=1)


def test_a_test_of_anyio_that_pytest_asyncio_runs_fails_and_does_not_wait_for_ever(
    pytester: pytest.Pytester,
) -> None:
    test = USES_BOTH.replace("async def", "@pytest.mark.anyio\n    async def")
    ini = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    result = run(pytester, test, ini=ini)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*asyncio_mode = strict*"])


def test_a_fixture_in_another_loop_than_the_test_fails_and_does_not_wait_for_ever(
    pytester: pytest.Pytester,
) -> None:
    test = """
    import asyncio
    import pytest
    import pytest_asyncio

    @pytest_asyncio.fixture(loop_scope="session")
    async def total(harbour_session):
        return (await asyncio.wait_for(harbour_session.verifications.page(1), 10)).total

    @pytest.mark.asyncio
    async def test_total(total):
        assert total == 100
    """
    result = run(pytester, test, ini="asyncio_default_fixture_loop_scope = function")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*session belongs to another event loop*"])


def test_anyios_plugin(pytester: pytest.Pytester) -> None:
    test = (
        USES_BOTH.replace("async def", "@pytest.mark.anyio\n    async def")
        + """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""
    )
    ini = "asyncio_default_fixture_loop_scope = function"
    run(pytester, test, ini=ini).assert_outcomes(passed=1)
