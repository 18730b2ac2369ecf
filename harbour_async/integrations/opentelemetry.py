"""Traces and metrics for OpenTelemetry (extra ``otel``).

::

    from harbour_async.integrations import opentelemetry

    HarbourSession(on_event=opentelemetry.listener())

Names and attributes are those of the semantic conventions for HTTP clients, where these define
them. Spans and metrics hold no queries and no ids.
"""

from __future__ import annotations

from attrs import define

from harbour_async.errors import ConfigurationError
from harbour_async.events import (
    AttemptEnded,
    AttemptStarted,
    BudgetPaused,
    CallEnded,
    CallStarted,
    Event,
    Listener,
    RetryScheduled,
)

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace import Span, SpanKind, StatusCode
except ImportError:
    raise ConfigurationError(
        "harbour_async.integrations.opentelemetry needs opentelemetry-api: "
        "pip install 'harbour-async[otel]'"
    ) from None

_SCOPE = "harbour_async"

# The boundaries that the conventions advise for http.client.request.duration, in seconds.
_REQUEST = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
_WAIT = [0.0, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]

# The caller cancelled the call, which is not an error.
_LEFT = {"CancelledError", "GeneratorExit"}

_Attributes = dict[str, str | int | float]


def listener(
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Listener:
    """A listener for ``HarbourSession(on_event=...)``; sessions may share one.

    ::

        async with HarbourSession(on_event=opentelemetry.listener()) as harbour:
            await harbour.verifications.page()

    Spans: an INTERNAL one for each call, whose parent is the caller's span, also for pages that are
    prefetched; in it a CLIENT one for each attempt. The polling that calls of ``wait_for`` share
    has spans without a parent. Metrics, times in seconds:
    ``http.client.request.duration`` of attempts, ``harbour.client.budget.wait`` of calls,
    ``harbour.client.budget.use`` (attempts, each of which takes a slot, also if nothing can be
    sent and the slot is given back) and ``harbour.client.retries``.

    tracer_provider: where spans go; None: the global provider.
    meter_provider: where metrics go; None: the global provider.

    Raises ConfigurationError for anything that is not a provider.
    """
    _check("tracer_provider", tracer_provider, trace.TracerProvider)
    _check("meter_provider", meter_provider, metrics.MeterProvider)
    spans = _Spans(trace.get_tracer(_SCOPE, tracer_provider=tracer_provider))
    counts = _Metrics(metrics.get_meter(_SCOPE, meter_provider=meter_provider))

    def listen(event: Event) -> None:
        spans.take(event)
        counts.take(event)

    return listen


def _check(name: str, given: object, cls: type) -> None:
    if given is not None and not isinstance(given, cls):
        raise ConfigurationError(f"{name} must be a {cls.__name__} or None, not {given!r}")


@define
class _Open:
    """The open spans of a call."""

    call: Span
    attempt: Span | None = None


class _Spans:
    """Starts and ends the spans of all calls.

    They are not made the current span: that has to be undone in the same context, and an abandoned
    call ends in another one. So an attempt's span gets its parent explicitly.
    """

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._open: dict[int, _Open] = {}

    def take(self, event: Event) -> None:
        if isinstance(event, CallStarted):
            self._open[event.call_id] = _Open(self._call(event))
            return
        known = self._open.get(event.call_id)
        if known is None:
            return
        if isinstance(event, AttemptStarted):
            known.attempt = self._attempt(event, known.call)
        elif isinstance(event, AttemptEnded) and known.attempt is not None:
            _end(known.attempt, event.status, _client_error(event), event.error)
        elif isinstance(event, RetryScheduled):
            known.call.add_event("retry scheduled", {"harbour.delay": event.duration})
        elif isinstance(event, BudgetPaused):
            known.call.add_event("budget paused", {"harbour.pause": event.duration})
        elif isinstance(event, CallEnded):
            del self._open[event.call_id]
            known.call.set_attribute("harbour.attempts", event.attempt)
            known.call.set_attribute("harbour.budget.wait", event.budget_wait)
            _end(known.call, event.status, event.error, event.error)

    def _call(self, event: CallStarted) -> Span:
        return self._tracer.start_span(
            f"harbour {event.method} {event.template}",
            kind=SpanKind.INTERNAL,
            attributes={**_request(event), "harbour.lane": event.lane.value},
        )

    def _attempt(self, event: AttemptStarted, call: Span) -> Span:
        return self._tracer.start_span(
            f"{event.method} {event.template}",
            context=trace.set_span_in_context(call),
            kind=SpanKind.CLIENT,
            attributes={
                **_request(event),
                **_server(event),
                "http.request.resend_count": event.attempt - 1,
            },
        )


def _end(span: Span, status: int | None, error_type: str | None, error: str | None) -> None:
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if error_type is not None:
        span.set_attribute("error.type", error_type)
    if error is not None and error not in _LEFT:
        span.set_status(StatusCode.ERROR)
    span.end()


class _Metrics:
    def __init__(self, meter: metrics.Meter) -> None:
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_REQUEST,
        )
        self._wait = meter.create_histogram(
            "harbour.client.budget.wait",
            unit="s",
            description="Time that calls waited for the rate budget.",
            explicit_bucket_boundaries_advisory=_WAIT,
        )
        self._use = meter.create_counter(
            "harbour.client.budget.use",
            unit="{request}",
            description="Attempts. Each takes a slot, and gives it back if it cannot be sent.",
        )
        self._retries = meter.create_counter(
            "harbour.client.retries",
            unit="{retry}",
            description="Requests that failed and are sent again.",
        )

    def take(self, event: Event) -> None:
        if isinstance(event, AttemptStarted):
            self._use.add(1, {"harbour.lane": event.lane.value})
        elif isinstance(event, AttemptEnded):
            self._attempt_ended(event)
        elif isinstance(event, RetryScheduled):
            self._retries.add(1, {**_request(event), "error.type": _client_error(event) or ""})
        elif isinstance(event, CallEnded):
            lane = event.lane.value
            self._wait.record(event.budget_wait, {**_request(event), "harbour.lane": lane})

    def _attempt_ended(self, event: AttemptEnded) -> None:
        attributes = {**_request(event), **_server(event)}
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if (error := _client_error(event)) is not None:
            attributes["error.type"] = error
        self._duration.record(event.duration, attributes)


def _request(event: Event) -> _Attributes:
    return {"http.request.method": event.method, "url.template": event.template}


def _server(event: AttemptStarted | AttemptEnded) -> _Attributes:
    return {"server.address": event.server_address, "server.port": event.server_port}


def _client_error(event: AttemptEnded | RetryScheduled) -> str | None:
    """The conventions want the status here where there is one."""
    if event.error is None or event.status is None:
        return event.error
    return str(event.status)
