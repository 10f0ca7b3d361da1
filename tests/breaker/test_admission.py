"""Asking a breaker for a permit, and reporting the call's outcome."""

from __future__ import annotations

import math

import pytest

from ha_rag.breaker.permit import Permit
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts
from ha_rag.errors import CircuitOpenError
from ha_rag.events import CircuitChanged
from ha_rag.outcomes import Outcome
from tests.breaker.one_breaker import CLOSED, HALF_OPEN, OPEN, POLICY, OneBreaker


def test_a_closed_circuit_returns_a_permit_as_the_admission() -> None:
    one = OneBreaker()
    admission = one.breaker.admit()
    assert admission.permitted
    assert admission.permit is admission
    assert (admission.state, admission.probe, admission.bound_s) == (CLOSED, False, None)


def test_an_open_circuit_returns_a_refusal_that_says_when_to_retry() -> None:
    one = OneBreaker()
    one.opens()
    refusal = one.refusal()
    assert not refusal.permitted
    assert refusal.permit is None
    assert refusal.state is OPEN
    assert refusal.retry_after_s == pytest.approx(10.0)
    one.clock.advance(4)
    assert refusal.retry_after_s == pytest.approx(6.0)  # computed from the clock


def test_one_refusal_object_serves_the_whole_open_duration() -> None:
    one = OneBreaker()
    one.opens()
    assert one.refusal() is one.refusal()


def test_a_refusal_can_be_turned_into_an_error_with_its_details() -> None:
    one = OneBreaker()
    one.opens()
    error = one.refusal().error()
    assert isinstance(error, CircuitOpenError)
    assert (error.circuit, error.state) == ("svc", "open")
    assert error.retry_after_s == pytest.approx(10.0)


def test_while_half_open_one_call_probes_and_the_others_are_told_when_its_lease_ends() -> None:
    one = OneBreaker()
    one.half_opens()
    probe = one.permit()
    assert probe.probe
    assert probe.state is HALF_OPEN
    refusal = one.refusal()
    assert refusal.state is HALF_OPEN
    assert refusal.retry_after_s == pytest.approx(10, abs=0.01)


def test_a_probe_is_bounded_a_little_before_its_lease_ends() -> None:
    one = OneBreaker()
    one.half_opens()
    assert one.permit().bound_s == pytest.approx(9.5, abs=0.01)


def test_a_probe_may_take_the_full_timeout_of_its_call() -> None:
    one = OneBreaker(timeout_s=30.0)
    one.opens()
    one.clock.advance(31.1)
    bound_s = one.permit().bound_s
    assert bound_s is not None
    assert 30 < bound_s < 31


def test_a_successful_probe_closes_the_circuit() -> None:
    one = OneBreaker()
    one.half_opens()
    one.permit().ok()
    assert one.breaker.state is CLOSED
    assert [e.to_state for e in one.events if isinstance(e, CircuitChanged)] == ["open", "closed"]


def test_a_failed_probe_opens_the_circuit_for_longer() -> None:
    one = OneBreaker()
    one.half_opens()
    one.permit().failed()
    assert one.refusal().retry_after_s == pytest.approx(20, abs=2.01)


def test_a_slow_probe_counts_against_the_service() -> None:
    one = OneBreaker(CircuitPolicy(min_samples=4, probe_successes=1, slow_call_s=1.0))
    one.half_opens()
    probe = one.permit()
    one.clock.advance(2)
    assert probe.ok() is Outcome.SLOW
    assert one.breaker.state is OPEN


# ---- outcomes -------------------------------------------------------------------------------------------------------


def test_a_success_and_a_failure_are_counted() -> None:
    one = OneBreaker()
    assert one.permit().ok() is Outcome.OK
    assert one.permit().failed() is Outcome.FAILED
    assert one.permit().timed_out() is Outcome.TIMEOUT
    assert one.counts == Counts(1, 2)


def test_a_slow_success_is_a_success_and_slow() -> None:
    one = OneBreaker(CircuitPolicy(slow_call_s=1.0))
    permit = one.permit()
    one.clock.advance(1.5)
    assert permit.ok() is Outcome.SLOW
    assert one.counts == Counts(1, 0, 1)


@pytest.mark.parametrize("end", ["invalid", "cancelled"])
def test_invalid_and_cancelled_calls_are_not_counted(end: str) -> None:
    one = OneBreaker()
    for _ in range(10):
        getattr(one.permit(), end)()
    assert one.counts == Counts()


def test_a_throttled_call_opens_the_circuit_at_once_for_the_requested_time() -> None:
    one = OneBreaker()
    one.permit().throttled(7.0)
    assert one.refusal().retry_after_s == pytest.approx(7.0)


