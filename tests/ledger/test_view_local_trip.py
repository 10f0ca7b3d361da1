"""What a replica decides for itself: it waits a moment for the fleet's word, and goes on alone when there is none."""

from __future__ import annotations

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.messages import Outcome
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, OneView

SLOW = CircuitPolicy(min_samples=4, slow_call_s=1.0, slow_threshold=0.5)


# ---- its own window -------------------------------------------------------------------------------------------------


def test_a_replica_whose_own_window_trips_waits_a_moment_for_the_fleet() -> None:
    view = OneView()
    view.fails(4)
    assert view.state() is CLOSED
    view.clock.advance(0.05)
    view.admitted()


def test_without_a_word_in_a_tenth_of_a_second_it_refuses_by_itself() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN
    assert view.is_tripped_locally()


def test_a_fleet_that_has_judged_the_report_and_stays_closed_is_not_waited_for() -> None:
    view = OneView()
    view.fails(4)
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    assert batch.failing
    view.batch_evaluated(batch)
    assert view.refused().state is OPEN


def test_where_only_samples_are_missing_the_call_behind_a_success_is_looked_at() -> None:
    view = OneView()
    view.fails(3)
    view.goes_well(1)
    assert view.gate.passing is None
    view.admitted()  # the own law trips here, and the fleet has a moment to speak
    view.clock.advance(0.11)
    assert view.refused().state is OPEN


def test_whether_the_ledger_takes_verbs_is_news_once_and_for_a_circuit_of_the_fleet_only() -> None:
    view = OneView()
    assert [view.set_ledger_unreachable(away) for away in (True, True, False, False)] == [True, False, True, False]
    own = OneView(scope="replica")
    assert not own.set_ledger_unreachable(True)
    assert not own.ledger_unreachable


def test_when_an_operators_word_has_ended_the_replica_opens_by_itself_again() -> None:
    view = OneView()
    view.hears(CLOSED, 5, override=view.word(OverrideMode.SHADOW, 100))
    view.fails(4)
    view.clock.advance(0.2)
    view.fails(4)
    view.clock.advance(0.2)
    assert view.is_tripped_locally()


def test_a_judgement_of_an_earlier_report_is_not_the_one_that_is_waited_for() -> None:
    view = OneView()
    view.fails(3)
    early = view.batch(view.ledger_ms)
    assert early is not None
    view.fails(1)
    view.batch_evaluated(early)
    view.admitted()


def test_a_fleet_that_opens_takes_the_overlays_place() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(0.2)
    view.hears(OPEN, 5, left_ms=2000)
    assert not view.is_tripped_locally()
    view.clock.advance(2.1)
    assert view.refused().ask  # a lease of the fleet's, no probe of its own


def test_a_fleet_that_closes_does_not_end_an_overlay() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(0.2)
    view.hears(CLOSED, 5)
    assert view.refused().state is OPEN


def test_a_transition_of_the_fleet_empties_the_replicas_own_window() -> None:
    view = OneView()
    view.fails(3)
    view.hears(CLOSED, 9)  # it opened and closed again while nobody was listening
    view.fails(3)
    view.clock.advance(1)
    assert view.state() is CLOSED


def test_an_overlay_rests_then_probes_once_and_closes() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(10.2)
    grant = view.probes()
    assert grant.local
    assert view.refused().state is HALF_OPEN
    view.settle_locally(grant, Outcome.OK)
    assert view.state() is CLOSED
    assert view.gate.passing is not None


def test_an_overlay_whose_probe_fails_rests_longer() -> None:
    view = OneView()
    view.fails(4)
    view.clock.advance(10.2)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(20, abs=2.1)


def test_an_overlay_probes_once_at_a_time_however_many_probes_the_fleet_has() -> None:
    view = OneView(CircuitPolicy(min_samples=4, probes=5), away=True)
    view.fails(4)
    view.clock.advance(10.2)
    view.probes()
    assert view.refused().retry_after_s == pytest.approx(10, abs=0.1)


