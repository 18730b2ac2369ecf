"""What the package logs, at which level, and what HARBOUR_LOG does."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from harbour_async import ConfigurationError, HarbourSession, Priority, RateLimit, Retry, _logging
from harbour_async.events import AttemptStarted, CallEnded
from tests.servers import KEY, answer, raw_server
from tests.test_events import RECORD, answering

LOGGER = logging.getLogger("harbour_async")
COMMON: dict[str, Any] = {
    "call_id": 1,
    "method": "GET",
    "template": "/verifications",
    "lane": Priority.BULK,
}


@pytest.fixture(autouse=True)
def untouched_logger() -> Iterator[None]:
    handlers, level = list(LOGGER.handlers), LOGGER.level
    yield
    LOGGER.handlers[:] = handlers
    LOGGER.setLevel(level)


async def one_call(*answers: bytes) -> None:
    async with (
        raw_server(answering(*answers)) as server,
        HarbourSession(
            KEY, base_url=server.url, retry=Retry(attempts=3, base_delay=0.001)
        ) as harbour,
    ):
        await harbour.verifications.get("SECRET")


def at(level: int, caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


async def test_a_retry_is_a_warning_with_method_template_status_attempt_and_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await one_call(answer(503), answer(200, RECORD))
    (message,) = at(logging.WARNING, caplog)
    assert re.fullmatch(
        r"GET /verifications/\{verification_id\}: attempt 1 failed: 503 InternalServerError; "
        r"next attempt in 0\.\d\d s",
        message,
    )


async def test_a_pause_after_a_429_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    await one_call(answer(429, Retry_After="0.01"), answer(200, RECORD))
    pause, retry = at(logging.WARNING, caplog)
    assert re.search(r"attempt 1 was answered with 429: nothing is sent for \d\.\d\d s", pause)
    assert "429 RateLimitError" in retry


async def test_a_call_that_succeeds_logs_nothing_above_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "harbour_async")
    await one_call(answer(200, RECORD))
    records = [record for record in caplog.records if record.name == "harbour_async"]
    assert records
    assert {record.levelno for record in records} == {logging.DEBUG}
    assert any("attempt 1 ended after" in record.getMessage() for record in records)


async def test_no_level_logs_an_id_a_query_a_body_or_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "harbour_async")
    refused = answer(429, b'{"message": "SECRET"}', Retry_After="0.01")
    await one_call(refused, answer(503, b"SECRET"), answer(200, RECORD))
    messages = [record.getMessage() for record in caplog.records if record.name == "harbour_async"]
    assert len(messages) > 6
    assert "SECRET" not in "".join(messages)
    assert KEY not in "".join(messages)


@pytest.mark.parametrize(("wait", "level"), [(0.9, logging.DEBUG), (1.1, logging.INFO)])
def test_a_wait_for_the_budget_of_more_than_a_second_is_logged_at_info(
    wait: float, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "harbour_async")
    _logging.log(
        AttemptStarted(
            **COMMON, attempt=1, budget_wait=wait, server_address="localhost", server_port=443
        )
    )
    assert at(level, caplog) == [
        f"GET /verifications: attempt 1 waited {wait:.2f} s for the budget"
    ]


@pytest.mark.parametrize(("error", "level"), [(None, logging.DEBUG), ("X", logging.INFO)])
def test_a_long_wait_that_ends_in_an_error_is_logged_at_info(
    error: str | None, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "harbour_async")
    _logging.log(
        CallEnded(**COMMON, attempt=0, status=None, error=error, duration=9.0, budget_wait=9.0)
    )
    (message,) = at(level, caplog)
    assert "9.00 s waiting for the budget" in message


async def test_a_long_wait_is_logged_where_only_info_is_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "harbour_async")
    async with (
        raw_server(answering(answer(200, RECORD))) as server,
        HarbourSession(KEY, base_url=server.url, rate_limit=RateLimit(1, 1.1)) as harbour,
    ):
        await asyncio.gather(*(harbour.verifications.get(name) for name in "AB"))
    (message,) = at(logging.INFO, caplog)
    assert re.search(r"attempt 1 waited 1\.\d\d s for the budget", message)


async def test_records_reach_the_handlers_of_the_root_logger(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert LOGGER.propagate
    await one_call(answer(503), answer(200, RECORD))
    assert {record.name for record in caplog.records} == {"harbour_async"}  # caplog's is the root's


@pytest.mark.parametrize(("asked", "lines"), [("info", 1), ("DEBUG", 7)])
async def test_the_environment_turns_on_a_log_on_stderr(
    asked: str, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARBOUR_LOG", asked)
    await one_call(answer(503), answer(200, RECORD))
    lines_shown = capsys.readouterr().err.splitlines()
    assert len(lines_shown) == lines
    assert sum("WARNING harbour_async: GET" in line for line in lines_shown) == 1


def test_many_sessions_share_one_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_LOG", "info")
    before = len(LOGGER.handlers)
    for _ in range(3):
        HarbourSession(KEY)
    assert len(LOGGER.handlers) == before + 1
    assert LOGGER.level == logging.INFO


def test_a_lower_level_of_the_logger_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    LOGGER.setLevel(logging.DEBUG)
    monkeypatch.setenv("HARBOUR_LOG", "info")
    HarbourSession(KEY)
    assert LOGGER.level == logging.DEBUG


def test_without_the_variable_no_handler_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_LOG", "")
    before = list(LOGGER.handlers)
    HarbourSession(KEY)
    assert LOGGER.handlers == before


def test_another_value_of_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_LOG", "loud")
    with pytest.raises(ConfigurationError, match="HARBOUR_LOG must be info or debug"):
        HarbourSession(KEY)
