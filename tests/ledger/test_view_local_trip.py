"""What a replica decides locally: it waits briefly for the fleet, and goes on alone without a ledger."""

from __future__ import annotations

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.outcomes import Outcome
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, OneView

SLOW = CircuitPolicy(min_samples=4, slow_call_s=1.0, slow_threshold=0.5)


# ---- its own window -------------------------------------------------------------------------------------------------


def test_a_replica_whose_own_window_trips_waits_briefly_for_the_fleet() -> None:
    view = OneView()
    view.fails(4)
    assert view.state() is CLOSED
    view.clock.advance(0.05)
    view.admitted()


def test_without_news_from_the_fleet_for_a_tenth_of_a_second_it_trips_locally() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN
    assert view.is_tripped_locally()


def test_a_fleet_that_evaluated_the_report_and_stays_closed_is_not_waited_for() -> None:
    view = OneView()
    view.fails(4)
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    assert batch.failing
    view.batch_evaluated(batch)
    assert view.refused().state is OPEN


def test_if_only_samples_are_missing_the_window_is_evaluated_after_a_success_too() -> None:
    view = OneView()
    view.fails(3)
    view.succeeds(1)
    assert view.gate.passing is None
    view.admitted()  # the local breaker trips here, and waits briefly for the fleet
    view.clock.advance(0.11)
    assert view.refused().state is OPEN


def test_a_change_in_whether_the_ledger_accepts_verbs_is_reported_once_and_only_for_fleet_circuits() -> None:
    view = OneView()
    assert [view.set_ledger_unreachable(away) for away in (True, True, False, False)] == [True, False, True, False]
    own = OneView(scope="replica")
    assert not own.set_ledger_unreachable(True)
    assert not own.ledger_unreachable


def test_after_an_override_has_ended_the_replica_trips_locally_again() -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.SHADOW, 100))
    view.fails(4)
    view.clock.advance(0.2)
    view.fails(4)
    view.clock.advance(0.2)
    assert view.is_tripped_locally()


def test_the_evaluation_of_an_earlier_report_does_not_end_the_wait() -> None:
    view = OneView()
    view.fails(3)
    early = view.batch(view.ledger_ms)
    assert early is not None
    view.fails(1)
    view.batch_evaluated(early)
    view.admitted()


def test_a_fleet_that_opens_replaces_the_local_trip() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(0.2)
    view.receives(OPEN, 5, left_ms=2000)
    assert not view.is_tripped_locally()
    view.clock.advance(2.1)
    assert view.refused().ask  # a lease of the fleet, no local probe


def test_a_fleet_that_closes_does_not_end_a_local_trip() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(0.2)
    view.receives(CLOSED, 5)
    assert view.refused().state is OPEN


def test_a_fleet_transition_clears_the_replicas_own_window() -> None:
    view = OneView()
    view.fails(3)
    view.receives(CLOSED, 9)  # it opened and closed again without a message
    view.fails(3)
    view.clock.advance(1)
    assert view.state() is CLOSED


def test_a_local_trip_stays_open_then_probes_once_and_closes() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(10.2)
    grant = view.probes()
    assert grant.local
    assert view.refused().state is HALF_OPEN
    view.settle_locally(grant, Outcome.OK)
    assert view.state() is CLOSED
    assert view.gate.passing is not None


def test_a_local_trip_whose_probe_fails_stays_open_longer() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(10.2)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(20, abs=2.1)


def test_a_local_trip_runs_one_probe_at_a_time_whatever_the_policy_allows() -> None:
    view = OneView(CircuitPolicy(min_samples=4, probes=5), away=True)
    view.fails(4)
    view.clock.advance(10.2)
    view.probes()
    assert view.refused().retry_after_s == pytest.approx(10, abs=0.1)


