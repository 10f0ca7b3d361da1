"""How a view updates its cached state of the fleet: by epoch, on its own clock, and never backwards."""

from __future__ import annotations

import math

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.clock import ManualClock
from ha_rag.ledger.view.view import View
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, POLICY, REDIS_MS, OneView


def test_a_new_view_admits_calls_before_anything_was_computed() -> None:
    view = View("svc", POLICY, replica="r1", clock=ManualClock())
    assert view.gate.passing is not None
    assert view.gate.refusing_until_s == -math.inf


def test_a_view_that_received_no_reply_decides_locally() -> None:
    view = OneView(away=True)
    assert view.ledger_unreachable
    assert view.state() is CLOSED


def test_an_open_circuit_refuses_until_its_open_duration_is_over_by_the_local_clock() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000)
    assert view.gate.passing is None
    assert view.gate.refusing_until_s == view.clock.now_s + 3
    assert view.refused().retry_after_s == pytest.approx(3.0)
    view.clock.advance(2.9)
    assert view.state() is OPEN
    view.clock.advance(0.2)
    assert view.state() is HALF_OPEN


def test_the_ledgers_clock_does_not_affect_the_open_duration() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000, now_ms=17)
    view.clock.advance(2.9)
    assert view.state() is OPEN


def test_a_lower_epoch_is_never_adopted_and_causes_a_restore() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000)
    received = view.apply_reply(view.snapshot(CLOSED, 0))
    assert received.needs_restore
    assert view.state() is OPEN
    assert view.fleet.epoch == 5


def test_a_reply_from_a_ledger_that_lost_its_data_does_not_confirm_the_cached_state() -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    heard_s = view.confirmed_s
    view.clock.advance(1)
    view.apply_reply(view.snapshot(CLOSED, 0))
    assert view.confirmed_s == heard_s


def test_a_reply_of_the_same_epoch_updates_the_open_duration() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000)
    view.receives(OPEN, 5, left_ms=2000)
    assert view.refused().retry_after_s == pytest.approx(2.0)


def test_a_reply_that_a_newer_one_has_overtaken_changes_nothing() -> None:
    view = OneView()
    late = view.snapshot(CLOSED, 5, counts=Counts(1, 1))
    view.clock.advance(0.2)
    view.receives(CLOSED, 5, counts=Counts(9, 1))
    view.apply_reply(late)
    assert view.fleet.counts == Counts(9, 1)


def test_replies_of_a_ledger_whose_clock_was_set_back_are_still_applied() -> None:
    view = OneView()
    view.receives(CLOSED, 5, counts=Counts(9, 1))
    view.receives(CLOSED, 5, counts=Counts(1, 1), now_ms=REDIS_MS - 60_000)
    assert view.fleet.counts == Counts(1, 1)


# ---- messages -------------------------------------------------------------------------------------------------------


def test_a_message_that_follows_the_known_epoch_is_adopted() -> None:
    view = OneView()
    received = view.apply_message(view.snapshot(OPEN, 5, left_ms=3000), 0)
    assert not received.needs_read
    assert received.after is not None
    assert view.state() is OPEN


def test_a_message_after_a_gap_is_adopted_and_causes_a_read() -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    received = view.apply_message(view.snapshot(OPEN, 9, left_ms=3000), 7)
    assert received.needs_read
    assert view.state() is OPEN


@pytest.mark.parametrize(("state", "epoch"), [(CLOSED, 5), (OPEN, 4)])
def test_a_late_or_duplicate_message_is_dropped(state: CircuitState, epoch: int) -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    received = view.apply_message(view.snapshot(state, epoch, left_ms=3000), 3)
    assert received.after is None
    assert not received.needs_read
    assert view.state() is CLOSED


def test_the_message_of_a_known_transition_causes_no_lease_request() -> None:
    view = OneView()
    view.receives(HALF_OPEN, 6, slot_wait_ms=4000)
    view.apply_message(view.snapshot(HALF_OPEN, 6, slot_wait_ms=4000), 5)
    assert not view.refused().ask


# ---- conflicting transitions with one epoch --------------------------------------------------------------------------


@pytest.mark.parametrize("state", [CLOSED, OPEN])
def test_a_reply_of_the_same_epoch_with_another_state_does_not_end_the_open_duration(state: CircuitState) -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000, reason="3 of 3 failed")
    heard_s = view.confirmed_s
    view.clock.advance(0.2)
    received = view.apply_reply(view.snapshot(state, 5, left_ms=500 if state is OPEN else 0, reason="another history"))
    assert (received.needs_restore, received.before, received.after) == (True, None, None)
    assert view.refused().retry_after_s == pytest.approx(2.8)
    assert view.confirmed_s == heard_s
    view.clock.advance(2.9)
    assert view.state() is HALF_OPEN


