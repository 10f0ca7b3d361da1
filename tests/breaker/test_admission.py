"""ProbeLease a breaker for a permit, and telling it how the call ended."""

from __future__ import annotations

import math

import pytest

from ha_rag.breaker.permit import Permit
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts
from ha_rag.errors import CircuitOpenError
from ha_rag.events import CircuitChanged
from ha_rag.messages import Outcome
from tests.breaker.one_breaker import CLOSED, HALF_OPEN, OPEN, POLICY, OneBreaker


def test_a_closed_circuit_gives_a_permit_that_is_its_own_admission() -> None:
    one = OneBreaker()
    admission = one.breaker.admit()
    assert admission.permitted
    assert admission.permit is admission
    assert (admission.state, admission.probe, admission.bound_s) == (CLOSED, False, None)


def test_an_open_circuit_refuses_with_a_value_and_says_when_to_ask_again() -> None:
    one = OneBreaker()
    one.opens()
    refusal = one.refusal()
    assert not refusal.permitted
    assert refusal.permit is None
    assert refusal.state is OPEN
    assert refusal.retry_after_s == pytest.approx(10.0)
    one.clock.advance(4)
    assert refusal.retry_after_s == pytest.approx(6.0)  # it knows the time itself


def test_one_refusal_serves_a_whole_rest() -> None:
    one = OneBreaker()
    one.opens()
    assert one.refusal() is one.refusal()


def test_a_refusal_can_be_raised_and_carries_the_facts() -> None:
    one = OneBreaker()
    one.opens()
    error = one.refusal().error()
    assert isinstance(error, CircuitOpenError)
    assert (error.circuit, error.state) == ("svc", "open")
    assert error.retry_after_s == pytest.approx(10.0)


def test_half_open_one_call_may_probe_and_the_others_hear_when_its_time_is_up() -> None:
    one = OneBreaker()
    one.half_opens()
    probe = one.permit()
    assert probe.probe
    assert probe.state is HALF_OPEN
    refusal = one.refusal()
    assert refusal.state is HALF_OPEN
    assert refusal.retry_after_s == pytest.approx(10, abs=0.01)


def test_a_probe_ends_a_little_before_its_lease_does() -> None:
    one = OneBreaker()
    one.half_opens()
    assert one.permit().bound_s == pytest.approx(9.5, abs=0.01)


def test_a_probe_has_the_whole_timeout_of_its_call_and_no_less() -> None:
    one = OneBreaker(timeout_s=30.0)
    one.opens()
    one.clock.advance(31.1)
    bound_s = one.permit().bound_s
    assert bound_s is not None
    assert 30 < bound_s < 31


def test_a_good_probe_closes() -> None:
    one = OneBreaker()
    one.half_opens()
    one.permit().ok()
    assert one.breaker.state is CLOSED
    assert [e.to_state for e in one.events if isinstance(e, CircuitChanged)] == ["open", "closed"]


def test_a_failed_probe_opens_for_longer() -> None:
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
def test_invalid_and_cancelled_count_for_nothing(end: str) -> None:
    one = OneBreaker()
    for _ in range(10):
        getattr(one.permit(), end)()
    assert one.counts == Counts()


def test_a_rest_that_was_asked_for_opens_at_once_for_that_long() -> None:
    one = OneBreaker()
    one.permit().throttled(7.0)
    assert one.refusal().retry_after_s == pytest.approx(7.0)


@pytest.mark.parametrize("asked_s", [0.0, -3.0, math.nan])
def test_a_rest_of_no_time_is_a_failure(asked_s: float) -> None:
    one = OneBreaker()
    assert one.permit().throttled(asked_s) is Outcome.FAILED
    assert one.counts == Counts(0, 1)


@pytest.mark.parametrize("probe", [False, True])
def test_a_rest_without_end_is_cut_to_what_the_policy_allows(probe: bool) -> None:
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


def test_a_permit_that_nobody_settles_counts_for_nothing() -> None:
    one = OneBreaker()
    one.permit()
    assert one.counts == Counts()


# ---- the caller leaves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_s", "outcome"), [(0.9, Outcome.CANCELLED), (1.1, Outcome.TIMEOUT)])
def test_a_caller_who_leaves_after_more_than_half_of_the_time_tells_of_a_timeout(
    after_s: float, outcome: Outcome
) -> None:
    one = OneBreaker(timeout_s=2.0)
    permit = one.permit()
    one.clock.advance(after_s)
    assert permit.abandoned() is outcome
    assert one.counts.failed == (outcome is Outcome.TIMEOUT)


def test_where_a_call_has_no_time_of_its_own_leaving_tells_nothing() -> None:
    one = OneBreaker()
    permit = one.permit()
    one.clock.advance(3600)
    assert permit.abandoned() is Outcome.CANCELLED


def test_a_timeout_while_this_process_stood_still_counts_for_nothing() -> None:
    one = OneBreaker(timeout_s=2.0)
    permit = one.permit()
    one.registry._link.lag._last_lag_s = one.clock.now_s + 1
    one.clock.advance(2.5)
    assert permit.timed_out() is Outcome.CANCELLED
    assert one.counts == Counts()


def test_a_probe_whose_process_stood_still_gives_its_place_back() -> None:
    one = OneBreaker()
    one.half_opens()
    probe = one.permit()
    one.registry._link.lag._last_lag_s = one.clock.now_s
    probe.timed_out()
    assert one.permit().probe


# ---- late results ---------------------------------------------------------------------------------------------------


def test_a_late_failure_does_not_extend_a_rest() -> None:
    one = OneBreaker()
    late = one.permit()
    one.opens()
    one.clock.advance(5)
    late.failed()
    assert one.refusal().retry_after_s == pytest.approx(5.0)


def test_a_late_success_closes_nothing() -> None:
    one = OneBreaker()
    late = one.permit()
    one.half_opens()
    late.ok()
    assert one.breaker.state is HALF_OPEN


def test_a_probe_that_outlived_its_lease_decides_nothing() -> None:
    one = OneBreaker()
    one.half_opens()
    probe = one.permit()
    one.clock.advance(10.1)
    probe.ok()
    assert one.breaker.state is HALF_OPEN


# ---- held back ------------------------------------------------------------------------------------------------------


def test_a_call_held_back_by_the_ramp_is_refused_by_a_closed_circuit() -> None:
    one = OneBreaker(CircuitPolicy(min_samples=4, probe_successes=1, ramp_s=1000.0))
    one.half_opens()
    one.permit().ok()
    admissions = [one.breaker.admit() for _ in range(400)]
    assert {a.state for a in admissions} == {CLOSED}
    passed = sum(isinstance(a, Permit) for a in admissions)
    assert 5 <= passed <= 100  # 10 % of 400, give or take
    assert all(a.retry_after_s is None for a in admissions)


def test_the_ramp_ends_without_anybody_watching() -> None:
    one = OneBreaker(CircuitPolicy(min_samples=4, probe_successes=1, ramp_s=8.0))
    one.half_opens()
    one.permit().ok()
    one.clock.advance(8.1)
    assert all(one.breaker.admit().permitted for _ in range(100))
    assert one.breaker._view.gate.passing is not None


def test_the_breaker_tells_its_facts() -> None:
    one = OneBreaker(timeout_s=3.0)
    breaker = one.breaker
    assert (breaker.name, breaker.policy, breaker.timeout_s, breaker.scope) == ("svc", POLICY, 3.0, "replica")
    assert breaker.shared_state == "local"
    assert repr(breaker) == "<CircuitBreaker 'svc' closed>"
