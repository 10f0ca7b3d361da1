"""/metrics: one replica's metrics in Prometheus's text format, named by its conventions.

Labels have few values: stages, tiers, circuits, outcomes and causes come from the configuration and from enumerations,
never from a question. Counters are updated by events; gauges (states, freshness, requests in flight) are read when
scraped.

Source: https://prometheus.io/docs/practices/naming/ (base units, `_total`, bounded labels).
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
from ha_rag.messages import Attempt, ComponentType
from ha_rag.outcomes import Outcome
from ha_rag.telemetry.experiment_metrics import experiment_gauges
from ha_rag.telemetry.experiment_report import ExperimentReport
from ha_rag.telemetry.satisfaction import Satisfaction, cost_of_degrading

CONTENT_TYPE = CONTENT_TYPE_LATEST

STATE_NUMBERS = {"closed": 0, "open": 1, "half_open": 2}

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

QUESTION_PATHS = ("/v1/query", "/v1/chat/completions")

_NOT_SENT = (Outcome.REJECTED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Functions that are read on each scrape. Each must be a memory read.

    `heard_ago_s`: age of the oldest cached state of a shared circuit in seconds; None if nothing is shared.
    `at_work`: requests in flight; `arriving`: requests whose body is being received. `tasks`: asyncio tasks that exist.
    `commands`: (verb, result, number sent to the ledger). `refused`: (source, number of values heard and refused).
    `cached`: (cache, what became of a lookup or of a value, how often).
    `satisfaction`: of the fleet's people, by group. `experiment`: what the running one shows, if there is one.
    """

    circuits: Callable[[], Iterable[CircuitReport]]
    shared_state: Callable[[], str]
    heard_ago_s: Callable[[], float | None] = lambda: None
    at_work: Callable[[], int] = lambda: 0
    arriving: Callable[[], int] = lambda: 0
    tasks: Callable[[], int] = lambda: 0
    max_concurrent: int = 0
    commands: Callable[[], Iterable[tuple[str, str, int]]] = tuple
    refused: Callable[[], Iterable[tuple[str, int]]] = tuple
    cached: Callable[[], Iterable[tuple[str, str, int]]] = tuple
    satisfaction: Callable[[], Iterable[Satisfaction]] = tuple
    experiment: Callable[[], ExperimentReport | None] = lambda: None


class Metrics:
    """One replica's metrics: an event sink, and `text()` to scrape. Safe across threads.

    `failed_questions`: questions answered with a status of 500 or more, such as refusals at capacity.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.failed_questions = 0
        self._questions = self._counter("questions", "Questions answered.", "degraded")
        self._broken = self._counter("broken_streams", "Streamed answers that failed after their first piece.")
        self._unanswered = self._counter(
            "unanswered_questions", "Questions that the documents do not answer, or that got no answer.", "generator"
        )
        self._by_arm = self._counter(
            "experiment_answers", "Questions answered by arm of the experiment.", "experiment", "arm", "as_assigned"
        )
        self._question_s = self._histogram("question_seconds", "Duration of a question.")
        self._stage_s = self._histogram("attempt_seconds", "Duration of an attempt at a tier.", "stage", "tier")
        self._attempts = self._counter("attempts", "Attempts at a tier, by outcome.", "circuit", "outcome")
        self._degraded = self._counter("degraded_answers", "Stages not served by the preferred tier.", "stage", "cause")
        self._changes = self._counter("circuit_transitions", "State changes of a circuit.", "circuit", "to")
        self._lost = self._counter("redis_lost", "Times the shared store became unreachable.")
        self._requests = self._counter("requests", "HTTP requests answered.", "path", "status")
        self._request_s = self._histogram("request_seconds", "Time until an HTTP request was answered in full.", "path")

    def __call__(self, event: Event, /) -> None:
        """Counts an event."""
        match event:
            case QuestionAnswered():
                self._answered(event)
            case TierFellBack():
                self._degraded.labels(event.stage, _cause(event.attempts)).inc()
            case CircuitChanged():
                self._changes.labels(event.circuit, event.to_state).inc()
            case LedgerLost(circuit=""):
                self._lost.inc()

    def add_gauges(self, gauges: Gauges) -> None:
        """Includes these gauges in every later scrape."""
        self._registry.register(_GaugeCollector(gauges))

    def requested(self, path: str, status: int, took_s: float) -> None:
        """Counts an HTTP request. `path`: the endpoint's path template, such as `/circuits/{name}`."""
        self._requests.labels(path, str(status)).inc()
        self.failed_questions += path in QUESTION_PATHS and status >= 500
        self._request_s.labels(path).observe(took_s)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format (`CONTENT_TYPE`)."""
        return generate_latest(_Shown(self._registry))

    def _answered(self, event: QuestionAnswered) -> None:
        self._questions.labels("true" if event.degraded_stages else "false").inc()
        self._question_s.observe(event.ms / 1000)
        if event.broken:
            self._broken.inc()
        if (arm := event.experiment) is not None:
            self._by_arm.labels(arm.experiment, arm.arm, "true" if arm.as_assigned else "false").inc()
        if not event.answered:
            self._unanswered.labels(event.served_by.get(ComponentType.GENERATOR, "")).inc()
        for attempt in event.attempts:
            self._attempts.labels(attempt.circuit, attempt.outcome.value).inc()
            if attempt.outcome not in _NOT_SENT:
                stage, _, tier = attempt.circuit.partition(".")
                self._stage_s.labels(stage, tier).observe(attempt.ms / 1000)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"ha_rag_{name}", help_text, labels, registry=self._registry)

    def _histogram(self, name: str, help_text: str, *labels: str) -> Histogram:
        return Histogram(f"ha_rag_{name}", help_text, labels, buckets=BUCKETS_S, registry=self._registry)


def _cause(attempts: tuple[Attempt, ...]) -> str:
    """Why the preferred tier did not serve: its attempt's outcome; "order" if another tier was called before it."""
    return attempts[0].outcome.value if attempts and attempts[0].outcome is not Outcome.OK else "order"