@pytest.mark.parametrize("fact", [{"changed_at_ms": 7}, {"reason": "other"}, {"opened_by": "r2"}])
@pytest.mark.parametrize("state", [CLOSED, OPEN, HALF_OPEN])
def test_any_reply_that_contradicts_the_transition_of_an_epoch_causes_a_restore(
    state: CircuitState, fact: dict[str, object]
) -> None:
    view = OneView()
    view.receives(state, 5, left_ms=3000 if state is OPEN else 0)
    assert view.apply_reply(view.snapshot(state, 5, left_ms=9000 if state is OPEN else 0, **fact)).needs_restore
    assert not view.apply_reply(view.snapshot(state, 5, left_ms=2000 if state is OPEN else 0)).needs_restore


def test_an_open_circuit_that_reads_as_half_open_is_no_contradiction() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000)
    assert not view.apply_reply(view.snapshot(HALF_OPEN, 5)).needs_restore
    assert view.state() is HALF_OPEN


def test_a_closed_circuit_is_not_opened_by_a_conflicting_history_before_the_ledger_is_restored() -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    assert view.apply_reply(view.snapshot(OPEN, 5, left_ms=3000)).needs_restore
    assert view.state() is CLOSED
    view.receives(OPEN, 6, left_ms=3000)
    assert view.state() is OPEN


@pytest.mark.parametrize("previous", [3, 5])
def test_a_message_that_contradicts_the_known_epoch_causes_a_read(previous: int) -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000)
    heard_s, asks_s = view.confirmed_s, view._leases.after_s
    view.clock.advance(0.2)
    received = view.apply_message(view.snapshot(CLOSED, 5), previous)
    assert (received.needs_read, received.needs_restore, received.after) == (True, False, None)
    assert view.refused().retry_after_s == pytest.approx(2.8)
    assert (view.confirmed_s, view._leases.after_s) == (heard_s, asks_s)


@pytest.mark.parametrize("state", [OPEN, HALF_OPEN])
def test_a_ledger_restored_by_an_outdated_replica_is_not_adopted_but_restored_again(state: CircuitState) -> None:
    view = OneView()
    view.receives(state, 5, left_ms=3000 if state is OPEN else 0)
    heard_s = view.confirmed_s
    view.clock.advance(0.2)
    received = view.apply_reply(view.snapshot(CLOSED, 9, missed=(4, 9)))
    assert (received.needs_restore, received.before, received.after) == (True, None, None)
    received = view.apply_message(view.snapshot(CLOSED, 9, missed=(4, 9)), 0)
    assert (received.needs_read, received.before, received.after) == (True, None, None)
    assert (view.state(), view.fleet.epoch, view.confirmed_s) == (state, 5, heard_s)
    view.receives(OPEN, 10, left_ms=2800, missed=(5, 9))
    assert (view.state(), view.fleet.epoch) == (OPEN, 10)


@pytest.mark.parametrize("missed", [(0, 0), (5, 9), (6, 9), (4, 5)])
def test_a_ledger_that_misses_no_known_transition_is_adopted(
    missed: tuple[int, int],
) -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000)
    assert not view.apply_reply(view.snapshot(CLOSED, 9, missed=missed)).needs_restore
    assert view.state() is CLOSED


def test_two_closed_circuits_without_overrides_need_no_restore() -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    assert not view.apply_reply(view.snapshot(CLOSED, 9, missed=(4, 9))).needs_restore
    assert view.fleet.epoch == 9


def test_an_override_that_was_removed_before_the_data_loss_is_removed_again_and_an_active_one_stays() -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    assert view.apply_reply(
        view.snapshot(CLOSED, 9, missed=(4, 9), override=view.make_override(OverrideMode.SHADOW))
    ).needs_restore
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.SHADOW))
    assert view.apply_reply(view.snapshot(CLOSED, 9, missed=(4, 9))).needs_restore


def test_a_restore_contains_the_start_of_its_epoch_so_that_conflicts_are_detected() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000, changed_at_ms=42)
    assert view.restore_point(view.ledger_ms).changed_at_ms == 42


# ---- overrides ------------------------------------------------------------------------------------------------------


def test_a_forced_open_without_an_end_refuses_with_an_unknown_wait() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=-1, override=view.make_override(OverrideMode.OPEN))
    assert view.refused().retry_after_s is None
    view.clock.advance(100_000)
    assert view.state() is OPEN


def test_a_forced_open_that_has_ended_needs_a_probe() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=2000, override=view.make_override(OverrideMode.OPEN, 2000))
    assert view.refused().retry_after_s == pytest.approx(2.0)
    view.clock.advance(2.1)
    assert view.refused().ask


@pytest.mark.parametrize("mode", [OverrideMode.CLOSED, OverrideMode.DISABLED, OverrideMode.SHADOW])
def test_other_overrides_admit_all_calls_whatever_the_local_outcomes(mode: OverrideMode) -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(mode))
    view.fails(20)
    view.clock.advance(1)
    assert view.state() is CLOSED
    view.tick()
    assert view.gate.passing is not None


