"""Terms: a policy in whole milliseconds, and its wire form."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts
from ha_rag.circuit.terms import NEVER, Terms
from tests.circuit.circuits import T


def test_every_duration_becomes_whole_milliseconds() -> None:
    opening: dict[str, Any] = {
        "failure_threshold": 0.25,
        "slow_call_s": 2,
        "slow_threshold": 0.75,
        "min_samples": 7,
        "quorum": 4,
    }
    open_time: dict[str, Any] = {
        "recovery_timeout_s": 3.0014,
        "recovery_backoff": 1.5,
        "recovery_timeout_max_s": 45.0016,
    }
    closing: dict[str, Any] = {"probes": 2, "probe_successes": 3}
    policy = CircuitPolicy(window_s=4, throttle_max_s=12.0016, **opening, **open_time, **closing)
    assert Terms.of(policy, 0.5) == Terms(
        window_ms=4000, bucket_ms=400, min_samples=7, failure_threshold=0.25, slow_threshold=0.75, quorum=4,
        open_ms=3001, backoff=1.5, open_max_ms=45_002, throttle_max_ms=12_002, probes=2, probe_successes=3,
        lease_ms=1500,
    )  # fmt: skip


def test_slow_call_s_of_0_turns_the_slow_threshold_off() -> None:
    assert Terms.of(CircuitPolicy(slow_call_s=0, slow_threshold=0.1)).slow_threshold == NEVER > 1
    assert Terms.of(CircuitPolicy(slow_call_s=0.001, slow_threshold=0.1)).slow_threshold == 0.1


def test_no_open_duration_is_shorter_than_a_lease_and_the_maximum_is_at_least_the_first() -> None:
    found = Terms.of(CircuitPolicy(recovery_timeout_s=2, recovery_timeout_max_s=3), timeout_s=9)
    assert (found.lease_ms, found.open_ms, found.open_max_ms) == (10_000, 10_000, 10_000)


def test_a_lease_without_a_call_timeout_lasts_as_the_policy_says() -> None:
    assert Terms.of(CircuitPolicy(probe_timeout_s=4)).lease_ms == 4000


def test_terms_survive_the_wire() -> None:
    assert T.wire() == astuple(T)
    assert Terms.from_wire(T.wire()) == T
    assert Terms.from_wire(list(T.wire())) == T


@pytest.mark.parametrize("edge", [{"quorum": 0}, {"bucket_ms": 1}, {"window_ms": 2**53 - 1}])
def test_extreme_valid_terms_are_accepted(edge: dict[str, int]) -> None:
    assert Terms.from_wire(replace(T, **edge).wire()) == replace(T, **edge)


@pytest.mark.parametrize(
    "numbers",
    [
        None,
        7,
        "1" * len(T.wire()),
        T.wire()[:-2],
        (*T.wire(), 1),
        ("1000", *T.wire()[1:]),
        (True, *T.wire()[1:]),
        (-1, *T.wire()[1:]),
        (2**53, *T.wire()[1:]),
        (float("nan"), *T.wire()[1:]),
        replace(T, bucket_ms=0).wire(),
        (T.window_ms, 0.5, *T.wire()[2:]),
    ],
    ids=repr,
)
def test_invalid_terms_are_rejected(numbers: object) -> None:
    assert Terms.from_wire(numbers) is None


@pytest.mark.parametrize(
    ("failed", "slow", "reached"),
    [(0.49, 1.0, False), (0.5, 0, True), (0.51, 0, True), (0, 2.0, True), (0, 1.99, False)],
)
def test_a_rate_reaches_its_threshold_at_the_threshold(failed: float, slow: float, *, reached: bool) -> None:
    assert T.reached(failed, slow) is reached


def test_counts_add_up_per_kind() -> None:
    assert Counts(1, 2, 3) + Counts(10, 20, 30) == Counts(11, 22, 33)
    assert (Counts(1, 3, 2).samples, Counts(1, 3, 2).failure_rate, Counts(1, 3, 2).slow_rate) == (4, 0.75, 0.5)
    assert (Counts().failure_rate, Counts().slow_rate) == (0.0, 0.0)
