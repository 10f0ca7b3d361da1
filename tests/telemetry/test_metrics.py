"""Metrics: events and gauges in Prometheus's text format."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from ha_rag.breaker.report import CircuitReport, Here, OverrideReport
from ha_rag.circuit.state import CircuitState
from ha_rag.events import CircuitChanged, LedgerLost, QuestionAnswered, TierFellBack
from ha_rag.messages import Attempt
from ha_rag.outcomes import Outcome
from ha_rag.telemetry.metrics import Gauges, Metrics

REFUSED = Attempt("embedder.primary", Outcome.REJECTED, 0.0, "open")
LOCAL = Attempt("embedder.secondary", Outcome.OK, 2.0)
WRITTEN = Attempt("generator.primary", Outcome.OK, 300.0)
CALM = CircuitReport("embedder.primary", CircuitState.CLOSED, None, 0, 0.0, 0.0, 0, None, "", "", (), 0, None, "fleet")


def answered(**fields) -> QuestionAnswered:
    defaults = {
        "at_ms": 1,
        "answer": "a",
        "ms": 302.0,
        "served_by": {"embedder": "secondary", "generator": "primary"},
        "degraded_stages": ("embedder",),
        "shared_state": "fresh",
        "attempts": (REFUSED, LOCAL, WRITTEN),
    }
    return QuestionAnswered(**{**defaults, **fields})


def read(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_an_answer_counts_its_question_attempts_and_durations():
    metrics = Metrics()
    metrics(answered())
    metrics(answered(degraded_stages=(), broken=True))

    samples = read(metrics)

    assert samples["ha_rag_questions_total", "true"] == 1
    assert samples["ha_rag_questions_total", "false"] == 1
    assert samples["ha_rag_broken_streams_total",] == 1
    assert samples["ha_rag_question_seconds_sum",] == 0.604
    assert samples["ha_rag_attempts_total", "embedder.primary", "rejected"] == 2
    assert samples["ha_rag_attempt_seconds_count", "generator", "primary"] == 2
    assert samples["ha_rag_attempt_seconds_bucket", "0.5", "generator", "primary"] == 2
    assert samples["ha_rag_attempt_seconds_bucket", "0.25", "generator", "primary"] == 0


def test_an_attempt_that_was_not_sent_has_no_latency():
    metrics = Metrics()
    metrics(answered())

    assert ("ha_rag_attempt_seconds_count", "embedder", "primary") not in read(metrics)


def test_a_stage_that_fell_back_is_counted_by_its_first_tiers_outcome():
    metrics = Metrics()
    for attempts in [(REFUSED, LOCAL), (replace(REFUSED, outcome=Outcome.TIMEOUT), LOCAL), (LOCAL,)]:
        metrics(
            TierFellBack(
                at_ms=1, answer="a", stage="embedder", first="primary", served_by="secondary", attempts=attempts
            )
        )

    samples = read(metrics)

    assert samples["ha_rag_degraded_answers_total", "embedder", "rejected"] == 1
    assert samples["ha_rag_degraded_answers_total", "embedder", "timeout"] == 1
    assert samples["ha_rag_degraded_answers_total", "embedder", "order"] == 1


def test_transitions_and_redis_outages_are_counted():
    metrics = Metrics()
    metrics(CircuitChanged(at_ms=1, circuit="c", previous_epoch=0, epoch=1, from_state="closed", to_state="open"))
    metrics(LedgerLost(at_ms=1, reason="refused"))
    metrics(LedgerLost(at_ms=1, reason="OOM", circuit="c"))

    samples = read(metrics)

    assert samples["ha_rag_circuit_transitions_total", "c", "open"] == 1
    assert samples["ha_rag_redis_lost_total",] == 1


def test_states_are_read_on_each_scrape_and_are_those_in_this_replica():
    reports = [
        replace(CALM, name="a", failure_rate=0.25, samples=8),
        replace(CALM, name="b", state=CircuitState.OPEN, override=OverrideReport("open", "maintenance", "op", None)),
        replace(CALM, name="c", state=CircuitState.HALF_OPEN),
        replace(CALM, name="d", here=Here(CircuitState.OPEN, "overlay")),
    ]
    metrics = Metrics()
    metrics.add_gauges(
        Gauges(
            circuits=lambda: reports,
            shared_state=lambda: "stale",
            heard_ago_s=lambda: 3.5,
            at_work=lambda: 7,
            max_concurrent=64,
            tasks=lambda: 12,
            commands=lambda: [("record", "ok", 5), ("record", "refused", 1)],
        )
    )

    samples = read(metrics)

    assert {name: samples["ha_rag_circuit_state", name] for name in "abcd"} == {"a": 0, "b": 1, "c": 2, "d": 1}
    assert (samples["ha_rag_circuit_failure_ratio", "a"], samples["ha_rag_circuit_window_calls", "a"]) == (0.25, 8)
    assert samples["ha_rag_circuit_override", "b", "open"] == 1
    assert [samples["ha_rag_shared_state", state] for state in ("fresh", "stale", "local")] == [0, 1, 0]
    assert samples["ha_rag_sync_lag_seconds",] == 3.5
    assert (samples["ha_rag_in_flight_requests",], samples["ha_rag_max_in_flight_requests",]) == (7, 64)
    assert samples["ha_rag_tasks",] == 12
    assert samples["ha_rag_redis_verbs_total", "record", "refused"] == 1


def test_two_replicas_in_one_process_count_separately():
    one, other = Metrics(), Metrics()
    one(answered())

    assert ("ha_rag_questions_total", "true") not in read(other)


def test_questions_without_an_answer_are_counted_by_generator():
    metrics = Metrics()
    metrics(answered())
    metrics(answered(answered=False))
    assert read(metrics)["ha_rag_unanswered_questions_total", "primary"] == 1
