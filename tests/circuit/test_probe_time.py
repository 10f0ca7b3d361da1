"""How long a probe may last: as long as its timeout says, or as long as the service itself needs."""

from __future__ import annotations

import pytest

from ha_rag.circuit.latency import RecentLatency
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.probe_time import ProbeTime
from ha_rag.circuit.terms import Terms

POLICY = CircuitPolicy(recovery_timeout_s=10.0, recovery_timeout_max_s=120.0)


def probe_time(*past_s: float, policy: CircuitPolicy = POLICY, timeout_s: float | None = None) -> ProbeTime:
    latency = RecentLatency(timeout_s)
    latency.seconds.extend(past_s)
    return ProbeTime(policy, Terms.of(policy, timeout_s), timeout_s, latency)


@pytest.mark.parametrize(
    ("open_count", "lease_ms"), [(0, 10_000), (1, 10_000), (2, 10_000), (3, 20_000), (4, 40_000), (5, 60_000)]
)
def test_without_a_past_it_grows_with_the_open_time_to_half_of_it(open_count: int, lease_ms: int) -> None:
    assert probe_time().lease_ms(open_count) == lease_ms


def test_an_open_count_of_any_size_is_within_the_longest_open_time() -> None:
    assert probe_time().lease_ms(10**9) == 60_000


def test_it_is_three_times_what_the_services_calls_take() -> None:
    assert probe_time(*[1.0] * 5, 15.0).lease_ms(1) == 45_000


def test_one_very_long_call_does_not_let_a_hanging_probe_last_for_hours() -> None:
    assert probe_time(3600.0).lease_ms(1) == 3_720_000


def test_one_call_in_a_hundred_may_be_longer() -> None:
    assert probe_time(*[5.0] * 198, 100.0, 100.0).lease_ms(1) == 15_000


@pytest.mark.parametrize(
    ("policy", "timeout_s", "lease_ms"),
    [(POLICY, 2.0, 3000), (CircuitPolicy(probe_timeout_s=4.0), None, 4000)],
    ids=["the calls' timeout", "probe_timeout_s"],
)
def test_a_limit_that_was_set_stays(policy: CircuitPolicy, timeout_s: float | None, lease_ms: int) -> None:
    limited = probe_time(30.0, policy=policy, timeout_s=timeout_s)
    assert not limited.is_imposed
    assert limited.lease_ms(5) == lease_ms
