"""restore: never lowers an epoch, shortens an open duration or closes a circuit that was not closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import Decision, RestorePoint
from ha_rag.circuit.snapshot import read
from ha_rag.circuit.state import Circuit, CircuitState, OperatorOverride, OverrideMode
from ha_rag.outcomes import Outcome
from tests.circuit.circuits import (
    CLOSED,
    HALF_OPEN,
    NOW,
    OPEN,
    OPEN_UNTIL,
    T,
    active_leases,
    half_open,
    lease,
    opened,
    report,
)

AHEAD = NOW + 1_000_000
"""An epoch above that of every circuit here."""


def restore(circuit: Circuit, known: RestorePoint, *, now: int = NOW) -> Decision:
    return rules.restore(circuit, T, now, "a", known)


def restore_point(state: CircuitState, **more: object) -> RestorePoint:
    return RestorePoint(state, AHEAD, **more)  # type: ignore[arg-type]  # tests name the fields they mean


def test_a_ledger_that_is_not_behind_is_not_changed() -> None:
    ahead = Circuit(epoch=AHEAD + 1)
    assert restore(ahead, restore_point(OPEN, left_ms=400)).circuit is ahead


def test_the_new_epoch_is_above_both() -> None:
    assert restore(Circuit(), restore_point(OPEN)).circuit.epoch == AHEAD + 1
    assert restore(Circuit(), RestorePoint(OPEN, 5)).circuit.epoch == NOW


def test_an_open_circuit_is_restored_with_its_remaining_time_count_reason_and_author() -> None:
    restored = restore(
        Circuit(), restore_point(OPEN, left_ms=400, open_count=3, reason="3 of 3 failed", opened_by="b")
    ).circuit
    assert (restored.state, restored.open_until_ms, restored.open_count) == (OPEN, NOW + 400, 3)
    assert (restored.reason, restored.opened_by) == ("3 of 3 failed", "b")


def test_the_longer_open_duration_counts() -> None:
    stale = opened()
    assert restore(stale, restore_point(OPEN, left_ms=100)).circuit.open_until_ms == NOW + 500
    assert restore(stale, restore_point(OPEN, left_ms=900)).circuit.open_until_ms == NOW + 900
    assert restore(stale, restore_point(CLOSED)).circuit.open_until_ms == NOW + 500


@pytest.mark.parametrize(
    ("circuit", "state"),
    [
        (Circuit(), HALF_OPEN), (Circuit(), OPEN), (half_open(), CLOSED), (half_open(), HALF_OPEN),
        (opened(), CLOSED), (opened(), HALF_OPEN),
    ],
)  # fmt: skip
def test_half_open_or_expired_open_on_either_side_is_restored_as_open_for_one_lease(
    circuit: Circuit, state: CircuitState
) -> None:
    restored = restore(circuit, restore_point(state), now=OPEN_UNTIL)
    assert (restored.circuit.state, restored.circuit.open_until_ms) == (OPEN, OPEN_UNTIL + T.lease_ms)
    assert not lease(restored.circuit, now=OPEN_UNTIL + T.lease_ms - 1).granted


def test_a_circuit_closed_on_both_sides_is_restored_as_closed() -> None:
    decision = restore(Circuit(), restore_point(CLOSED))
    assert (decision.circuit.state, [e.trigger for e in decision.events]) == (CLOSED, ["ledger restored"])


def test_an_override_is_restored_with_its_end() -> None:
    override = OperatorOverride(OverrideMode.SHADOW, "why", "kim", NOW + 700)
    restored = restore(Circuit(), restore_point(CLOSED, override=override)).circuit
    assert (restored.state, restored.override) == (CLOSED, override)


def test_a_forced_open_is_restored_as_forced() -> None:
    override = OperatorOverride(OverrideMode.OPEN, "why", "kim", NOW + 700)
    restored = restore(Circuit(), restore_point(OPEN, override=override)).circuit
    assert (read(restored, T, NOW).state, read(restored, T, NOW).left_ms) == (OPEN, 700)


def test_an_expired_override_is_not_restored_and_does_not_end_an_open_duration() -> None:
    override = OperatorOverride(OverrideMode.CLOSED, "why", "kim", NOW - 1)
    restored = restore(opened(), restore_point(CLOSED, override=override)).circuit
    assert (restored.state, restored.override, restored.open_until_ms) == (OPEN, None, NOW + 500)


def test_an_ended_override_is_not_restored_from_a_stale_copy() -> None:
    stale = rules.override(Circuit(), NOW, OverrideMode.OPEN, "why", "kim").circuit
    restored = restore(stale, restore_point(CLOSED)).circuit
    assert (restored.override, restored.state, restored.open_until_ms) == (None, OPEN, NOW + T.lease_ms)


def test_leases_from_before_the_loss_have_no_effect_after_it() -> None:
    restored = restore(half_open(), restore_point(HALF_OPEN), now=OPEN_UNTIL + 1).circuit
    late = rules.settle(restored, T, OPEN_UNTIL + 2, "a", "t", Outcome.OK)
    assert active_leases(late.circuit) == {}
    assert replace(late.circuit, leases=restored.leases) == restored


# ---- ties: one epoch, two transitions -------------------------------------------------------------------------------


def tied(circuit: Circuit, state: CircuitState, **more: object) -> RestorePoint:
    """A restore point with the circuit's epoch, but from another transition."""
    facts = {"changed_at_ms": circuit.changed_at_ms, "reason": circuit.reason, "opened_by": circuit.opened_by, **more}
    return RestorePoint(state, circuit.epoch, **facts)  # type: ignore[arg-type]  # tests name the fields they mean


