"""Traces: a span for each request, stage and attempt, with OpenTelemetry (the extra `otel`).

Names and attributes follow the semantic conventions for generative AI and HTTP; attributes that these do not cover
(circuits, outcomes, degraded stages) are prefixed `ha_rag.`. Only this file and `exporting.py` import OpenTelemetry,
and they are imported only if tracing is enabled.

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
from ha_rag.messages import AssignedArm, Attempt, Quality
from ha_rag.outcomes import Outcome

Attributes = Mapping[str, str | int]

FAILURES = frozenset({Outcome.FAILED, Outcome.TIMEOUT, Outcome.THROTTLED, Outcome.INVALID})
OF_CACHE = ".cached"
"""How the names of the caches end among the attempts; unlike a tier of that name, they have no circuit."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_propagator = TraceContextTextMapPropagator()


class Traces:
    """Makes spans with `tracer`. Safe across tasks.

    `services`: circuit -> attributes of the service it guards. `content`: whether spans may contain questions' texts.
    `flush`: sends the queued spans; called by `close`.
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
    def request(self, method: str, route: str, headers: Mapping[str, str]) -> Iterator[ServerSpan]:
        """An HTTP request: part of the client's trace, if `headers` name one."""
        known = method if method in METHODS else "_OTHER"
        attributes = {
            "http.request.method": known,
            "http.route": route,
            "ha_rag.request.id": headers.get(REQUEST_ID, ""),
        }
        name = f"{known if known in METHODS else 'HTTP'} {route}"
        parent = _propagator.extract(headers, Context())
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)
        try:
            with _current(span), _propagated():
                yield ServerSpan(span)
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def asked(self, question: str) -> None:
        """Adds the question's text, if spans may contain it."""
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
        """A call to a tier. Its requests to a service are children of this span."""
        attributes = self._services.get(circuit, {})
        kind = SpanKind.CLIENT if "server.address" in attributes else SpanKind.INTERNAL
        span = self._tracer.start_span(
            _name(circuit, attributes), None, kind, {**attributes, **_circuit(circuit), "ha_rag.circuit.state": state}
        )
        with _current(span), usage_heard() as usage, _propagated():
            attempt_span = AttemptSpan(span, usage, content=self._content)
            try:
                yield attempt_span
            finally:
                attempt_span.close()

    def not_sent(self, attempt: Attempt, at_ns: int) -> None:
        """A span of no duration for an attempt that sent nothing: refused, skipped, or the last resort."""
        attributes = {**_circuit(attempt.circuit), "ha_rag.outcome": attempt.outcome.value}
        if attempt.state:
            attributes["ha_rag.circuit.state"] = attempt.state
        self._tracer.start_span(attempt.circuit, attributes=attributes, start_time=at_ns).end(at_ns)

    def __call__(self, event: Event, /) -> None:
        """A sink that adds the answer's attributes to the request's span."""
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
                "ha_rag.answered": event.answered,
            }
        )
        if event.age_s is not None:
            span.set_attribute("ha_rag.age_s", event.age_s)
        if event.experiment is not None:
            span.set_attributes(_arm(event.experiment))
        if event.quality is not None:
            span.set_attributes(_quality(event.quality))

    def close(self) -> None:
        """Sends the queued spans, for as long as `flush` allows."""
        self._flush()


class ServerSpan:
    """A request's span."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def replied(self, status: int) -> None:
        """Sets the reply's status. By convention only a server error (5xx) marks the span as an error."""
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
        """Sets the tier that served. Attempts that were not sent get their spans here, timed when they were skipped."""
        self._span.set_attribute("ha_rag.served_by", by)
        if any(attempt.circuit.endswith(OF_CACHE) for attempt in attempts if not attempt.state):
            self._span.set_attribute("ha_rag.cache.hit", True)
        at_ns = self._started_ns
        for attempt in attempts:
            if attempt.outcome in (Outcome.REJECTED, Outcome.SKIPPED) or not attempt.state:
                self._traces.not_sent(attempt, at_ns)
            at_ns += round(attempt.ms * 1_000_000)


class AttemptSpan:
    """An attempt's span. It ends with its block or, for a stream, when the stream ends."""

    def __init__(self, span: Span, usage: Usage, *, content: bool) -> None:
        self._span = span
        self._usage = usage
        self._content = content
        self._has_ended = self._outlives = False

    def ended(self, outcome: Outcome, reason: str) -> None:
        """Sets the outcome; only the first one counts."""
        if self._has_ended:
            return
        self._has_ended = True
        self._span.set_attribute("ha_rag.outcome", outcome.value)
        self._span.set_attributes(_usage(self._usage))
        if outcome in FAILURES:
            self._span.set_attribute("error.type", _error_type(outcome, reason))
            # A service's error text may repeat the question.
            self._span.set_status(Status(StatusCode.ERROR, reason if self._content else None))
        if self._outlives:
            self._span.end()

    def continues(self) -> None:
        """A stream has begun: the span ends when the stream does."""
        self._outlives = True

    def close(self) -> None:
        """The block ended."""
        if not self._outlives:
            self.ended(Outcome.CANCELLED, "")
            self._span.end()


def _current(span: Span) -> AbstractContextManager[Span]:
    """Makes `span` the current span. Exception texts are not recorded: they may repeat the question."""
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


@contextmanager
def _propagated() -> Iterator[None]:
    """Requests to services within the block belong to the current span."""
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
    attributes = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.response.model": usage.model,
        "gen_ai.response.finish_reasons": None if usage.finish_reason is None else [usage.finish_reason],
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _arm(assigned: AssignedArm) -> dict[str, str | bool]:
    return {
        "ha_rag.experiment": assigned.experiment,
        "ha_rag.experiment.arm": assigned.arm,
        "ha_rag.experiment.as_assigned": assigned.as_assigned,
    }


def _quality(quality: Quality) -> dict[str, str | float]:
    told: dict[str, str | float] = {
        "ha_rag.quality.expected": quality.expected,
        "ha_rag.quality.best": quality.best,
        "ha_rag.quality.metric": quality.metric,
        "ha_rag.quality.measured_on": quality.measured_on,
        "ha_rag.quality.source": quality.source,
    }
    if quality.answers is not None:
        told["ha_rag.quality.answers.expected"] = quality.answers.expected
        told["ha_rag.quality.answers.best"] = quality.answers.best
        told["ha_rag.quality.answers.metric"] = quality.answers.metric
    return told


def _error_type(outcome: Outcome, reason: str) -> str:
    """The exception's name, if the reason begins with one; else the outcome."""
    name, colon, _ = reason.partition(":")
    return name if colon and name.isidentifier() else outcome.value
