"""The events that a session sends to its listeners."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import logging
import typing
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from harbour_async import (
    BadRequestError,
    ConfigurationError,
    DeadlineExceededError,
    DecodeError,
    HarbourSession,
    InternalServerError,
    NotFoundError,
    Priority,
    RateLimit,
    Retry,
    SessionClosedError,
)
from harbour_async.events import (
    AttemptEnded,
    AttemptStarted,
    BudgetPaused,
    CallEnded,
    CallStarted,
    Event,
    RetryScheduled,
)
from harbour_async.sandbox import Sandbox
from tests.servers import KEY, Handler, RawServer, ReceivedRequest, answer, raw_server

RECORD = b'{"verification_id": "VERIFICATION-1"}'
KINDS = (CallStarted, AttemptStarted, AttemptEnded, BudgetPaused, RetryScheduled, CallEnded)


async def give_a_record(_: ReceivedRequest) -> bytes:
    return answer(200, RECORD)


def answering(*answers: bytes | None) -> Handler:
    """Give the answers one after the other, and repeat the last one."""
    left = itertools.chain(answers[:-1], itertools.repeat(answers[-1]))

    async def handle(_: ReceivedRequest) -> bytes | None:
        return next(left)

    return handle


@asynccontextmanager
async def listening(
    handler: Handler, **settings: Any
) -> AsyncIterator[tuple[HarbourSession, list[Any], RawServer]]:
    """A session, the events that it sent, and its server."""
    events: list[Any] = []
    settings.setdefault("retry", Retry(attempts=3, base_delay=0.001))
    settings.setdefault("rate_limit", RateLimit.unlimited())
    async with (
        raw_server(handler) as server,
        HarbourSession(KEY, base_url=server.url, on_event=events.append, **settings) as harbour,
    ):
        yield harbour, events, server


def names(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_a_call_emits_its_start_its_attempt_and_its_end() -> None:
    async with listening(give_a_record) as (harbour, events, _):
        await harbour.verifications.get("VERIFICATION-1")
    started, sent, answered, ended = events
    common = {
        "call_id": started.call_id,
        "method": "GET",
        "template": "/verifications/{verification_id}",
        "lane": Priority.INTERACTIVE,
    }
    assert started == CallStarted(**common)
    assert sent == AttemptStarted(
        **common,
        attempt=1,
        budget_wait=sent.budget_wait,
        server_address="127.0.0.1",
        server_port=sent.server_port,
    )
    assert answered == AttemptEnded(
        **common,
        attempt=1,
        status=200,
        error=None,
        duration=answered.duration,
        server_address="127.0.0.1",
        server_port=sent.server_port,
    )
    assert ended == CallEnded(
        **common,
        attempt=1,
        status=200,
        error=None,
        duration=ended.duration,
        budget_wait=ended.budget_wait,
    )
    assert 0 < answered.duration <= ended.duration
    assert 0 <= ended.budget_wait == sent.budget_wait < ended.duration


async def test_the_event_of_a_retry_has_its_reason_and_its_wait() -> None:
    async with listening(answering(answer(503), answer(200, RECORD))) as (harbour, events, _):
        await harbour.verifications.get("VERIFICATION-1")
    assert names(events) == [
        "CallStarted",
        "AttemptStarted",
        "AttemptEnded",
        "RetryScheduled",
        "AttemptStarted",
        "AttemptEnded",
        "CallEnded",
    ]
    failed, retry, again, ended = events[2], events[3], events[4], events[6]
    assert (failed.attempt, failed.status, failed.error) == (1, 503, "InternalServerError")
    assert (retry.attempt, retry.status, retry.error) == (1, 503, "InternalServerError")
    assert 0 <= retry.duration <= 0.001
    assert again.attempt == 2
    assert (ended.attempt, ended.status, ended.error) == (2, 200, None)


async def test_the_event_of_a_429_has_the_length_of_the_pause() -> None:
    refused = answer(429, Retry_After="1")
    limit = RateLimit(1000)
    async with listening(answering(refused, answer(200, RECORD)), rate_limit=limit) as (
        harbour,
        events,
        _,
    ):
        await harbour.verifications.get("VERIFICATION-1")
    assert names(events)[2:5] == ["AttemptEnded", "BudgetPaused", "RetryScheduled"]
    paused, retry, again, ended = events[3], events[4], events[5], events[7]
    assert (paused.attempt, paused.status) == (1, 429)
    assert 0.9 < paused.duration <= 1.0
    assert (retry.status, retry.error, retry.duration >= 1.0) == (429, "RateLimitError", True)
    assert again.budget_wait > 0.9
    assert ended.budget_wait >= again.budget_wait


async def test_an_attempt_without_an_answer_has_an_error_and_no_status() -> None:
    async with listening(answering(None, None, answer(200, RECORD))) as (harbour, events, _):
        await harbour.verifications.get("VERIFICATION-1")
    failed = next(event for event in events if isinstance(event, AttemptEnded))
    assert (failed.status, failed.error) == (None, "APIConnectionError")


async def test_a_call_that_fails_ends_with_its_status_and_the_errors_name() -> None:
    async with listening(answering(answer(404))) as (harbour, events, _):
        with pytest.raises(NotFoundError):
            await harbour.webhooks.event("WEBHOOK-1", "EVENT-1")
    ended = events[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.status, ended.error) == (404, "NotFoundError")


async def test_an_answer_that_cannot_be_read_fails_the_call_and_not_the_attempt() -> None:
    async with listening(answering(answer(200, b"<html>"))) as (harbour, events, _):
        with pytest.raises(DecodeError):
            await harbour.verifications.get("VERIFICATION-1")
    assert (events[2].status, events[2].error) == (200, None)
    assert (events[-1].status, events[-1].error) == (200, "DecodeError")


async def test_a_delete_whose_answer_was_lost_ends_as_a_success() -> None:
    async with listening(answering(answer(502), answer(404))) as (harbour, events, _):
        await harbour.verifications.delete("VERIFICATION-1")
    ends = [event for event in events if isinstance(event, CallEnded)]
    assert (ends[0].status, ends[0].error) == (404, None)


async def test_a_call_that_is_cancelled_emits_its_end() -> None:
    waiting = asyncio.Event()

    async def never(_: ReceivedRequest) -> bytes:
        waiting.set()
        await asyncio.Event().wait()
        return b""

    async with listening(never) as (harbour, events, _):
        task = asyncio.ensure_future(harbour.verifications.get("VERIFICATION-1"))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert names(events) == ["CallStarted", "AttemptStarted", "AttemptEnded", "CallEnded"]
    assert events[2].error == events[3].error == "CancelledError"


async def test_the_end_of_a_call_that_never_gets_its_turn_has_its_wait() -> None:
    async with listening(give_a_record, rate_limit=RateLimit(1, 3600)) as (harbour, events, _):
        await harbour.verifications.get("VERIFICATION-1")
        events.clear()
        task = asyncio.ensure_future(harbour.verifications.get("VERIFICATION-2", timeout=None))
        while not harbour.budget.snapshot().waiting.interactive:
            await asyncio.sleep(0.001)
        await harbour.aclose()
        with pytest.raises(SessionClosedError):
            await task
    assert names(events) == ["CallStarted", "CallEnded"]
    assert events[-1].attempt == 0
    assert events[-1].status is None
    assert events[-1].error == "SessionClosedError"
    assert 0 < events[-1].budget_wait <= events[-1].duration


async def test_a_call_that_is_refused_by_its_deadline_emits_its_end() -> None:
    async with listening(give_a_record, rate_limit=RateLimit(1, 3600)) as (harbour, events, _):
        await harbour.verifications.get("VERIFICATION-1")
        events.clear()
        with pytest.raises(DeadlineExceededError):
            await harbour.verifications.get("VERIFICATION-2", timeout=1)
    assert names(events) == ["CallStarted", "CallEnded"]
    assert events[-1].error == "DeadlineExceededError"


async def test_each_page_is_a_call_in_the_bulk_lane() -> None:
    events: list[Event] = []
    async with (
        Sandbox(verifications=250, rate_limit=None) as sandbox,
        HarbourSession(sandbox.api_key, base_url=sandbox.url, on_event=events.append) as harbour,
    ):
        pager = harbour.verifications.list(search="Jane", metadata={"name": "Jane"})
        await pager.to_list()
    calls = [event for event in events if isinstance(event, CallStarted)]
    assert len(calls) == pager.report.requests
    assert len({event.call_id for event in calls}) == len(calls)
    assert {event.template for event in calls} == {"/verifications"}
    assert {event.lane for event in calls} == {Priority.BULK}
    assert {event.lane for event in calls} == {"bulk"}


async def test_events_of_prefetched_pages_come_in_the_readers_context() -> None:
    reader = contextvars.ContextVar[str]("reader")
    contexts: list[str] = []

    async def read(name: str, harbour: HarbourSession) -> None:
        reader.set(name)
        await harbour.verifications.list(page_size=10).to_list()

    async with (
        Sandbox(verifications=50, rate_limit=None) as sandbox,
        HarbourSession(
            sandbox.api_key, base_url=sandbox.url, on_event=lambda _: contexts.append(reader.get())
        ) as harbour,
    ):
        await asyncio.gather(read("one", harbour), read("other", harbour))
    assert contexts.count("one") == contexts.count("other") > 20


async def test_calls_of_all_sessions_have_different_ids() -> None:
    async with (
        listening(give_a_record) as (one, first, _),
        listening(give_a_record) as (other, second, _),
    ):
        await asyncio.gather(one.verifications.get("A"), other.verifications.get("A"))
    assert first[0].call_id != second[0].call_id


TEMPLATES = {
    "/verifications/{verification_id}": lambda h: h.verifications.get("SECRET"),
    "/webhooks": lambda h: h.webhooks.page(search="SECRET"),
    "/webhooks/{webhook_id}": lambda h: h.webhooks.delete("SECRET"),
    "/webhooks/{webhook_id}/events": lambda h: h.webhooks.events("SECRET").to_list(),
    "/webhooks/{webhook_id}/events/{event_id}": lambda h: h.webhooks.event("SECRET", "SECRET"),
    "/organizations": lambda h: h.request("GET", "organizations/SECRET", params={"n": "SECRET"}),
    "/users": lambda h: h.request("GET", "/users%2FSECRET"),
    "/people": lambda h: h.request("GET", "people%252fSECRET"),
    "/things": lambda h: h.request("GET", "things;id=SECRET/x"),
    "/caf%C3%A9s": lambda h: h.request("PUT", "cafés/SECRET", json={"name": "SECRET"}),
}


@pytest.mark.parametrize("template", TEMPLATES)
async def test_no_event_holds_an_id_a_query_a_body_an_answer_or_the_key(template: str) -> None:
    refused = answer(400, b'{"message": "SECRET"}', X_Request_ID="SECRET")
    async with listening(answering(refused)) as (harbour, events, _):
        with pytest.raises(BadRequestError):
            await TEMPLATES[template](harbour)
    assert {event.template for event in events} == {template}
    assert "SECRET" not in repr(events)
    assert KEY not in repr(events)


async def test_the_other_spelling_of_a_path_is_another_call() -> None:
    handler = answering(answer(404), answer(200, RECORD))
    async with listening(handler) as (harbour, events, _):
        await harbour.verifications.get("VERIFICATION-1")
    calls = [event.template for event in events if isinstance(event, CallStarted)]
    assert calls == ["/verifications/{verification_id}", "/verification/{verification_id}"]


async def test_several_listeners_get_the_same_events() -> None:
    first: list[Event] = []
    second: list[Event] = []
    async with (
        raw_server(give_a_record) as server,
        HarbourSession(KEY, base_url=server.url, on_event=[first.append, second.append]) as harbour,
    ):
        await harbour.verifications.get("VERIFICATION-1")
    assert first == second != []


async def test_a_view_has_the_listeners_of_its_session() -> None:
    async with listening(give_a_record) as (harbour, events, _):
        await harbour.with_options(timeout=5).verifications.get("VERIFICATION-1")
    assert len(events) == 4


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_a_listener_that_raises_breaks_no_call_and_is_reported_once(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Event) -> None:
        raise error("the listener's own")

    events: list[Event] = []
    async with (
        raw_server(answering(answer(503), answer(200, RECORD))) as server,
        HarbourSession(
            KEY, base_url=server.url, on_event=[broken, events.append], retry=Retry(base_delay=0.01)
        ) as harbour,
    ):
        for _ in range(3):
            await harbour.verifications.get("VERIFICATION-1")
    assert [type(event) for event in events].count(CallEnded) == 3
    reports = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(reports) == 1
    assert "broken" in reports[0].getMessage()
    assert reports[0].exc_info is not None
    assert reports[0].exc_info[0] is error


async def test_logging_that_fails_breaks_no_call() -> None:
    class Broken(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            raise OSError("the disk is full")

    logger, handler = logging.getLogger("harbour_async"), Broken()
    logger.addHandler(handler)
    try:
        async with listening(answering(answer(503), answer(200, RECORD))) as (harbour, events, _):
            await harbour.verifications.get("VERIFICATION-1")
    finally:
        logger.removeHandler(handler)
    assert isinstance(events[-1], CallEnded)


@pytest.mark.parametrize("given", ["log", 5, [print, None]])
def test_a_listener_that_cannot_be_used_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="on_event"):
        HarbourSession(KEY, on_event=given)


def test_events_are_frozen_and_their_annotations_can_be_read() -> None:
    for kind in KINDS:
        assert set(typing.get_type_hints(kind)) == {field.name for field in attrs.fields(kind)}
    event = CallStarted(call_id=1, method="GET", template="/x", lane=Priority.BULK)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.call_id = 2  # type: ignore[misc]


async def test_a_call_is_not_kept_alive_by_its_events() -> None:
    async with listening(answering(answer(500)), retry=Retry(attempts=1)) as (harbour, _, _):
        with pytest.raises(InternalServerError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
        gone = weakref.ref(caught.value)
        del caught
        gc.collect()
        assert gone() is None


async def test_an_interrupt_in_a_listener_passes_through_and_costs_no_slot() -> None:
    def interrupted(event: Event) -> None:
        if isinstance(event, AttemptStarted):
            raise KeyboardInterrupt

    async with (
        raw_server(give_a_record) as server,
        HarbourSession(KEY, base_url=server.url, on_event=interrupted) as harbour,
    ):
        call = harbour.verifications.get("VERIFICATION-1")
        with pytest.raises(KeyboardInterrupt):  # stepped by hand: a loop would stop
            call.send(None)
        assert harbour.budget.snapshot().used == 0
    assert not server.received