def closed() -> Circuit:
    return Circuit(epoch=NOW, changed_at_ms=NOW, reason="2 good probes")


@pytest.mark.parametrize("ms", [0, 499, 500, 5000])
@pytest.mark.parametrize("circuit", [opened(), half_open(), closed(), Circuit()])
def test_the_ledger_s_own_snapshot_is_never_a_tie(circuit: Circuit, ms: int) -> None:
    point = read(circuit, T, max(NOW, circuit.changed_at_ms)).restore_point()
    assert restore(circuit, point, now=max(NOW, circuit.changed_at_ms) + ms).circuit is circuit


def test_a_tie_of_closed_in_the_ledger_and_open_in_the_replica_is_open() -> None:
    restored = restore(closed(), tied(closed(), OPEN, left_ms=400)).circuit
    assert (restored.state, restored.open_until_ms, restored.epoch) == (OPEN, NOW + 400, NOW + 1)


def test_a_tie_of_open_in_the_ledger_and_closed_in_the_replica_is_open() -> None:
    restored = restore(opened(), tied(opened(), CLOSED)).circuit
    assert (restored.state, restored.open_until_ms, restored.epoch) == (OPEN, NOW + 500, NOW + 1)


def test_in_a_tie_of_two_openings_the_longer_open_duration_counts() -> None:
    for other in ({"reason": "a probe ended failed"}, {"opened_by": "b"}, {"changed_at_ms": NOW - 1}):
        restored = restore(opened(), tied(opened(), OPEN, left_ms=900, **other)).circuit
        assert (restored.open_until_ms, restored.epoch) == (NOW + 900, NOW + 1)


def test_a_tie_of_half_open_and_closed_is_open_for_one_lease() -> None:
    restored = restore(half_open(), tied(half_open(), CLOSED), now=OPEN_UNTIL).circuit
    assert (restored.state, restored.open_until_ms) == (OPEN, OPEN_UNTIL + T.lease_ms)


def test_a_tie_of_two_closings_is_closed_with_an_empty_window() -> None:
    counted = report(closed(), ok=1).circuit
    restored = restore(counted, tied(counted, CLOSED, reason="the ledger had lost the circuit"))
    assert [event.trigger for event in restored.events] == ["ledger restored"]
    assert (restored.circuit.epoch, restored.circuit.window) == (NOW + 1, {})


def test_a_restore_ends_the_tie_for_all_replicas() -> None:
    points = [tied(closed(), OPEN, left_ms=400), tied(closed(), HALF_OPEN), tied(closed(), CLOSED, reason="other")]
    for first in points:
        restored = restore(closed(), first).circuit
        for later in [*points, read(closed(), T, NOW).restore_point()]:
            assert restore(restored, later).circuit is restored


def test_in_a_tie_the_ledger_s_override_wins_over_the_replica_s() -> None:
    shadowed = rules.override(Circuit(), NOW, OverrideMode.SHADOW, "why", "kim", 700).circuit
    override = OperatorOverride(OverrideMode.OPEN, "why not", "lee", NOW + 900)
    restored = restore(shadowed, tied(shadowed, OPEN, reason="open: why not", override=override)).circuit
    assert (restored.state, restored.override) == (CLOSED, shadowed.override)
    restored = restore(closed(), tied(closed(), OPEN, reason="open: why not", override=override)).circuit
    assert (restored.state, restored.override) == (OPEN, override)


