"""A policy that changes at run time: what it decides from then on, and what stays."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.errors import ConfigurationError, UnknownCircuitError
from ha_rag.testing import ManualRegistry
from tests.breaker.one_breaker import CLOSED, HALF_OPEN, OPEN, POLICY, OneBreaker
from tests.ledger.views import OneView

POLICIES = st.builds(
    CircuitPolicy,
    failure_threshold=st.sampled_from([0.1, 0.5, 1.0]),
    slow_call_s=st.sampled_from(["auto", 0, 0.5, 2.0]),
    slow_threshold=st.sampled_from([0.2, 1.0]),
    min_samples=st.integers(1, 12),
    window_s=st.sampled_from([1.0, 10.0, 30.0]),
    blip_s=st.sampled_from([0.0, 0.5, 5.0]),
    recovery_timeout_s=st.sampled_from([1.0, 5.0]),
    probe_timeout_s=st.sampled_from([None, 0.5]),
    recovery_backoff=st.sampled_from([1.0, 3.0]),
    probes=st.integers(1, 3),
    probe_successes=st.integers(1, 3),
    throttle_max_s=st.sampled_from([2.0, 60.0]),
    ramp_s=st.sampled_from([0.0, 20.0]),
    shed=st.booleans(),
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["ok", "failed", "timed_out", "throttled"]),
        st.sampled_from([0.0, 0.01, 0.6, 3.0]),
        st.integers(1, 20),
    ),
    max_size=12,
)


def outcomes(created: CircuitPolicy, updated: CircuitPolicy | None, calls: list[tuple[str, float, int]]) -> list[Any]:
    """What each call of one breaker meets: whether it is admitted, how it counts, when to retry, and the state."""
    circuits = ManualRegistry(draw=lambda: 0.3)
    breaker = circuits.breaker("svc", created)
    if updated is not None:
        breaker.update_policy(updated)
    seen: list[Any] = []
    for how, lasts_s, times in calls:
        for _ in range(times):
            admission = breaker.admit()
            seen.append((admission.permitted, admission.retry_after_s))
            circuits.advance(lasts_s)
            if admission.permit is not None:
                settle = getattr(admission.permit, how)
                seen.append(settle(30.0) if how == "throttled" else settle())
            seen.append(breaker.state)
        circuits.advance(1.0)
    return seen


@settings(max_examples=200, deadline=None)
@given(POLICIES, POLICIES, CALLS)
def test_an_updated_breaker_decides_as_one_created_with_that_policy(
    before: CircuitPolicy, after: CircuitPolicy, calls: list[tuple[str, float, int]]
) -> None:
    assert outcomes(before, after, calls) == outcomes(after, None, calls)


def test_what_was_counted_counts_on() -> None:
    one = OneBreaker(replace(POLICY, failure_threshold=1.0, min_samples=4, blip_s=10.0))
    for _ in range(6):
        one.permit().ok()
    one.fails(3)
    assert one.breaker.state is CLOSED

    one.breaker.update_policy(replace(one.breaker.policy, failure_threshold=0.4))
    assert one.counts.failed == 3
    one.fails(1)  # 4 of 10
    assert one.breaker.state is OPEN


def test_a_longer_window_counts_with_what_the_shorter_one_still_held() -> None:
    one = OneBreaker(replace(POLICY, min_samples=6, window_s=10.0))
    one.fails(5)
    one.clock.advance(8.0)
    one.breaker.update_policy(replace(one.breaker.policy, window_s=60.0))
    one.clock.advance(8.0)
    one.fails(1)
    assert one.breaker.state is OPEN


def test_an_open_duration_that_has_begun_keeps_its_length() -> None:
    one = OneBreaker()
    one.opens()
    one.breaker.update_policy(replace(POLICY, recovery_timeout_s=60.0))
    assert one.breaker.state is OPEN
    one.clock.advance(11.0)
    assert one.breaker.state is HALF_OPEN
    one.permit().failed()
    one.clock.advance(60.0)
    assert one.breaker.state is OPEN  # 60 s twice: the next open duration is the new policy's


def test_calls_in_flight_during_the_update_count_once() -> None:
    one = OneBreaker(replace(POLICY, min_samples=1000))
    held = [one.permit() for _ in range(3)]
    one.breaker.update_policy(replace(POLICY, min_samples=1000, window_s=20.0, slow_call_s=1.0))
    one.clock.advance(0.5)
    for permit in held:
        permit.ok()
    assert (one.counts.ok, one.counts.slow) == (3, 0)


def test_threads_that_call_meanwhile_lose_no_outcome() -> None:
    one = OneBreaker(replace(POLICY, min_samples=1_000_000))
    policies = [replace(one.breaker.policy, window_s=window_s) for window_s in (5.0, 10.0, 20.0)]

    def call() -> None:
        for _ in range(2000):
            one.permit().ok()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(200):
        one.breaker.update_policy(policies[n % 3])
    for thread in threads:
        thread.join()
    assert one.counts.ok == 8000


@pytest.mark.parametrize(("before_s", "after_s"), [(10.0, 2.0), (2.0, 10.0)])
def test_a_lease_requested_before_the_update_is_held_for_as_long_as_was_requested(
    before_s: float, after_s: float
) -> None:
    view = OneView(replace(POLICY, probe_timeout_s=before_s))
    view.receives(HALF_OPEN, 1)
    assert view.refused().ask
    wanted = view.lease_wanted()
    view.set_policy(replace(POLICY, probe_timeout_s=after_s))
    reply = Reply(view.snapshot(HALF_OPEN, 1), granted=True, wait_ms=0)
    assert view.lease_answered(reply, "t", view.clock.now_s, wanted) is None
    grant = view.drop_grant()
    assert grant is not None
    assert grant.until_s == view.clock.now_s + before_s

    assert view.refused().ask
    assert view.lease_answered(reply, "u", view.clock.now_s, view.lease_wanted()) is None
    renewed = view.drop_grant()
    assert renewed is not None
    assert renewed.until_s == view.clock.now_s + after_s


# ---- a shared circuit -----------------------------------------------------------------------------------------------


def test_outcomes_are_reported_in_the_buckets_of_the_new_policy() -> None:
    view = OneView(replace(POLICY, window_s=10.0))
    view.set_policy(replace(POLICY, window_s=1.0))
    for _ in range(3):
        view.fails(1)
        view.clock.advance(0.2)
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    assert len(batch.tallies) == 3


def test_an_unacknowledged_batch_is_sent_again_for_as_long_as_the_new_window() -> None:
    view = OneView(replace(POLICY, window_s=10.0))
    view.fails(1)
    batch = view.batch(view.ledger_ms)
    view.set_policy(replace(POLICY, window_s=60.0))
    view.clock.advance(20.0)
    assert batch is not None
    assert view.batch(view.ledger_ms) is batch


@pytest.mark.parametrize(("blip_s", "trips"), [(0.5, True), (5.0, False)])
def test_after_a_recovery_a_circuit_counts_for_as_long_as_the_new_policy_says(blip_s: float, trips: bool) -> None:
    view = OneView(POLICY)
    view.set_policy(replace(POLICY, blip_s=blip_s))
    view.receives(OPEN, 1)
    view.receives(CLOSED, 2, changed_at_ms=view.ledger_ms)
    view.clock.advance(1.0)
    view.fails(6)
    view.clock.advance(0.2)  # longer than it waits for the fleet's decision
    assert view.is_tripped_locally() is trips


# ---- the registry ---------------------------------------------------------------------------------------------------


def test_the_registry_updates_by_name_and_accepts_both_policies_from_then_on() -> None:
    registry = CircuitRegistry.connect(replica="r1")
    breaker = registry.breaker("svc", POLICY)
    other = replace(POLICY, min_samples=99)

    assert registry.update("svc", other) is breaker
    assert breaker.policy == other
    assert registry.breaker("svc", POLICY) is registry.breaker("svc", other) is registry.breaker("svc") is breaker
    assert breaker.policy == other
    with pytest.raises(ConfigurationError, match="already has a different policy"):
        registry.breaker("svc", replace(POLICY, min_samples=7))


def test_a_name_that_this_process_does_not_use_is_refused() -> None:
    registry = CircuitRegistry.connect(replica="r1")
    registry.breaker("known")
    with pytest.raises(UnknownCircuitError, match="known"):
        registry.update("svc", POLICY)
