"""/metrics: what one replica has done, in Prometheus's text form. Names and units as its guide wants them.

Labels have few values each: stages, tiers, circuits, outcomes and causes come from the configuration and from
enumerations, never from a question. Counters go up as events are told; what can be read at any time (states,
freshness, requests at work) is read when somebody asks.

Source: https://prometheus.io/docs/practices/naming/ (base units, `_total`, no label without a bound).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from ha_rag.breaker.report import CircuitReport
from ha_rag.events import CircuitChanged, Event, LedgerLost, QuestionAnswered, TierFellBack
from ha_rag.messages import Attempt, Outcome

CONTENT_TYPE = CONTENT_TYPE_LATEST

STATE_NUMBERS = {"closed": 0, "open": 1, "half_open": 2}

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_NOT_SENT = (Outcome.REJECTED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What is read when somebody asks. Every function must be a memory read.

    `heard_ago_s`: age of the oldest belief about a shared circuit; None where nothing is shared.
    `commands`: verb, how it ended, and how many were sent to the ledger.
    """

    circuits: Callable[[], Iterable[CircuitReport]]
    shared_state: Callable[[], str]
    heard_ago_s: Callable[[], float | None] = lambda: None
    at_work: Callable[[], int] = lambda: 0
    arriving: Callable[[], int] = lambda: 0
    max_concurrent: int = 0
    commands: Callable[[], Iterable[tuple[str, str, int]]] = tuple


class Metrics:
    """One replica's metrics: a sink of events, and `text()` for whoever scrapes. Safe across threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._questions = self._counter("questions", "Questions answered.", "degraded")
        self._broken = self._counter("broken_streams", "Streamed answers that broke off after their first piece.")
        self._question_s = self._histogram("question_seconds", "How long a whole question took.")
        self._stage_s = self._histogram("attempt_seconds", "How long one attempt at a tier took.", "stage", "tier")
        self._attempts = self._counter("attempts", "Attempts at a tier, by how they ended.", "circuit", "outcome")
        self._degraded = self._counter("degraded_answers", "Stages that a lesser tier served.", "stage", "cause")
        self._changes = self._counter("circuit_transitions", "Changes of a circuit's state heard.", "circuit", "to")
        self._lost = self._counter("redis_lost", "How often the shared store was no longer heard.")
        self._requests = self._counter("requests", "HTTP requests answered.", "path", "status")
        self._request_s = self._histogram("request_seconds", "Until an HTTP request was answered in full.", "path")

    def __call__(self, event: Event, /) -> None:
        """Takes note of one event."""
        match event:
            case QuestionAnswered():
                self._answered(event)
            case TierFellBack():
                self._degraded.labels(event.stage, _cause(event.attempts)).inc()
            case CircuitChanged():
                self._changes.labels(event.circuit, event.to_state).inc()
            case LedgerLost(circuit=""):
                self._lost.inc()

    def reads(self, gauges: Gauges) -> None:
        """From now on, also reads these when somebody asks."""
        self._registry.register(_Readings(gauges))

    def requested(self, path: str, status: int, took_s: float) -> None:
        """Takes note of an HTTP request. `path`: an endpoint's own, with its parameters' names."""
        self._requests.labels(path, str(status)).inc()
        self._request_s.labels(path).observe(took_s)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it (`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def _answered(self, event: QuestionAnswered) -> None:
        self._questions.labels("true" if event.degraded_stages else "false").inc()
        self._question_s.observe(event.ms / 1000)
        if event.broken:
            self._broken.inc()
        for attempt in event.attempts:
            self._attempts.labels(attempt.circuit, attempt.outcome.value).inc()
            if attempt.outcome not in _NOT_SENT:
                stage, _, tier = attempt.circuit.partition(".")
                self._stage_s.labels(stage, tier).observe(attempt.ms / 1000)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"ha_rag_{name}", says, labels, registry=self._registry)

    def _histogram(self, name: str, says: str, *labels: str) -> Histogram:
        return Histogram(f"ha_rag_{name}", says, labels, buckets=BUCKETS_S, registry=self._registry)


def _cause(attempts: tuple[Attempt, ...]) -> str:
    """Why the first tier did not serve: how its attempt ended; "order" where another one was asked before it."""
    return attempts[0].outcome.value if attempts and attempts[0].outcome is not Outcome.OK else "order"


class _Readings(Collector):
    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """What is so now."""
        yield from _circuits(self._gauges.circuits())
        shared = self._gauges.shared_state()
        yield _gauge(
            "shared_state", "1 for how fresh the shared state is.", ("state",),
            (((state,), float(state == shared)) for state in ("fresh", "stale", "local")),
        )  # fmt: skip
        heard_ago_s = self._gauges.heard_ago_s()
        if heard_ago_s is not None:
            yield _gauge("sync_lag_seconds", "Age of the oldest belief on a shared circuit.", (), [((), heard_ago_s)])
        yield _gauge("in_flight_requests", "Requests at work.", (), [((), float(self._gauges.at_work()))])
        queued = float(self._gauges.arriving())
        # There is no other queue: beyond the most that are taken, a request is refused at once.
        yield _gauge("queued_requests", "Requests whose body is still arriving.", (), [((), queued)])
        yield _gauge("max_in_flight_requests", "As many as are taken.", (), [((), float(self._gauges.max_concurrent))])
        yield _commands(self._gauges.commands())


def _circuits(reports: Iterable[CircuitReport]) -> Iterator[Metric]:
    circuits = [((report.name,), report) for report in reports]
    named = ("circuit",)
    states = [(name, float(STATE_NUMBERS[_met(report)])) for name, report in circuits]
    yield _gauge("circuit_state", "0 closed, 1 open, 2 half-open.", named, states)
    failed = [(name, report.failure_rate) for name, report in circuits]
    yield _gauge("circuit_failure_ratio", "Share of failures in the window.", named, failed)
    slow = [(name, report.slow_rate) for name, report in circuits]
    yield _gauge("circuit_slow_ratio", "Share of slow calls in the window.", named, slow)
    calls = [(name, float(report.samples)) for name, report in circuits]
    yield _gauge("circuit_window_calls", "Calls in the window.", named, calls)
    words = [((*name, report.override.mode), 1.0) for name, report in circuits if report.override is not None]
    yield _gauge("circuit_override", "1 while an operator's word holds.", ("circuit", "mode"), words)


def _met(report: CircuitReport) -> str:
    """The state that this replica's calls meet."""
    return (report.here.state if report.here is not None else report.state).value


def _gauge(
    name: str, says: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"ha_rag_{name}", says, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _commands(sent: Iterable[tuple[str, str, int]]) -> Metric:
    family = CounterMetricFamily("ha_rag_redis_verbs", "Verbs sent to the shared store.", labels=("verb", "result"))
    for verb, result, number in sent:
        family.add_metric((verb, result), number)
    return family
