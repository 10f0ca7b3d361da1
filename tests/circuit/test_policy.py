"""CircuitPolicy: valid and invalid values, its error messages, and derived values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import ConfigurationError

SHARES = ("failure_threshold", "slow_threshold")
COUNTS = ("min_samples", "probes", "probe_successes", "quorum")
ABOVE_ZERO = ("recovery_timeout_s", "recovery_timeout_max_s", "probe_timeout_s", "throttle_max_s")
FROM_ZERO = ("slow_call_s", "ramp_s", "retry_budget_per_s")
BETWEEN = {
    "window_s": (0.1, 86_400),
    "flush_interval_s": (0.005, 60),
    "recovery_backoff": (1, 100),
    "retry_budget": (0, 1),
}
DAY_S = 86_400
MAX_OPEN: dict[str, Any] = {"recovery_timeout_s": DAY_S, "recovery_timeout_max_s": DAY_S}
"""Open durations at their limit, so that every other duration can reach its own."""


def accepted(**values: Any) -> CircuitPolicy:
    return CircuitPolicy(**values)


def refusal(**values: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        accepted(**values)
    return refused.value.problems


def test_the_defaults_are_those_of_the_docs() -> None:
    policy = CircuitPolicy()
    assert (policy.failure_threshold, policy.min_samples, policy.window_s) == (0.5, 5, 10)
    assert (policy.recovery_timeout_s, policy.recovery_backoff, policy.recovery_timeout_max_s) == (10, 2, 120)
    assert (policy.probes, policy.probe_successes, policy.quorum) == (1, 2, 1)
    assert (policy.shed, policy.ramp_s, policy.retries, policy.slow_call_s) == (False, 0, 0, "auto")


@pytest.mark.parametrize("name", SHARES)
def test_a_share_is_above_0_and_at_most_1(name: str) -> None:
    assert getattr(accepted(**{name: 1}), name) == 1
    assert getattr(accepted(**{name: 0.001}), name) == 0.001
    for wrong in (0, -0.5, 1.001, 50):
        assert refusal(**{name: wrong}) == (
            f"{name} = {wrong!r}: must be above 0 and at most 1 (a share, not a percentage)",
        )


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_a_whole_number_from_1_to_a_million(name: str) -> None:
    for right in (1, 1_000_000):
        assert getattr(accepted(**{name: right}), name) == right
    for wrong in (0, -1, 1.0, 2.5, True, "3", None, 1_000_001):
        assert refusal(**{name: wrong}) == (f"{name} = {wrong!r}: must be a whole number from 1 to 1000000",)


def test_retries_are_a_whole_number_from_0_to_10() -> None:
    for right in (0, 10):
        assert CircuitPolicy(retries=right).retries == right
    for wrong in (-1, 11, 1.0, True, None):
        assert refusal(retries=wrong) == (f"retries = {wrong!r}: must be a whole number from 0 to 10",)


def test_shed_is_true_or_false() -> None:
    for right in (True, False):
        assert CircuitPolicy(shed=right).shed is right
    for wrong in (1, 0, "yes", None):
        assert refusal(shed=wrong) == (f"shed = {wrong!r}: must be true or false",)


@pytest.mark.parametrize("name", ABOVE_ZERO)
def test_a_duration_is_above_0_and_at_most_a_day(name: str) -> None:
    assert getattr(accepted(**MAX_OPEN | {name: DAY_S}), name) == DAY_S
    assert getattr(accepted(**MAX_OPEN | {"recovery_timeout_s": 0.001, name: 0.001}), name) == 0.001
    for wrong in (0, -1, DAY_S + 1):
        assert refusal(**MAX_OPEN | {name: wrong}) == (f"{name} = {wrong!r}: must be above 0 and at most 86400",)


@pytest.mark.parametrize("name", FROM_ZERO)
def test_a_duration_that_0_turns_off_is_between_0_and_a_day(name: str) -> None:
    for right in (0, 0.001, DAY_S):
        assert getattr(accepted(**{name: right}), name) == right
    for wrong in (-0.001, DAY_S + 1):
        assert refusal(**{name: wrong}) == (f"{name} = {wrong!r}: must be at least 0 and at most 86400",)


@pytest.mark.parametrize("name", BETWEEN)
def test_other_fields_have_their_own_limits(name: str) -> None:
    low, high = BETWEEN[name]
    for right in (low, high):
        assert getattr(accepted(**{name: right}), name) == right
    for wrong in (low - 0.001, high + 0.001):
        assert refusal(**{name: wrong}) == (f"{name} = {wrong!r}: must be between {low:g} and {high:g}",)


@pytest.mark.parametrize("name", [*SHARES, "recovery_timeout_s", "throttle_max_s", *FROM_ZERO, *BETWEEN])
@pytest.mark.parametrize("wrong", [True, "1", None, math.nan, math.inf], ids=str)
def test_a_value_that_is_not_a_number_is_refused(name: str, wrong: object) -> None:
    assert refusal(**{name: wrong}) == (f"{name} = {wrong!r}: must be a number",)


def test_all_problems_are_reported_at_once() -> None:
    problems = refusal(failure_threshold=50, probes=0, window_s=0)
    assert [problem.partition(" ")[0] for problem in problems] == ["failure_threshold", "window_s", "probes"]


def test_the_maximum_open_duration_is_at_least_the_first() -> None:
    assert CircuitPolicy(recovery_timeout_s=30, recovery_timeout_max_s=30).recovery_timeout_max_s == 30
    assert refusal(recovery_timeout_s=30, recovery_timeout_max_s=20) == (
        "recovery_timeout_max_s = 20: must be at least recovery_timeout_s (30), "
        "because the open duration grows from one to the other",
    )


def test_a_probe_may_not_last_longer_than_the_open_duration() -> None:
    assert CircuitPolicy(recovery_timeout_s=5, probe_timeout_s=5).probe_timeout_s == 5
    assert refusal(recovery_timeout_s=5, probe_timeout_s=6) == (
        "probe_timeout_s = 6: must be at most recovery_timeout_s (5), so that no probe outlasts it",
    )


def test_relations_are_checked_only_between_valid_values() -> None:
    assert refusal(recovery_timeout_s="long", recovery_timeout_max_s=1) == (
        "recovery_timeout_s = 'long': must be a number",
    )


@pytest.mark.parametrize(
    ("window_s", "window_ms", "bucket_ms"), [(10, 10_000, 1000), (0.1, 100, 10), (0.1239, 124, 12)]
)
def test_the_window_slides_in_tenths_of_its_length(window_s: float, window_ms: int, bucket_ms: int) -> None:
    policy = CircuitPolicy(window_s=window_s)
    assert (policy.window_ms, policy.bucket_ms) == (window_ms, bucket_ms)


@pytest.mark.parametrize(
    ("policy", "timeout_s", "lease_ms"),
    [
        (CircuitPolicy(), 2.5, 3500),
        (CircuitPolicy(), 0.0004, 1000),
        (CircuitPolicy(), 0, 1000),
        (CircuitPolicy(), None, 10_000),
        (CircuitPolicy(recovery_timeout_s=30), None, 10_000),
        (CircuitPolicy(recovery_timeout_s=4), None, 4000),
        (CircuitPolicy(probe_timeout_s=7), None, 7000),
        (CircuitPolicy(probe_timeout_s=7), 2, 3000),
    ],
)
def test_a_lease_lasts_a_second_longer_than_the_call_s_timeout_or_as_the_policy_says(
    policy: CircuitPolicy, timeout_s: float | None, lease_ms: int
) -> None:
    assert policy.lease_ms(timeout_s) == lease_ms