@pytest.mark.parametrize("asked_s", [0.0, -3.0, math.nan])
def test_throttling_without_a_positive_time_is_a_failure(asked_s: float) -> None:
    one = OneBreaker()
    assert one.permit().throttled(asked_s) is Outcome.FAILED
    assert one.counts == Counts(0, 1)


@pytest.mark.parametrize("probe", [False, True])
def test_an_endless_throttling_time_is_limited_by_the_policy(probe: bool) -> None:
    one = OneBreaker()
    if probe:
        one.half_opens()
    one.permit().throttled(math.inf)
    assert one.refusal().retry_after_s == pytest.approx(60.0)


def test_a_permit_is_settled_once() -> None:
    one = OneBreaker()
    permit = one.permit()
    permit.ok()
    permit.failed()
    permit.ok()
    assert one.counts == Counts(1, 0)


def test_an_unsettled_permit_is_not_counted() -> None:
    one = OneBreaker()
    one.permit()
    assert one.counts == Counts()


# ---- the caller gives up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_s", "outcome"), [(0.9, Outcome.CANCELLED), (1.1, Outcome.TIMEOUT)])
def test_a_caller_that_gives_up_after_half_of_the_timeout_counts_as_a_timeout(after_s: float, outcome: Outcome) -> None:
    one = OneBreaker(timeout_s=2.0)
    permit = one.permit()
    one.clock.advance(after_s)
    assert permit.abandoned() is outcome
    assert one.counts.failed == (outcome is Outcome.TIMEOUT)


def test_giving_up_a_call_without_a_timeout_is_not_counted() -> None:
    one = OneBreaker()
    permit = one.permit()
    one.clock.advance(3600)
    assert permit.abandoned() is Outcome.CANCELLED


def test_a_timeout_while_the_event_loop_was_blocked_is_not_counted() -> None:
    one = OneBreaker(timeout_s=2.0)
    permit = one.permit()
    one.registry._link.lag._last_lag_s = one.clock.now_s + 1
    one.clock.advance(2.5)
    assert permit.timed_out() is Outcome.CANCELLED
    assert one.counts == Counts()


def test_a_probe_that_times_out_while_the_event_loop_was_blocked_returns_its_lease() -> None:
    one = OneBreaker()
    one.half_opens()
    probe = one.permit()
    one.registry._link.lag._last_lag_s = one.clock.now_s
    probe.timed_out()
    assert one.permit().probe


# ---- late results ---------------------------------------------------------------------------------------------------


def test_a_late_failure_does_not_extend_the_open_duration() -> None:
    one = OneBreaker()
    late = one.permit()
    one.opens()
    one.clock.advance(5)
    late.failed()
    assert one.refusal().retry_after_s == pytest.approx(5.0)


def test_a_late_success_does_not_close_the_circuit() -> None:
    one = OneBreaker()
    late = one.permit()
    one.half_opens()
    late.ok()
    assert one.breaker.state is HALF_OPEN


def test_a_probe_that_outlives_its_lease_is_ignored() -> None:
    one = OneBreaker()
    one.half_opens()
    probe = one.permit()
    one.clock.advance(10.1)
    probe.ok()
    assert one.breaker.state is HALF_OPEN


# ---- load shedding --------------------------------------------------------------------------------------------------


def test_a_call_shed_by_the_ramp_is_refused_by_a_closed_circuit() -> None:
    one = OneBreaker(CircuitPolicy(min_samples=4, probe_successes=1, ramp_s=1000.0))
    one.half_opens()
    one.permit().ok()
    admissions = [one.breaker.admit() for _ in range(400)]
    assert {a.state for a in admissions} == {CLOSED}
    passed = sum(isinstance(a, Permit) for a in admissions)
    assert 5 <= passed <= 100  # 10 % of 400, give or take
    assert all(a.retry_after_s is None for a in admissions)


def test_the_ramp_ends_by_itself() -> None:
    one = OneBreaker(CircuitPolicy(min_samples=4, probe_successes=1, ramp_s=8.0))
    one.half_opens()
    one.permit().ok()
    one.clock.advance(8.1)
    assert all(one.breaker.admit().permitted for _ in range(100))
    assert one.breaker._view.gate.passing is not None


def test_the_breaker_exposes_its_settings() -> None:
    one = OneBreaker(timeout_s=3.0)
    breaker = one.breaker
    assert (breaker.name, breaker.policy, breaker.timeout_s, breaker.scope) == ("svc", POLICY, 3.0, "replica")
    assert breaker.shared_state == "local"
    assert repr(breaker) == "<CircuitBreaker 'svc' closed>"