def test_a_disabled_circuit_counts_nothing() -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.DISABLED))
    view.fails(3)
    view.succeeds(3)
    assert view.batch(view.ledger_ms) is None


@pytest.mark.parametrize("mode", [OverrideMode.CLOSED, OverrideMode.SHADOW])
def test_a_circuit_that_is_held_closed_counts(mode: OverrideMode) -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(mode))
    view.fails(3)
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    assert batch.tallies[0].counts == Counts(0, 3)


def test_an_override_ends_by_the_local_clock_without_a_message() -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.DISABLED, 2000))
    view.clock.advance(2.1)
    view.fails(4)
    assert view.batch(view.ledger_ms) is not None


@pytest.mark.parametrize("mode", [OverrideMode.CLOSED, OverrideMode.DISABLED, OverrideMode.SHADOW])
def test_neither_ramp_nor_shedding_limits_calls_under_an_override(mode: OverrideMode) -> None:
    view = OneView(CircuitPolicy(ramp_s=60.0, shed=True), draw=lambda: 0.999)
    view.receives(CLOSED, 5, changed_at_ms=view.ledger_ms, counts=Counts(0, 100), override=view.make_override(mode))
    view.admitted()


# ---- restoring ------------------------------------------------------------------------------------------------------


def test_a_restore_contains_the_remaining_open_duration() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000, open_count=2, reason="it broke", opened_by="r2")
    view.clock.advance(1)
    point = view.restore_point(view.ledger_ms)
    assert (point.state, point.epoch, point.open_count, point.reason) == (OPEN, 5, 2, "it broke")
    assert point.left_ms == pytest.approx(2000, abs=1)


def test_a_restore_gives_the_overrides_end_in_the_ledgers_time() -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.DISABLED, 5000))
    view.clock.advance(2)
    override = view.restore_point(42_000).override
    assert override is not None
    assert override.until_ms == pytest.approx(45_000, abs=1)


def test_a_restore_contains_no_override_that_has_ended() -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.DISABLED, 5000))
    view.clock.advance(6)
    assert view.restore_point(view.ledger_ms).override is None


def test_an_override_without_an_end_is_restored_without_one() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=-1, override=view.make_override(OverrideMode.OPEN))
    point = view.restore_point(view.ledger_ms)
    assert point.override is not None
    assert point.override.until_ms is None
    assert point.left_ms == 0


# ---- the ramp -------------------------------------------------------------------------------------------------------


def test_after_closing_calls_are_admitted_in_four_steps() -> None:
    view = OneView(CircuitPolicy(ramp_s=8.0), draw=lambda: 0.3)
    view.receives(CLOSED, 5, changed_at_ms=view.ledger_ms, open_count=1)
    assert view.refused().state is CLOSED  # 10 % pass
    view.clock.advance(2.1)
    assert view.refused().retry_after_s is None  # 25 %
    view.clock.advance(2.0)
    view.admitted()  # 50 %


def test_a_finished_ramp_costs_nothing() -> None:
    view = OneView(CircuitPolicy(ramp_s=8.0), draw=lambda: 0.0)
    view.receives(CLOSED, 5, changed_at_ms=view.ledger_ms, open_count=1)
    assert view.gate.passing is None
    view.clock.advance(8.1)
    view.admitted()
    assert view.gate.passing is not None


def test_a_replica_that_starts_long_after_the_closing_has_no_ramp() -> None:
    view = OneView(CircuitPolicy(ramp_s=8.0), draw=lambda: 0.99)
    view.receives(CLOSED, 5, changed_at_ms=view.ledger_ms - 9000, open_count=1)
    view.admitted()


def test_shedding_refuses_in_proportion_to_the_fleets_counts() -> None:
    view = OneView(CircuitPolicy(shed=True), draw=lambda: 0.5)
    view.receives(CLOSED, 5, counts=Counts(40, 10))
    view.admitted()
    view.receives(CLOSED, 5, counts=Counts(10, 90))
    assert view.refused().state is CLOSED


@pytest.mark.parametrize("scope", ["fleet", "replica"])
def test_without_a_ledger_shedding_uses_the_replicas_own_counts(scope: str) -> None:
    policy = CircuitPolicy(shed=True, min_samples=1000)
    view = OneView(policy, draw=lambda: 0.5, scope=scope, away=scope == "fleet")
    epochs = view.admitted()
    for _ in range(90):
        view.gate.failed(epochs, view.clock.now_s)
    assert view.refused().state is CLOSED
    for _ in range(200):
        view.gate.succeeded(epochs, view.clock.now_s)
    view.admitted()


def test_the_policy_of_these_tests_has_the_documented_values() -> None:
    assert OneView().terms.lease_ms == 10_000
    assert POLICY.min_samples == 4
