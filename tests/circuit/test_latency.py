"""The thresholds for overdue and slow calls, learned from recent latency."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.circuit.latency import (
    DOUBLING_S,
    FLOOR_S,
    MAX_CALLS,
    MIN_CALLS,
    RecentLatency,
    next_reference_s,
    percentile,
    slow_after,
)  # fmt: skip


def after_calls(latencies: list[float], timeout_s: float | None = None, *, seconds: int = 1) -> RecentLatency:
    """The state after `seconds` seconds, each with calls of these latencies."""
    latency = RecentLatency(timeout_s)
    for second in range(seconds):
        latency.seconds.extend(math.nextafter(value, 10.0 + second) for value in latencies)
        latency.refresh(float(second))
    return latency


def test_before_a_hundred_successes_no_call_is_overdue_or_slow() -> None:
    latency = after_calls([0.05] * (MIN_CALLS - 1))
    assert (latency.overdue_after_s, latency.slow_after_s) == (math.inf, math.inf)


def test_a_call_is_overdue_after_three_times_the_99th_percentile() -> None:
    latency = after_calls([0.05] * 97 + [0.2] * 3)
    assert latency.overdue_after_s == pytest.approx(0.6)


def test_a_call_shorter_than_a_quarter_of_a_second_is_never_overdue_or_slow() -> None:
    latency = after_calls([0.001] * MIN_CALLS)
    assert (latency.overdue_after_s, latency.slow_after_s) == (FLOOR_S, FLOOR_S)


def test_more_than_half_of_the_timeout_is_slow() -> None:
    assert after_calls([1.0] * MIN_CALLS, timeout_s=4.0).slow_after_s == 2.0
    assert after_calls([1.0] * MIN_CALLS, timeout_s=None).slow_after_s == pytest.approx(3.0)


def test_a_usual_latency_is_never_slow_even_close_to_the_timeout() -> None:
    assert after_calls([3.5] * MIN_CALLS, timeout_s=4.0).slow_after_s == pytest.approx(3.5)


def test_a_brownout_does_not_raise_the_slow_threshold_while_it_lasts() -> None:
    latency = after_calls([0.05] * MIN_CALLS)
    for second in range(1, 60):
        latency.seconds.extend([2.0 + second / 1e6] * 40)
        latency.refresh(float(second))
    assert latency.slow_after_s < 2.0
    assert latency.overdue_after_s > 6.0, "the overdue threshold follows the service at once"


def test_the_reference_doubles_within_the_doubling_time() -> None:
    assert next_reference_s(0.2, 0.4, DOUBLING_S) == pytest.approx(0.4)
    assert next_reference_s(0.2, 0.8, DOUBLING_S) == pytest.approx(0.4)


def test_the_reference_falls_at_once() -> None:
    assert next_reference_s(0.8, 0.1, 1.0) == 0.1


def test_an_idle_hour_does_not_raise_the_slow_threshold() -> None:
    latency = after_calls([0.05] * MIN_CALLS)
    before = latency.slow_after_s
    latency.seconds.extend([5.0] * MAX_CALLS)
    latency.refresh(3600.0)
    assert latency.slow_after_s == pytest.approx(before, rel=0.01)


def test_without_new_calls_the_thresholds_are_not_recomputed() -> None:
    latency = after_calls([0.05] * MIN_CALLS)
    latency.overdue_after_s = 7.0
    latency.refresh(100.0)
    assert latency.overdue_after_s == 7.0


@given(values=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=600), share=st.floats(0.01, 1.0))
def test_a_percentile_has_at_least_that_share_of_the_values_at_or_below_it(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert found in values


@given(reference=st.floats(0.001, 100.0), timeout=st.floats(0.01, 100.0))
def test_the_slow_threshold_lies_between_one_and_three_references(reference: float, timeout: float) -> None:
    assert reference <= slow_after(reference, timeout) <= max(FLOOR_S, 3 * reference)
