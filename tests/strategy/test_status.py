"""How a component has done: counted cheaply, told on request."""

from __future__ import annotations

import pytest

from ha_rag.messages import ComponentType, Outcome
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


def test_failures_timeouts_and_throttling_are_failures_the_rest_is_not() -> None:
    tally = CallStats()
    for outcome in Outcome:
        tally.note(outcome, 0.01, str(outcome))
    assert (tally.calls, tally.failures) == (len(Outcome), 3)
    assert tally.last_error == "throttled"


def test_mean_and_p99_come_from_the_latest_calls() -> None:
    tally = CallStats()
    assert tally.latency_ms() == (0.0, 0.0)
    for _ in range(LATENCIES_KEPT):
        tally.note(Outcome.OK, 9.0)
    for n in range(LATENCIES_KEPT):
        tally.note(Outcome.OK, 1.0 if n == 0 else 0.01)
    mean_ms, p99_ms = tally.latency_ms()
    assert mean_ms == pytest.approx((1000 + 255 * 10) / LATENCIES_KEPT)
    assert p99_ms == pytest.approx(10.0)


def test_calls_given_up_have_no_latency_of_their_own() -> None:
    tally = CallStats()
    tally.note(Outcome.CANCELLED, 0.001)
    assert (tally.calls, tally.latency_ms()) == (1, (0.0, 0.0))