def test_an_expired_override_ends_in_a_tie_too() -> None:
    shadowed = rules.override(Circuit(), NOW, OverrideMode.SHADOW, "why", "kim", 700).circuit
    decision = restore(shadowed, tied(shadowed, OPEN, reason="3 of 3 failed", left_ms=100), now=NOW + 700)
    assert (decision.circuit.state, decision.circuit.override, decision.circuit.open_until_ms) == (
        OPEN,
        None,
        NOW + 800,
    )
    assert [event.trigger for event in decision.events] == ["override ended", "ledger restored, resting"]


# ---- a second restore -----------------------------------------------------------------------------------------------


STALE, LATER = NOW - 2000, NOW - 1000
"""The epoch known to the first replica that restores, and that known to another."""


def lagging(**more: object) -> Circuit:
    """An empty ledger, restored at NOW by a replica that had missed a transition."""
    return restore(Circuit(), RestorePoint(CLOSED, STALE, **more)).circuit  # type: ignore[arg-type]  # as above


def test_a_replica_adds_an_opening_that_the_first_restore_lacked() -> None:
    decision = restore(lagging(), RestorePoint(OPEN, LATER, left_ms=400, open_count=3, opened_by="b"), now=NOW + 100)
    restored = decision.circuit
    assert (restored.state, restored.open_until_ms) == (OPEN, NOW + 500)
    assert (restored.open_count, restored.opened_by) == (3, "b")
    assert restored.epoch > lagging().epoch
    assert [event.trigger for event in decision.events] == ["ledger restored, resting"]


def test_a_replica_adds_a_half_open_as_open_for_one_lease() -> None:
    restored = restore(lagging(), RestorePoint(HALF_OPEN, LATER), now=NOW + 100).circuit
    assert (restored.state, restored.open_until_ms) == (OPEN, NOW + 100 + T.lease_ms)


def test_the_override_of_the_replica_with_the_highest_epoch_counts() -> None:
    old, new = (OperatorOverride(mode, "why", "kim", None) for mode in (OverrideMode.SHADOW, OverrideMode.OPEN))
    shadowed = lagging(override=old)
    assert restore(shadowed, RestorePoint(OPEN, LATER, override=new)).circuit.override == new
    assert restore(shadowed, RestorePoint(CLOSED, LATER)).circuit.override is None


@pytest.mark.parametrize("known", [STALE - 1, STALE, NOW])
def test_a_replica_that_knows_no_more_adds_nothing(known: int) -> None:
    restored = lagging()
    same = {"changed_at_ms": restored.changed_at_ms, "reason": restored.reason, "opened_by": restored.opened_by}
    assert restore(restored, RestorePoint(CLOSED, known, left_ms=400, **same)).circuit is restored  # type: ignore[arg-type]  # as above


def test_one_lease_after_the_first_restore_nothing_is_added() -> None:
    later = RestorePoint(OPEN, LATER, left_ms=4000)
    assert restore(lagging(), later, now=NOW + T.lease_ms - 1).events
    assert not restore(lagging(), later, now=NOW + T.lease_ms).events


def test_after_a_transition_of_its_own_nothing_is_added() -> None:
    reopened = report(lagging(), failed=3).circuit
    assert (reopened.state, read(reopened, T, NOW).missed) == (OPEN, (0, 0))
    assert restore(reopened, RestorePoint(OPEN, LATER, left_ms=4000)).circuit is reopened


def test_after_a_second_restore_only_a_higher_epoch_adds() -> None:
    first = restore(lagging(), RestorePoint(OPEN, LATER, left_ms=400)).circuit
    for known in (STALE, LATER - 1, LATER):
        assert restore(first, RestorePoint(OPEN, known, left_ms=900)).circuit is first
    assert restore(first, RestorePoint(OPEN, LATER + 1, left_ms=900)).circuit.open_until_ms == NOW + 900


def test_snapshots_of_earlier_restores_add_nothing() -> None:
    """Otherwise two replicas that both restored the ledger would go on restoring it forever."""
    first = lagging()
    second = restore(first, RestorePoint(OPEN, LATER, left_ms=400)).circuit
    third = restore(second, RestorePoint(OPEN, LATER + 1, left_ms=400)).circuit
    for known in (first, second):
        assert restore(third, read(known, T, NOW).restore_point()).circuit is third


def test_a_snapshot_names_the_epochs_with_missing_transitions_for_one_lease() -> None:
    assert read(Circuit(), T, NOW).missed == (0, 0)
    assert read(lagging(), T, NOW + T.lease_ms - 1).missed == (STALE, lagging().epoch)
    assert read(lagging(), T, NOW + T.lease_ms).missed == (0, 0)
