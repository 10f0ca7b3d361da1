"""CallStats and ComponentStatus."""

from __future__ import annotations

import pytest

from ha_rag.messages import ComponentType
from ha_rag.outcomes import Outcome
from ha_rag.strategy.status import LATENCIES_KEPT, CallStats, ComponentStatus


def status(calls: int = 0, failures: int = 0) -> ComponentStatus:
    return ComponentStatus(
        circuit="embedder.primary",
        component_type=ComponentType.EMBEDDER,
        name="primary",
        state="closed",
        shared_state="fresh",
        calls=calls,
        failures=failures,
    )


def test_the_failure_rate_is_a_share_and_zero_before_the_first_call() -> None:
    assert status().get_failure_rate() == 0.0
    assert status(calls=8, failures=2).get_failure_rate() == 0.25


def test_only_failures_timeouts_and_throttling_count_as_failures() -> None:
    stats = CallStats()
    for outcome in Outcome:
        stats.note(outcome, 0.01, str(outcome))
    assert (stats.calls, stats.failures) == (len(Outcome), 3)
    assert stats.last_error == "throttled"


def test_mean_and_p99_come_from_the_latest_calls() -> None:
    stats = CallStats()
    assert stats.latency_ms() == (0.0, 0.0)
    for _ in range(LATENCIES_KEPT):
        stats.note(Outcome.OK, 9.0)
    for n in range(LATENCIES_KEPT):
        stats.note(Outcome.OK, 1.0 if n == 0 else 0.01)
    mean_ms, p99_ms = stats.latency_ms()
    assert mean_ms == pytest.approx((1000 + 255 * 10) / LATENCIES_KEPT)
    assert p99_ms == pytest.approx(10.0)


def test_cancelled_calls_are_left_out_of_the_latency() -> None:
    stats = CallStats()
    stats.note(Outcome.CANCELLED, 0.001)
    assert (stats.calls, stats.latency_ms()) == (1, (0.0, 0.0))
