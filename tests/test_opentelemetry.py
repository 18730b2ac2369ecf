"""Spans and metrics, as the SDK's in-memory exporters receive them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from harbour_async import ConfigurationError, HarbourSession, NotFoundError, RateLimit, Retry
from harbour_async.integrations import opentelemetry
from harbour_async.sandbox import Sandbox
from tests.servers import KEY, Handler, ReceivedRequest, answer, raw_server
from tests.test_events import RECORD, TEMPLATES, answering


class Telemetry:
    """Providers for one test, and what was exported to them."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider(metric_readers=[self._metrics])
        self.listener = opentelemetry.listener(self.tracers, self.meters)

    def spans(self, kind: SpanKind | None = None) -> Sequence[ReadableSpan]:
        """The spans that have ended, in that order."""
        return [span for span in self._spans.get_finished_spans() if kind in (None, span.kind)]

    def points(self, name: str) -> list[Any]:
        """The data points of a metric."""
        data = self._metrics.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@asynccontextmanager
async def recorded_by(telemetry: Telemetry, handler: Handler) -> AsyncIterator[HarbourSession]:
    async with (
        raw_server(handler) as server,
        HarbourSession(
            KEY,
            base_url=server.url,
            on_event=telemetry.listener,
            rate_limit=RateLimit(1000),
            retry=Retry(attempts=3, base_delay=0.001),
        ) as harbour,
    ):
        yield harbour


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_call_is_an_internal_span_around_a_client_span(telemetry: Telemetry) -> None:
    async with recorded_by(telemetry, answering(answer(200, RECORD))) as harbour:
        await harbour.verifications.get("VERIFICATION-1")
    attempt, call = telemetry.spans()
    assert (call.kind, attempt.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    assert attempt.parent is not None
    assert attempt.parent == call.context
    assert attempt.name == "GET /verifications/{verification_id}"
    assert attributes(attempt) == {
        "http.request.method": "GET",
        "http.request.resend_count": 0,
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": attributes(attempt)["server.port"],
        "url.template": "/verifications/{verification_id}",
    }
    assert attempt.status.status_code is call.status.status_code is StatusCode.UNSET


async def test_each_attempt_is_a_span_that_counts_the_resends(telemetry: Telemetry) -> None:
    handler = answering(None, answer(503), answer(200, RECORD))
    async with recorded_by(telemetry, handler) as harbour:
        await harbour.verifications.get("VERIFICATION-1")
    attempts = telemetry.spans(SpanKind.CLIENT)
    # A fresh connection, because aiohttp itself resends once if a kept-alive one hangs up.
    seen = [attributes(span) for span in attempts]
    assert [each["http.request.resend_count"] for each in seen] == [0, 1, 2]
    assert [each.get("http.response.status_code") for each in seen] == [None, 503, 200]
    assert [each.get("error.type") for each in seen] == ["APIConnectionError", "503", None]
    assert [span.status.status_code for span in attempts] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    (call,) = telemetry.spans(SpanKind.INTERNAL)
    assert [event.name for event in call.events] == ["retry scheduled", "retry scheduled"]
    assert attributes(call)["harbour.attempts"] == 3
    assert call.status.status_code is StatusCode.UNSET


async def test_a_call_that_fails_is_an_error_without_the_servers_message(
    telemetry: Telemetry,
) -> None:
    async with recorded_by(telemetry, answering(answer(404, b'{"message": "Jane"}'))) as harbour:
        with pytest.raises(NotFoundError):
            await harbour.webhooks.event("WEBHOOK-1", "EVENT-1")
    (call,) = telemetry.spans(SpanKind.INTERNAL)
    assert attributes(call)["error.type"] == "NotFoundError"
    assert call.status.status_code is StatusCode.ERROR
    assert call.status.description is None
    assert call.events == ()


async def test_a_call_that_its_caller_cancelled_is_not_an_error(telemetry: Telemetry) -> None:
    waiting = asyncio.Event()

    async def never(_: ReceivedRequest) -> bytes:
        waiting.set()
        await asyncio.Event().wait()
        return b""

    async with recorded_by(telemetry, never) as harbour:
        task = asyncio.ensure_future(harbour.verifications.get("VERIFICATION-1"))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(telemetry.spans()) == 2
    for span in telemetry.spans():
        assert attributes(span)["error.type"] == "CancelledError"
        assert span.status.status_code is StatusCode.UNSET


async def test_prefetched_pages_belong_to_the_span_of_their_reader(telemetry: Telemetry) -> None:
    tracer = telemetry.tracers.get_tracer("test")

    async def read(name: str, harbour: HarbourSession) -> None:
        with tracer.start_as_current_span(name):
            async for _ in harbour.verifications.list(page_size=10):
                pass

    async with (
        Sandbox(verifications=50, rate_limit=None) as sandbox,
        HarbourSession(
            sandbox.api_key, base_url=sandbox.url, on_event=telemetry.listener
        ) as harbour,
    ):
        await asyncio.gather(read("one", harbour), read("other", harbour))
    readers = {span.name: span for span in telemetry.spans() if span.name in ("one", "other")}
    for reader in readers.values():
        assert reader.context is not None
        pages = [
            span for span in telemetry.spans(SpanKind.INTERNAL) if span.parent == reader.context
        ]
        assert len(pages) >= 5
    named = [span for span in telemetry.spans(SpanKind.CLIENT) if span.parent is not None]
    assert {span.context.trace_id for span in named if span.context} == {
        reader.context.trace_id for reader in readers.values() if reader.context
    }


@pytest.mark.parametrize("template", TEMPLATES)
async def test_nothing_exported_holds_an_id_or_a_query(template: str, telemetry: Telemetry) -> None:
    handler = answering(answer(503, b"SECRET"), answer(400, b'{"message": "SECRET"}'))
    async with recorded_by(telemetry, handler) as harbour:
        with pytest.raises(Exception, match="SECRET"):
            await TEMPLATES[template](harbour)
    spans = "".join(span.to_json() for span in telemetry.spans())
    points = [
        telemetry.points(name)
        for name in ("http.client.request.duration", "harbour.client.retries")
    ]
    assert template in spans
    assert "SECRET" not in spans + repr(points)
    assert KEY not in spans + repr(points)


async def test_the_duration_of_each_attempt_is_measured(telemetry: Telemetry) -> None:
    async with recorded_by(telemetry, answering(answer(503), answer(200, RECORD))) as harbour:
        await harbour.verifications.get("VERIFICATION-1")
        await harbour.verifications.get("VERIFICATION-1")
    points = telemetry.points("http.client.request.duration")
    counts = {point.attributes["http.response.status_code"]: point.count for point in points}
    assert counts == {503: 1, 200: 2}
    (failed,) = [point for point in points if "error.type" in point.attributes]
    assert failed.attributes["error.type"] == "503"
    assert failed.attributes["server.address"] == "127.0.0.1"
    assert 0 < failed.sum < 60


async def test_waits_for_the_budget_its_use_and_retries_are_measured(
    telemetry: Telemetry,
) -> None:
    handler = answering(answer(429, Retry_After="0.05"), answer(200, RECORD))
    async with recorded_by(telemetry, handler) as harbour:
        await harbour.verifications.get("VERIFICATION-1")
    (wait,) = telemetry.points("harbour.client.budget.wait")
    assert wait.count == 1
    assert wait.sum > 0
    (use,) = telemetry.points("harbour.client.budget.use")
    assert (use.value, use.attributes) == (2, {"harbour.lane": "interactive"})
    (retries,) = telemetry.points("harbour.client.retries")
    assert retries.value == 1
    assert retries.attributes["error.type"] == "429"
    (call,) = telemetry.spans(SpanKind.INTERNAL)
    assert [event.name for event in call.events] == ["budget paused", "retry scheduled"]


async def test_nothing_is_kept_of_calls_that_have_ended(telemetry: Telemetry) -> None:
    async with recorded_by(telemetry, answering(answer(200, RECORD))) as harbour:
        await harbour.verifications.get("VERIFICATION-1")
    gc.collect()
    assert not [known for known in gc.get_objects() if isinstance(known, opentelemetry._Open)]


def test_the_global_providers_are_the_default() -> None:
    assert callable(opentelemetry.listener())


def test_anything_but_a_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tracer_provider must be a TracerProvider"):
        opentelemetry.listener("otlp")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="meter_provider must be a MeterProvider"):
        opentelemetry.listener(meter_provider=5)  # type: ignore[arg-type]


def test_without_the_extra_the_message_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "try:\n    import harbour_async.integrations.opentelemetry\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("ConfigurationError")
    assert "pip install 'harbour-async[otel]'" in done.stdout
