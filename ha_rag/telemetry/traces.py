"""Traces: a span for each request, stage and attempt, through OpenTelemetry (the extra `otel`).

Names and attributes follow the semantic conventions for generative AI and HTTP; what they know nothing of (circuits,
outcomes, degraded stages) stands under `ha_rag.`. Only this file and `exporting.py` import OpenTelemetry, and only
where the environment asks for traces.

Sources: https://opentelemetry.io/docs/specs/semconv/gen-ai/ and https://opentelemetry.io/docs/specs/semconv/http/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ha_rag.components.carried import REQUEST_ID, carried, carrying
from ha_rag.components.usage import Usage, usage_heard
from ha_rag.events import Event, QuestionAnswered
from ha_rag.messages import Attempt, Outcome

Attributes = Mapping[str, str | int]

FAILURES = frozenset({Outcome.FAILED, Outcome.TIMEOUT, Outcome.THROTTLED, Outcome.INVALID})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_propagator = TraceContextTextMapPropagator()


class Traces:
    """Makes spans with `tracer`. Safe across tasks.

    `services`: circuit -> attributes of what stands behind it. `content`: whether spans may hold questions' texts.
    `flush`: sends what has not been sent; called by `close`.
    """

    def __init__(
        self,
        tracer: Tracer,
        services: Mapping[str, Attributes],
        *,
        content: bool = False,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        self._tracer = tracer
        self._services = dict(services)
        self._content = content
        self._flush = flush

    @contextmanager
    def request(self, method: str, route: str, headers: Mapping[str, str]) -> Iterator[RequestSpan]:
        """An HTTP request: part of the caller's trace, where `headers` name one."""
        known = method if method in METHODS else "_OTHER"
        told = {"http.request.method": known, "http.route": route, "ha_rag.request.id": headers.get(REQUEST_ID, "")}
        name = f"{known if known in METHODS else 'HTTP'} {route}"
        parent = _propagator.extract(headers, Context())
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, told)
        try:
            with _current(span), _carried_on():
                yield RequestSpan(span)
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def asked(self, question: str) -> None:
        """The question's text, where somebody said that spans may hold it."""
        if self._content:
            trace.get_current_span().set_attribute("ha_rag.question", question)

    @contextmanager
    def stage(self, stage: str) -> Iterator[StageSpan]:
        """A stage of a question."""
        span = self._tracer.start_span(stage, attributes={"ha_rag.stage": stage})
        try:
            with _current(span):
                yield StageSpan(self, span)
        finally:
            span.end()

    @contextmanager
    def attempt(self, circuit: str, state: str) -> Iterator[AttemptSpan]:
        """A call to a tier. What it sends to a service is part of this span."""
        attributes = self._services.get(circuit, {})
        kind = SpanKind.CLIENT if "server.address" in attributes else SpanKind.INTERNAL
        span = self._tracer.start_span(
            _name(circuit, attributes), None, kind, {**attributes, **_circuit(circuit), "ha_rag.circuit.state": state}
        )
        with _current(span), usage_heard() as usage, _carried_on():
            seen = AttemptSpan(span, usage, content=self._content)
            try:
                yield seen
            finally:
                seen.left()

    def not_sent(self, attempt: Attempt, at_ns: int) -> None:
        """An attempt that took no time, since nothing was sent: refused, skipped, or the last resort."""
        attributes = {**_circuit(attempt.circuit), "ha_rag.outcome": attempt.outcome.value}
        if attempt.state:
            attributes["ha_rag.circuit.state"] = attempt.state
        self._tracer.start_span(attempt.circuit, attributes=attributes, start_time=at_ns).end(at_ns)

    def __call__(self, event: Event, /) -> None:
        """A sink: what became of the question stands on the request's span."""
        if not isinstance(event, QuestionAnswered):
            return
        span = trace.get_current_span()
        span.set_attributes({f"ha_rag.served_by.{stage}": tier for stage, tier in event.served_by.items()})
        span.set_attributes(
            {
                "ha_rag.answer": event.answer,
                "ha_rag.degraded": bool(event.degraded_stages),
                "ha_rag.degraded_stages": event.degraded_stages,
                "ha_rag.shared_state": event.shared_state,
                "ha_rag.broken": event.broken,
            }
        )

    def close(self) -> None:
        """Sends what has not been sent, for as long as `flush` allows."""
        self._flush()


class RequestSpan:
    """A request's span."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def replied(self, status: int) -> None:
        """The status of its reply. By convention only a server's own fault makes its span an error."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))


class StageSpan:
    """A stage's span."""

    def __init__(self, traces: Traces, span: Span) -> None:
        self._traces = traces
        self._span = span
        self._started_ns = time.time_ns()

    def served(self, by: str, attempts: list[Attempt]) -> None:
        """Who served it; attempts that were not sent get their spans now, at the moment they were passed over."""
        self._span.set_attribute("ha_rag.served_by", by)
        at_ns = self._started_ns
        for attempt in attempts:
            if attempt.outcome in (Outcome.REJECTED, Outcome.SKIPPED) or not attempt.state:
                self._traces.not_sent(attempt, at_ns)
            at_ns += round(attempt.ms * 1_000_000)


class AttemptSpan:
    """An attempt's span. It ends with its block; that of a stream, when the stream ends."""

    def __init__(self, span: Span, usage: Usage, *, content: bool) -> None:
        self._span = span
        self._usage = usage
        self._content = content
        self._told = self._outlives = False

    def ended(self, outcome: Outcome, reason: str) -> None:
        """How it ended."""
        if self._told:
            return
        self._told = True
        self._span.set_attribute("ha_rag.outcome", outcome.value)
        self._span.set_attributes(_usage(self._usage))
        if outcome in FAILURES:
            self._span.set_attribute("error.type", _error_type(outcome, reason))
            # A service's own words may repeat the question.
            self._span.set_status(Status(StatusCode.ERROR, reason if self._content else None))
        if self._outlives:
            self._span.end()

    def goes_on(self) -> None:
        """A stream has begun."""
        self._outlives = True

    def left(self) -> None:
        """The block is over."""
        if not self._outlives:
            self.ended(Outcome.CANCELLED, "")
            self._span.end()


def _current(span: Span) -> AbstractContextManager[Span]:
    """Within it, `span` is the current one. Texts of exceptions stay out of it: they may repeat the question."""
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


@contextmanager
def _carried_on() -> Iterator[None]:
    """What is sent to services in this block belongs to the span that is current."""
    headers: dict[str, str] = dict(carried())
    _propagator.inject(headers)
    with carrying(headers):
        yield


def _name(circuit: str, attributes: Attributes) -> str:
    operation, model = attributes.get("gen_ai.operation.name"), attributes.get("gen_ai.request.model")
    return f"{operation} {model}" if operation and model else circuit


def _circuit(circuit: str) -> dict[str, str]:
    stage, _, tier = circuit.partition(".")
    return {"ha_rag.circuit": circuit, "ha_rag.stage": stage, "ha_rag.tier": tier}


def _usage(usage: Usage) -> dict[str, str | int | list[str]]:
    told = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.response.model": usage.model,
        "gen_ai.response.finish_reasons": None if usage.finish_reason is None else [usage.finish_reason],
    }
    return {name: value for name, value in told.items() if value is not None}


def _error_type(outcome: Outcome, reason: str) -> str:
    """The exception's name, with which a reason begins where there was one; else how it ended."""
    name, colon, _ = reason.partition(":")
    return name if colon and name.isidentifier() else outcome.value