def test_a_circuit_of_scope_replica_runs_as_many_probes_as_the_policy_allows() -> None:
    view = OneView(CircuitPolicy(min_samples=4, probes=2), scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.probes()
    view.probes()
    assert view.refused().state is HALF_OPEN


def test_a_success_may_open_a_circuit_that_only_lacked_samples() -> None:
    view = OneView(scope="replica")
    view.fails(3)
    view.succeeds(1)
    assert view.refused().state is OPEN


def test_slow_calls_alone_open_a_circuit_without_failures() -> None:
    view = OneView(SLOW, scope="replica")
    for _ in range(4):
        epochs, started_s = view.admitted(), view.clock.now_s
        view.clock.advance(1.5)
        assert view.gate.succeeded(epochs, started_s) is Outcome.SLOW
    assert view.refused().state is OPEN
    assert [t.after for ruling in view.take_unpublished() for t in ruling.events] == [OPEN]


def test_outcomes_older_than_the_window_do_not_count() -> None:
    view = OneView(scope="replica")
    view.fails(3)
    view.clock.advance(10.1)
    view.fails(3)
    assert view.state() is CLOSED


def test_throttling_opens_the_circuit_on_this_replica_too() -> None:
    view = OneView()
    view.gate.throttled(view.admitted(), 30.0)
    view.clock.advance(0.11)
    assert view.refused().retry_after_s == pytest.approx(29.9, abs=0.1)


def test_no_open_duration_is_longer_than_the_policy_allows() -> None:
    view = OneView(scope="replica")
    view.gate.throttled(view.admitted(), float("inf"))
    assert view.refused().retry_after_s == pytest.approx(60, abs=0.1)


# ---- without a ledger -----------------------------------------------------------------------------------------------


def test_without_a_ledger_there_is_no_wait_for_the_fleet() -> None:
    view = OneView(away=True)
    view.fails(4)
    assert view.refused().state is OPEN


def test_a_ledger_that_becomes_unreachable_while_it_is_waited_for_ends_the_wait() -> None:
    view = OneView()
    view.fails(4)
    view.set_ledger_unreachable(True)
    assert view.refused().state is OPEN


def test_a_known_open_circuit_stays_open_to_its_end_and_then_this_replica_probes_alone() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000, open_count=1)
    view.set_ledger_unreachable(True)
    view.clock.advance(2.9)
    assert view.refused().state is OPEN
    view.clock.advance(0.2)
    grant = view.probes()
    assert grant.local
    assert view.refused().state is HALF_OPEN


def test_without_a_ledger_a_successful_probe_closes_and_a_failed_one_extends_the_open_duration() -> None:
    view = OneView()
    view.receives(HALF_OPEN, 5, open_count=1)
    view.set_ledger_unreachable(True)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(20, abs=2.1)
    view.clock.advance(22)
    view.settle_locally(view.probes(), Outcome.OK)
    assert view.state() is CLOSED


def test_a_circuit_closed_locally_is_probed_again_once_the_ledger_is_back() -> None:
    view = OneView()
    view.receives(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    view.settle_locally(view.probes(), Outcome.OK)
    assert view.state() is CLOSED
    view.set_ledger_unreachable(False)
    assert view.refused().ask


def test_a_local_trip_that_is_open_when_the_ledger_returns_runs_to_its_end() -> None:
    view = OneView(away=True)
    view.fails(4)
    view.set_ledger_unreachable(False)
    view.receives(CLOSED, 0)
    assert view.refused().state is OPEN
    view.clock.advance(10.1)
    assert view.probes().local


def test_an_override_holds_while_the_ledger_is_unreachable_and_ends_on_time() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=5000, override=view.make_override(OverrideMode.OPEN, 5000))
    view.set_ledger_unreachable(True)
    view.clock.advance(4.9)
    assert view.refused().state is OPEN
    view.clock.advance(0.2)
    assert view.probes().local


