"""Quantiles of latencies are right within 2 %, also of sums and differences of sketches."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.telemetry import sketch

LATENCY = st.floats(sketch.SMALLEST_MS, sketch.LARGEST_MS)
SHARES = (0.0, 0.5, 0.9, 0.99, 1.0)


def of(latencies: list[float]) -> Counter[int]:
    return Counter(map(sketch.bucket, latencies))


def true_quantile(latencies: list[float], share: float) -> float:
    return sorted(latencies)[math.floor(share * (len(latencies) - 1))]


@pytest.mark.parametrize("ms", [0.1, 1.0, 420.0, 2000.0, 30_000.0, 600_000.0])
def test_a_constant_latency_is_shown_as_itself(ms):
    for share in SHARES:
        assert sketch.quantile_ms(of([ms] * 100), share) == pytest.approx(ms, rel=sketch.ERROR * 1.0001)


@given(st.lists(LATENCY, min_size=1, max_size=200))
def test_every_quantile_is_within_the_error(latencies):
    for share in SHARES:
        expected = true_quantile(latencies, share)
        assert sketch.quantile_ms(of(latencies), share) == pytest.approx(expected, rel=sketch.ERROR * 1.0001)


@given(st.lists(LATENCY, max_size=50), st.lists(LATENCY, min_size=1, max_size=50))
def test_sketches_merge_over_replicas_and_subtract_over_time(before, later):
    both = of(before + later)
    assert sketch.added([of(before), of(later)]) == both
    assert sketch.since(of(before), both) == of(later)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_latency_has_a_bucket_so_that_a_sketch_is_bounded(ms):
    assert 0 <= sketch.bucket(ms) < sketch.BUCKETS <= 400


def test_no_latency_has_no_quantile():
    assert sketch.quantile_ms({}, 0.5) is None


@pytest.mark.parametrize("ms", [1.0, 40.0, 2000.0])
def test_sketches_are_told_in_the_buckets_of_0_1_0_and_read_from_them(ms):
    told = sketch.as_0_1_0(of([ms] * 9))
    assert sum(told.values()) == 9
    assert all(0 <= number < sketch.OLD_BUCKETS for number in told)
    assert sketch.quantile_ms(sketch.from_0_1_0(told), 0.5) == pytest.approx(ms, rel=0.13 + sketch.ERROR)