def test_a_circuit_of_the_replicas_own_has_all_its_probes() -> None:
    view = OneView(CircuitPolicy(min_samples=4, probes=2), scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.probes()
    view.probes()
    assert view.refused().state is HALF_OPEN


def test_a_success_may_open_a_circuit_that_lacked_only_samples() -> None:
    view = OneView(scope="replica")
    view.fails(3)
    view.goes_well(1)
    assert view.refused().state is OPEN


def test_slow_calls_alone_open_a_circuit_though_none_failed() -> None:
    view = OneView(SLOW, scope="replica")
    for _ in range(4):
        epochs, started_s = view.admitted(), view.clock.now_s
        view.clock.advance(1.5)
        assert view.gate.succeeded(epochs, started_s) is Outcome.SLOW
    assert view.refused().state is OPEN
    assert [t.after for ruling in view.take_unpublished() for t in ruling.events] == [OPEN]


def test_a_window_slides_what_is_old_does_not_count() -> None:
    view = OneView(scope="replica")
    view.fails(3)
    view.clock.advance(10.1)
    view.fails(3)
    assert view.state() is CLOSED


def test_a_service_that_asks_for_a_rest_gets_it_from_this_replica_too() -> None:
    view = OneView()
    view.gate.throttled(view.admitted(), 30.0)
    view.clock.advance(0.11)
    assert view.refused().retry_after_s == pytest.approx(29.9, abs=0.1)


def test_no_rest_is_longer_than_the_policy_allows() -> None:
    view = OneView(scope="replica")
    view.gate.throttled(view.admitted(), float("inf"))
    assert view.refused().retry_after_s == pytest.approx(60, abs=0.1)


# ---- the ledger is away ---------------------------------------------------------------------------------------------


def test_alone_there_is_nobody_to_wait_for() -> None:
    view = OneView(away=True)
    view.fails(4)
    assert view.refused().state is OPEN


def test_a_ledger_that_goes_away_while_its_word_is_awaited_is_awaited_no_longer() -> None:
    view = OneView()
    view.fails(4)
    view.set_ledger_unreachable(True)
    assert view.refused().state is OPEN


def test_a_known_open_stays_open_to_its_end_and_then_this_replica_probes_alone() -> None:
    view = OneView()
    view.hears(OPEN, 5, left_ms=3000, open_count=1)
    view.set_ledger_unreachable(True)
    view.clock.advance(2.9)
    assert view.refused().state is OPEN
    view.clock.advance(0.2)
    grant = view.probes()
    assert grant.local
    assert view.refused().state is HALF_OPEN


def test_alone_a_good_probe_closes_and_a_failed_one_opens_for_longer() -> None:
    view = OneView()
    view.hears(HALF_OPEN, 5, open_count=1)
    view.set_ledger_unreachable(True)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(20, abs=2.1)
    view.clock.advance(22)
    view.settle_locally(view.probes(), Outcome.OK)
    assert view.state() is CLOSED


def test_what_was_closed_alone_is_probed_again_once_the_ledger_is_back() -> None:
    view = OneView()
    view.hears(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    view.settle_locally(view.probes(), Outcome.OK)
    assert view.state() is CLOSED
    view.set_ledger_unreachable(False)
    assert view.refused().ask


def test_an_overlay_that_rests_when_the_ledger_returns_runs_to_its_end() -> None:
    view = OneView(away=True)
    view.fails(4)
    view.set_ledger_unreachable(False)
    view.hears(CLOSED, 0)
    assert view.refused().state is OPEN
    view.clock.advance(10.1)
    assert view.probes().local


def test_an_operators_word_stands_while_the_ledger_is_away_and_ends_in_time() -> None:
    view = OneView()
    view.hears(OPEN, 5, left_ms=5000, override=view.word(OverrideMode.OPEN, 5000))
    view.set_ledger_unreachable(True)
    view.clock.advance(4.9)
    assert view.refused().state is OPEN
    view.clock.advance(0.2)
    assert view.probes().local


def test_a_flickering_ledger_does_not_make_a_lone_replica_probe_twice_at_once() -> None:
    view = OneView()
    view.hears(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    view.probes()
    view.set_ledger_unreachable(False)
    view.set_ledger_unreachable(True)
    assert view.refused().state is HALF_OPEN


def test_a_late_word_of_a_probe_made_alone_changes_nothing_once_the_fleet_has_spoken() -> None:
    view = OneView()
    view.hears(HALF_OPEN, 5)
    view.set_ledger_unreachable(True)
    grant = view.probes()
    view.set_ledger_unreachable(False)
    view.hears(OPEN, 7, left_ms=3000)
    view.settle_locally(grant, Outcome.OK)
    assert view.refused().state is OPEN
    view.settle_locally(grant, Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(3, abs=0.01)


# ---- operators, on a circuit of the replica's own -------------------------------------------------------------------


def test_an_operator_may_open_a_circuit_of_this_replica_for_a_while() -> None:
    view = OneView(scope="replica")
    view.override_locally(OverrideMode.OPEN, "because", "me", 5000)
    assert view.refused().retry_after_s == pytest.approx(5, abs=0.01)
    view.clock.advance(5.1)
    view.settle_locally(view.probes(), Outcome.OK)
    assert view.state() is CLOSED


def test_an_operator_may_take_it_back() -> None:
    view = OneView(scope="replica")
    view.override_locally(OverrideMode.OPEN, "because", "me", None)
    assert view.refused().retry_after_s is None
    view.override_locally(None, "enough", "me", None)
    assert view.probes().local


# ---- edges: each is here since a mutant got by ----------------------------------------------------------------------


def test_alone_a_replica_whose_probe_failed_waits_its_rest_and_no_longer() -> None:
    """That a loser lets others go first makes no sense where there are none."""
    view = OneView(CircuitPolicy(min_samples=4, recovery_timeout_s=10.0, recovery_backoff=1.0), scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(10, abs=0.01)
    view.clock.advance(10.1)
    view.probes()


def test_alone_a_rest_after_a_failed_probe_is_stretched_by_chance() -> None:
    view = OneView(scope="replica", draw=lambda: 0.999)
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().retry_after_s == pytest.approx(20 * 1.0999, abs=0.01)


def test_while_a_lone_probe_is_out_the_others_hear_when_it_must_have_ended() -> None:
    view = OneView(scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.probes()
    view.clock.advance(9.5)
    refused = view.refused()
    assert (refused.state, refused.ask) == (HALF_OPEN, False)
    assert refused.retry_after_s == pytest.approx(0.5, abs=0.01)


def test_a_circuit_that_is_taken_over_tells_why_the_fleet_opened_it_and_who_goes_on() -> None:
    view = OneView()
    view.hears(OPEN, 5, left_ms=1000, reason="3 of 3 failed", open_count=2)
    view.clock.advance(1.1)
    view.set_ledger_unreachable(True)
    assert view.state() is HALF_OPEN
    own = view.local()
    assert (own.reason, own.opened_by, own.open_count) == ("3 of 3 failed", "r1", 2)
    assert own.changed_at_ms == own.epoch == int(view.clock.now_s * 1000)


def test_every_slow_success_counts() -> None:
    view = OneView(CircuitPolicy(slow_call_s=1.0))
    view.goes_well(4)
    for _ in range(3):
        view.gate.succeeded(view.admitted(), view.clock.now_s - 1.5)
    assert view.local().counts == Counts(7, 0, 3)


def test_a_rest_that_was_asked_for_in_an_epoch_that_is_over_does_not_count() -> None:
    view = OneView()
    before = view.admitted()
    view.hears(OPEN, 5, left_ms=1000)
    view.hears(CLOSED, 7)
    assert not view.gate.throttled(before, 5.0)
    assert view.gate.throttled(view.admitted(), 5.0)


def test_a_rest_asked_of_a_replicas_own_circuit_waits_for_no_ledger() -> None:
    view = OneView(scope="replica")
    assert view.gate.throttled(view.admitted(), 5.0)
    assert not view.has_report


@pytest.mark.parametrize(("took_s", "slow"), [(0.5, 0), (1.0, 0), (1.5, 1)])
def test_a_failure_counts_as_slow_too_where_it_took_longer_than_a_call_should(took_s: float, slow: int) -> None:
    view = OneView(CircuitPolicy(min_samples=99, slow_call_s=1.0))
    for _ in range(2):
        view.gate.failed(view.admitted(), view.clock.now_s - took_s)
    assert view.local().counts == Counts(0, 2, 2 * slow)


def test_what_was_taken_over_and_failed_again_rests_to_its_end_when_the_ledger_is_back() -> None:
    view = OneView()
    view.hears(OPEN, 5, left_ms=1000)
    view.clock.advance(1.1)
    view.set_ledger_unreachable(True)
    view.settle_locally(view.probes(), Outcome.FAILED)
    assert view.refused().state is OPEN
    view.set_ledger_unreachable(False)
    view.hears(HALF_OPEN, 5)
    assert view.refused().state is OPEN


def test_a_ledger_that_was_away_for_a_moment_costs_no_count() -> None:
    view = OneView()
    view.fails(3)
    view.set_ledger_unreachable(True)
    view.set_ledger_unreachable(False)
    assert view.local().counts == Counts(0, 3)
    view.fails(1)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN


def test_alone_one_replica_is_quorum_enough() -> None:
    view = OneView(CircuitPolicy(min_samples=4, quorum=2))
    view.fails(4)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN


def test_one_failure_and_the_success_after_it_may_be_the_samples_that_were_lacking() -> None:
    view = OneView(CircuitPolicy(min_samples=2), scope="replica")
    view.fails(1)
    view.goes_well(1)
    assert view.refused().state is OPEN


def test_a_call_that_began_before_the_replica_refused_by_itself_still_counts_for_the_fleet() -> None:
    view = OneView()
    before = view.admitted()
    view.fails(4)
    view.clock.advance(0.11)
    assert view.refused().state is OPEN
    assert view.gate.failed(before, view.clock.now_s)


def test_a_circuit_that_has_been_open_rests_again_when_it_is_asked_to() -> None:
    view = OneView(scope="replica")
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.OK)
    view.gate.throttled(view.admitted(), 5.0)
    assert view.refused().retry_after_s == pytest.approx(5, abs=0.01)


def test_a_circuit_that_opens_again_soon_after_it_closed_rests_longer_by_a_little_chance() -> None:
    view = OneView(scope="replica", draw=lambda: 0.999)
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.OK)
    view.clock.advance(0.5)
    view.fails(4)
    assert view.refused().retry_after_s == pytest.approx(20 * 1.0999, abs=0.01)


def test_successes_leave_the_window_by_the_time_they_came_and_not_by_that_they_were_looked_at() -> None:
    view = OneView(CircuitPolicy(min_samples=99, window_s=10.0))
    view.goes_well(6)
    view.clock.advance(9.5)
    view.fails(1)
    view.clock.advance(1.0)
    assert view.local().counts == Counts(0, 1)


def test_a_call_from_before_its_own_opening_counts_for_the_fleet_and_not_for_the_replicas_own_law() -> None:
    view = OneView()
    early = view.admitted()
    view.fails(4)
    view.clock.advance(10.2)
    view.settle_locally(view.probes(), Outcome.OK)
    view.goes_well(1)
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


def test_in_shadow_mode_a_replica_tells_that_it_sees_failures_and_refuses_nothing_then_or_later() -> None:
    view = OneView()
    view.hears(CLOSED, 5, override=view.word(OverrideMode.SHADOW))
    view.fails(40)
    assert failing(view)
    view.clock.advance(0.2)
    view.admitted()
    view.hears(CLOSED, 7)
    view.goes_well(3)
    view.fails(1)
    view.clock.advance(0.2)
    view.admitted()
    assert not failing(view)


@pytest.mark.parametrize("mode", [OverrideMode.CLOSED, OverrideMode.OPEN, OverrideMode.DISABLED])
def test_under_any_other_word_a_replica_judges_nothing_by_itself(mode: OverrideMode) -> None:
    view = OneView()
    epochs = view.admitted()
    view.hears(OPEN if mode is OverrideMode.OPEN else CLOSED, 5, override=view.word(mode), left_ms=-1)
    if mode is not OverrideMode.OPEN:
        epochs = view.admitted()
    for _ in range(40):
        view.gate.failed(epochs, view.clock.now_s)
    view.clock.advance(0.2)
    assert view.local().state is CLOSED


def test_a_probe_of_its_own_that_is_asked_for_a_rest_gives_it_that_rest() -> None:
    view = OneView(away=True)
    view.fails(4)
    view.clock.advance(10.1)
    view.settle_locally(view.probes(), Outcome.THROTTLED, 30_000)
    assert view.refused().retry_after_s == pytest.approx(30.0)