def test_a_flapping_ledger_does_not_make_a_replica_run_two_local_probes_at_once() -> None:
    view = OneView()
    view.receives(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    view.probes()
    view.set_ledger_unreachable(False)
    view.set_ledger_unreachable(True)
    assert view.refused().state is HALF_OPEN


def test_a_late_outcome_of_a_local_probe_changes_nothing_after_a_fleet_transition() -> None:
    view = OneView()
    view.receives(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    grant = view.probes()
    view.set_ledger_unreachable(False)
    view.receives(OPEN, 7, left_ms=3000)
    view.settle_locally(grant, Outcome.OK)
    assert view.refused().state is OPEN
    view.settle_locally(grant, Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(3, abs=0.01)


# ---- overrides of a circuit of scope replica ------------------------------------------------------------------------


def test_an_operator_may_open_a_circuit_of_this_replica_for_a_while() -> None:
    view = OneView(scope="replica")
    view.override_locally(OverrideMode.OPEN, "because", "me", 5000)
    assert view.refused().retry_after_s == pytest.approx(5, abs=0.01)
    view.clock.advance(5.1)
    view.settle_locally(view.probes(), Outcome.OK)
    assert view.state() is CLOSED


def test_an_operator_may_end_a_local_override() -> None:
    view = OneView(scope="replica")
    view.override_locally(OverrideMode.OPEN, "because", "me", None)
    assert view.refused().retry_after_s is None
    view.override_locally(None, "enough", "me", None)
    assert view.probes().local


# ---- boundary cases: each kills a mutant ----------------------------------------------------------------------------


def test_without_a_ledger_a_replica_whose_probe_failed_waits_exactly_its_open_duration() -> None:
    """Waiting longer after a failed probe makes no sense without other replicas."""
    view = OneView(CircuitPolicy(min_samples=4, recovery_timeout_s=10.0, recovery_backoff=1.0), scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(10, abs=0.01)
    view.clock.advance(10.1)
    view.probes()


def test_without_a_ledger_jitter_extends_the_open_duration_after_a_failed_probe() -> None:
    view = OneView(scope="replica", draw=lambda: 0.999)
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(20 * 1.0999, abs=0.01)


def test_during_a_local_probe_other_calls_are_told_when_it_must_have_ended() -> None:
    view = OneView(scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.probes()
    view.clock.advance(9.5)
    refused = view.refused()
    assert (refused.state, refused.ask) == (HALF_OPEN, False)
    assert refused.retry_after_s == pytest.approx(0.5, abs=0.01)


def test_a_circuit_that_is_taken_over_reports_why_the_fleet_opened_it_and_who_continues() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=1000, reason="3 of 3 failed", open_count=2)
    view.clock.advance(1.1)
    view.set_ledger_unreachable(True)
    assert view.state() is HALF_OPEN
    own = view.local()
    assert (own.reason, own.opened_by, own.open_count) == ("3 of 3 failed", "r1", 2)
    assert own.changed_at_ms == own.epoch == int(view.clock.now_s * 1000)


def test_every_slow_success_counts() -> None:
    view = OneView(CircuitPolicy(slow_call_s=1.0))
    view.succeeds(4)
    for _ in range(3):
        view.gate.succeeded(view.admitted(), view.clock.now_s - 1.5)
    assert view.local().counts == Counts(7, 0, 3)


def test_throttling_from_an_earlier_epoch_does_not_count() -> None:
    view = OneView()
    before = view.admitted()
    view.receives(OPEN, 5, left_ms=1000)
    view.receives(CLOSED, 7)
    assert not view.gate.throttled(before, 5.0)
    assert view.gate.throttled(view.admitted(), 5.0)


def test_throttling_of_a_circuit_of_scope_replica_waits_for_no_ledger() -> None:
    view = OneView(scope="replica")
    assert view.gate.throttled(view.admitted(), 5.0)
    assert not view.has_report


@pytest.mark.parametrize(("took_s", "slow"), [(0.5, 0), (1.0, 0), (1.5, 1)])
def test_a_failure_also_counts_as_slow_if_it_took_longer_than_slow_call_s(took_s: float, slow: int) -> None:
    view = OneView(CircuitPolicy(min_samples=99, slow_call_s=1.0))
    for _ in range(2):
        view.gate.failed(view.admitted(), view.clock.now_s - took_s)
    assert view.local().counts == Counts(0, 2, 2 * slow)


def test_a_circuit_that_was_taken_over_and_failed_again_stays_open_to_its_end_when_the_ledger_is_back() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=1000)
    view.clock.advance(1.1)
    view.set_ledger_unreachable(True)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().state is OPEN
    view.set_ledger_unreachable(False)
    view.receives(HALF_OPEN, 5)
    assert view.refused().state is OPEN


def test_a_ledger_that_was_briefly_unreachable_loses_no_count() -> None:
    view = OneView()
    view.fails(3)
    view.set_ledger_unreachable(True)
    view.set_ledger_unreachable(False)
    assert view.local().counts == Counts(0, 3)
    view.fails(1)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN


def test_without_a_ledger_one_replica_meets_the_quorum() -> None:
    view = OneView(CircuitPolicy(min_samples=4, quorum=2))
    view.fails(4)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN


def test_one_failure_followed_by_a_success_may_complete_the_missing_samples() -> None:
    view = OneView(CircuitPolicy(min_samples=2), scope="replica")
    view.fails(1)
    view.succeeds(1)
    assert view.refused().state is OPEN


def test_a_call_that_began_before_a_local_trip_still_counts_for_the_fleet() -> None:
    view = OneView()
    before = view.admitted()
    view.fails(4)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN
    assert view.gate.failed(before, view.clock.now_s)


def test_a_circuit_that_was_open_before_opens_again_when_throttled() -> None:
    view = OneView(scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.OK)
    view.gate.throttled(view.admitted(), 5.0)
    assert view.refused().retry_after_s == pytest.approx(5, abs=0.01)


def test_a_circuit_that_opens_again_soon_after_closing_stays_open_longer_with_jitter() -> None:
    view = OneView(scope="replica", draw=lambda: 0.999)
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.OK)
    view.clock.advance(0.5)
    view.fails(4)
    assert view.refused().retry_after_s == pytest.approx(20 * 1.0999, abs=0.01)


def test_successes_leave_the_window_by_the_time_they_ended_and_not_by_when_they_were_evaluated() -> None:
    view = OneView(CircuitPolicy(min_samples=99, window_s=10.0))
    view.succeeds(6)
    view.clock.advance(9.5)
    view.fails(1)
    view.clock.advance(1.0)
    assert view.local().counts == Counts(0, 1)


def test_a_call_from_before_the_local_opening_counts_for_the_fleet_but_not_for_the_local_breaker() -> None:
    view = OneView()
    early = view.admitted()
    view.fails(4)
    view.clock.advance(10.2)
    view.settle_locally(view.probes(), Outcome.OK)
    view.succeeds(1)
    assert view.gate.failed(early, view.clock.now_s)
    assert view.local().counts == Counts(1, 0)
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    assert sum((tally.counts for tally in batch.tallies), Counts()) == Counts(1, 1)


def failing(view: OneView) -> bool:
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    view.batch_acknowledged(batch)
    return batch.failing


def test_in_shadow_mode_a_replica_reports_that_it_sees_failures_and_never_refuses() -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.SHADOW))
    view.fails(40)
    assert failing(view)
    view.clock.advance(0.2)
    view.admitted()
    view.receives(CLOSED, 7)
    view.succeeds(3)
    view.fails(1)
    view.clock.advance(0.2)
    view.admitted()
    assert not failing(view)


@pytest.mark.parametrize("mode", [OverrideMode.CLOSED, OverrideMode.OPEN, OverrideMode.DISABLED])
def test_under_any_other_override_a_replica_does_not_trip_locally(mode: OverrideMode) -> None:
    view = OneView()
    epochs = view.admitted()
    view.receives(OPEN if mode is OverrideMode.OPEN else CLOSED, 5, override=view.make_override(mode), left_ms=-1)
    if mode is not OverrideMode.OPEN:
        epochs = view.admitted()
    for _ in range(40):
        view.gate.failed(epochs, view.clock.now_s)
    view.clock.advance(0.2)
    assert view.local().state is CLOSED


def test_a_throttled_local_probe_opens_the_local_trip_for_that_time() -> None:
    view = OneView(away=True)
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.THROTTLED, 30_000)
    assert view.refused().retry_after_s == pytest.approx(30.0)
