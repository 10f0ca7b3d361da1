"""A streak opens a circuit whose window is still full of old successes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.circuit import rules
from ha_rag.circuit.rules import Decision, Transition
from ha_rag.circuit.state import Circuit, OverrideMode
from ha_rag.circuit.streak import EMPTY, MIN_NET_FAILURES, Streak, grown, has_net_failures, opens
from ha_rag.circuit.transitions import Trigger
from ha_rag.outcomes import Outcome
from tests.circuit.circuits import CLOSED, NOW, OPEN, half_open, lease, pause_requested, report, settle, terms

LONG = terms(window_ms=10_000, bucket_ms=1000, min_samples=5, blip_ms=500, open_ms=5000)
"""A window that can hold far more successes than a streak has failures."""


def healthy(under=LONG) -> Circuit:
    """A circuit with a thousand recent successes."""
    return report(Circuit(), ok=1000, under=under).circuit


def report_repeatedly(circuit: Circuit, times: int, every_ms: int, under=LONG, **outcomes: Any) -> Decision:
    """Sends `times` reports, `every_ms` apart, until one opens the circuit."""
    outcomes = outcomes or {"failed": 1}
    for n in range(times):
        decision = report(circuit, under=under, now=NOW + n * every_ms, **outcomes)
        circuit = decision.circuit
        if circuit.state is OPEN:
            break
    return decision


def test_fourteen_failures_over_half_a_second_open_a_circuit_with_a_thousand_successes() -> None:
    decision = report_repeatedly(healthy(), times=14, every_ms=50)
    assert decision.circuit.state is OPEN
    (event,) = decision.events
    assert (event.trigger, event.reason) == (Trigger.STREAK, "14 of 14 calls failed within 0.7 s")


def test_thirteen_failures_do_not_open_it() -> None:
    assert report_repeatedly(healthy(), times=13, every_ms=50).circuit.state is CLOSED


def test_a_hundred_failures_within_less_than_a_blip_do_not_open_it() -> None:
    assert report_repeatedly(healthy(), times=100, every_ms=4).circuit.state is CLOSED


def test_a_higher_min_samples_needs_a_longer_streak() -> None:
    many = terms(window_ms=10_000, bucket_ms=1000, min_samples=30, blip_ms=500)
    assert report_repeatedly(healthy(many), times=29, every_ms=50, under=many).circuit.state is CLOSED
    assert report_repeatedly(healthy(many), times=30, every_ms=50, under=many).circuit.state is OPEN


def test_successes_in_between_end_a_streak() -> None:
    circuit = report_repeatedly(healthy(), times=13, every_ms=50).circuit
    circuit = report(circuit, ok=13, now=NOW + 650, under=LONG).circuit
    assert circuit.streak == EMPTY
    assert report(circuit, failed=1, now=NOW + 700, under=LONG).circuit.state is CLOSED


def test_a_success_outweighs_two_failures() -> None:
    decision = report_repeatedly(healthy(), times=14, every_ms=50, failed=1)
    assert decision.circuit.state is OPEN
    circuit = report(healthy(), ok=0, failed=5, now=NOW, under=LONG).circuit
    circuit = report(circuit, ok=1, now=NOW + 10, under=LONG).circuit
    assert has_net_failures(circuit.streak, 3, 0.5)
    assert not has_net_failures(circuit.streak, 4, 0.5)


def test_a_failure_rate_of_two_thirds_does_not_grow_a_streak() -> None:
    assert report_repeatedly(healthy(), times=200, every_ms=40, failed=2, ok=1).circuit.streak == EMPTY


def test_a_blip_as_long_as_the_window_turns_streaks_off() -> None:
    off = terms(window_ms=10_000, bucket_ms=1000, min_samples=5, blip_ms=10_000)
    decision = report_repeatedly(healthy(off), times=100, every_ms=50, under=off)
    assert (decision.circuit.state, decision.circuit.streak) == (CLOSED, EMPTY)


def test_slow_calls_have_their_own_streak() -> None:
    slow = terms(window_ms=10_000, bucket_ms=1000, min_samples=5, blip_ms=500, slow_threshold=0.5)
    decision = report_repeatedly(healthy(slow), times=14, every_ms=50, under=slow, ok=1, slow=1)
    assert (decision.circuit.state, decision.events[0].reason) == (OPEN, "14 of 14 calls were slow within 0.7 s")


def test_slow_calls_have_no_streak_if_the_slow_rate_is_off() -> None:
    assert report_repeatedly(healthy(), times=100, every_ms=50, ok=1, slow=1).circuit.state is CLOSED


def test_outcomes_older_than_a_bucket_count_in_the_window_only() -> None:
    late = report(healthy(), failed=50, now=NOW + 1500, at=NOW + 400, under=LONG).circuit
    assert (late.streak, late.window[1000, (NOW + 400) // 1000].failed) == (EMPTY, 50)


def test_overdue_calls_count_until_they_succeed() -> None:
    circuit = report(healthy(), overdue=13, under=LONG).circuit
    assert circuit.streak.bad == 13
    assert report(circuit, overdue=1, now=NOW + 600, under=LONG).circuit.state is OPEN
    succeeded = report(circuit, ok=13, overdue=-13, now=NOW + 600, under=LONG).circuit
    assert (succeeded.state, succeeded.streak) == (CLOSED, EMPTY)


def test_an_overdue_call_that_fails_is_not_counted_twice() -> None:
    circuit = report(healthy(), overdue=10, under=LONG).circuit
    assert report(circuit, failed=10, overdue=-10, now=NOW + 100, under=LONG).circuit.streak.bad == 10


def test_an_overdue_call_is_subtracted_however_late_it_is_reported() -> None:
    circuit = report(healthy(), overdue=10, under=LONG).circuit
    assert report(circuit, overdue=-10, at=NOW, now=NOW + 5000, under=LONG).circuit.streak == EMPTY


def test_overdue_calls_do_not_count_in_the_window() -> None:
    window = report(Circuit(), overdue=10, under=LONG).circuit.window
    assert sum(counts.samples for counts in window.values()) == 0


def test_in_shadow_mode_a_streak_only_reports_that_it_would_open() -> None:
    shadowed = rules.override(healthy(), NOW, OverrideMode.SHADOW, "why", "kim").circuit
    shadowed = report(shadowed, ok=1000, under=LONG).circuit
    decision = report_repeatedly(shadowed, times=20, every_ms=50)
    assert decision.circuit.state is CLOSED
    circuit = shadowed
    events: list[Transition] = []
    for n in range(20):
        decision = report(circuit, failed=1, now=NOW + n * 50, under=LONG)
        circuit, events = decision.circuit, [*events, *decision.events]
    assert [(event.trigger, event.reason) for event in events] == [("would open", "14 of 14 calls failed within 0.7 s")]


def test_with_a_quorum_of_two_a_streak_needs_two_replicas() -> None:
    two = terms(window_ms=10_000, bucket_ms=1000, min_samples=5, blip_ms=500, quorum=2)
    circuit = report(Circuit(), ok=1000, under=two).circuit
    for n in range(30):
        circuit = report(circuit, failed=1, now=NOW + n * 50, by="a", failing=True, under=two).circuit
    assert circuit.state is CLOSED
    decision = report(circuit, failed=1, now=NOW + 1500, by="b", failing=True, under=two)
    assert (decision.circuit.state, decision.events[0].trigger) == (OPEN, Trigger.STREAK)


# ---- after probes closed it -----------------------------------------------------------------------------------------


def recovered(took_ms: int = 0) -> tuple[Circuit, int]:
    """A circuit that two successful probes have just closed, and when."""
    circuit = settle(half_open(), Outcome.OK, now=NOW + 550, took_ms=took_ms).circuit
    circuit = lease(circuit, now=NOW + 560).circuit
    return settle(circuit, Outcome.OK, now=NOW + 600, took_ms=10).circuit, NOW + 600


def test_a_circuit_that_probes_closed_does_not_open_during_the_hold() -> None:
    circuit, closed = recovered()
    circuit = report(circuit, failed=3, now=closed + 499).circuit
    assert circuit.state is CLOSED
    assert report(circuit, failed=1, now=closed + 500).circuit.state is OPEN


def test_the_hold_is_twice_as_long_as_the_slowest_successful_probe() -> None:
    circuit, closed = recovered(took_ms=290)
    circuit = report(circuit, failed=3, now=closed + 579).circuit
    assert circuit.state is CLOSED
    assert report(circuit, failed=1, now=closed + 580).circuit.state is OPEN


def test_the_hold_is_no_longer_than_the_window() -> None:
    circuit, closed = recovered(took_ms=60_000)
    assert report(circuit, failed=3, now=closed + 1000).circuit.state is OPEN


def test_a_requested_pause_opens_during_the_hold_too() -> None:
    circuit, closed = recovered()
    assert pause_requested(circuit, 300, now=closed + 1).circuit.state is OPEN


def test_a_new_circuit_has_no_hold() -> None:
    assert report(Circuit(), failed=3).circuit.state is OPEN


# ---- the functions --------------------------------------------------------------------------------------------------

reports = st.lists(st.tuples(st.integers(0, 400), st.integers(-5, 20), st.integers(0, 20)), min_size=1, max_size=60)
thresholds = st.sampled_from([0.1, 0.3, 0.5, 0.7, 1.0])


@given(reports=reports, threshold=thresholds)
def test_a_streak_is_empty_or_its_failures_outweigh_its_successes(
    reports: list[tuple[int, int, int]], threshold: float
) -> None:
    streak, now = EMPTY, NOW
    for pause, bad, good in reports:
        now += pause
        streak = grown(streak, now, bad, good, threshold, 10_000)
        assert streak == EMPTY or (1 - threshold) * streak.bad > 2 * threshold * streak.good
        assert streak == EMPTY or now - streak.since_ms < 10_000


@given(reports=reports, threshold=thresholds)
def test_a_streak_that_opens_has_enough_calls_enough_time_and_new_failures(
    reports: list[tuple[int, int, int]], threshold: float
) -> None:
    streak, now = EMPTY, NOW
    for pause, bad, good in reports:
        now += pause
        streak = grown(streak, now, bad, good, threshold, 10_000)
        if opens(streak, now, bad, good, threshold, MIN_NET_FAILURES, 500):
            assert streak.bad >= MIN_NET_FAILURES
            assert now - streak.since_ms >= 500
            assert bad > 0


@pytest.mark.parametrize("good", [0, 1, 5])
def test_the_order_within_a_report_does_not_matter(good: int) -> None:
    at_once = grown(Streak(10, 2, NOW), NOW, 7, good, 0.5, 10_000)
    bad_first = grown(grown(Streak(10, 2, NOW), NOW, 7, 0, 0.5, 10_000), NOW, 0, good, 0.5, 10_000)
    assert at_once == bad_first