class _Shown(Collector):
    """The metrics without the `_created` series, which double their number and which no alert or panel needs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _GaugeCollector(Collector):
    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        yield from _circuits(self._gauges.circuits())
        shared = self._gauges.shared_state()
        yield _gauge(
            "shared_state", "1 for the current freshness of the shared state.", ("state",),
            (((state,), float(state == shared)) for state in ("fresh", "stale", "local")),
        )  # fmt: skip
        heard_ago_s = self._gauges.heard_ago_s()
        if heard_ago_s is not None:
            yield _gauge(
                "sync_lag_seconds", "Age of the oldest cached state of a shared circuit.", (), [((), heard_ago_s)]
            )
        yield _gauge("in_flight_requests", "Requests in flight.", (), [((), float(self._gauges.at_work()))])
        queued = float(self._gauges.arriving())
        # There is no other queue: requests above the limit are refused at once.
        yield _gauge("queued_requests", "Requests whose body is being received.", (), [((), queued)])
        yield _gauge(
            "max_in_flight_requests", "Limit of requests in flight.", (), [((), float(self._gauges.max_concurrent))]
        )
        yield _gauge("tasks", "Asyncio tasks that have not ended.", (), [((), float(self._gauges.tasks()))])
        yield _commands(self._gauges.commands())
        yield _refused(self._gauges.refused())
        yield _cached(self._gauges.cached())
        yield from _satisfaction(tuple(self._gauges.satisfaction()))
        yield from experiment_gauges(self._gauges.experiment(), _gauge)


def _circuits(reports: Iterable[CircuitReport]) -> Iterator[Metric]:
    circuits = [((report.name,), report) for report in reports]
    labels = ("circuit",)
    states = [(name, float(STATE_NUMBERS[_local_state(report)])) for name, report in circuits]
    yield _gauge("circuit_state", "0 closed, 1 open, 2 half-open.", labels, states)
    failed = [(name, report.failure_rate) for name, report in circuits]
    yield _gauge("circuit_failure_ratio", "Share of failures in the window.", labels, failed)
    slow = [(name, report.slow_rate) for name, report in circuits]
    yield _gauge("circuit_slow_ratio", "Share of slow calls in the window.", labels, slow)
    calls = [(name, float(report.samples)) for name, report in circuits]
    yield _gauge("circuit_window_calls", "Calls in the window.", labels, calls)
    overrides = [((*name, report.override.mode), 1.0) for name, report in circuits if report.override is not None]
    yield _gauge("circuit_override", "1 while an override is in force.", ("circuit", "mode"), overrides)


def _local_state(report: CircuitReport) -> str:
    """The circuit's state in this replica."""
    return (report.here.state if report.here is not None else report.state).value


def _gauge(
    name: str, help_text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"ha_rag_{name}", help_text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _commands(sent: Iterable[tuple[str, str, int]]) -> Metric:
    family = CounterMetricFamily("ha_rag_redis_verbs", "Verbs sent to the shared store.", labels=("verb", "result"))
    for verb, result, number in sent:
        family.add_metric((verb, result), number)
    return family


def _refused(refused: Iterable[tuple[str, int]]) -> Metric:
    help_text = "Values in the shared store that no replica can have written."
    family = CounterMetricFamily("ha_rag_redis_refused_values", help_text, labels=("source",))
    for source, number in refused:
        family.add_metric((source,), number)
    return family


def _cached(counted: Iterable[tuple[str, str, int]]) -> Metric:
    help_text = "Lookups in the caches and values to keep, by what became of them."
    family = CounterMetricFamily("ha_rag_cache", help_text, labels=("cache", "result"))
    for cache, result, number in counted:
        family.add_metric((cache, result), number)
    return family


def _satisfaction(rows: tuple[Satisfaction, ...]) -> Iterator[Metric]:
    ratings = [
        ((row.by, row.of, verdict), float(getattr(row, verdict)))
        for row in rows
        for verdict in ("up", "neutral", "down")
    ]
    yield _gauge("fleet_ratings", "Answers of the whole fleet that people rated.", ("by", "of", "verdict"), ratings)
    shares = [
        ((row.by, row.of, bound), value)
        for row in rows
        if row.share is not None
        for bound, value in (("value", row.share), ("low", row.low), ("high", row.high))
    ]
    help_text = "Share of the rated answers of the whole fleet that people liked, with its 95 % interval."
    yield _gauge("fleet_satisfaction_ratio", help_text, ("by", "of", "bound"), shares)
    cost = cost_of_degrading(rows)
    bounds = [] if cost is None else [(("value",), cost.points), (("low",), cost.low), (("high",), cost.high)]
    help_text = "Satisfaction without degraded stages less that with some, with its 95 % interval."
    yield _gauge("fleet_cost_of_degrading_ratio", help_text, ("bound",), bounds)
