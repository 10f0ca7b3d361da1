"""teach: what a ledger that lost its memory gets back. It never lowers an epoch, ends a rest or closes by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import Decision, RestorePoint
from ha_rag.circuit.snapshot import read
from ha_rag.circuit.state import Circuit, CircuitState, OperatorOverride, OverrideMode
from ha_rag.messages import Outcome
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
"""An epoch that no circuit here has."""


def restore(circuit: Circuit, belief: RestorePoint, *, now: int = NOW) -> Decision:
    return rules.restore(circuit, T, now, "a", belief)


def believing(state: CircuitState, **more: object) -> RestorePoint:
    return RestorePoint(state, AHEAD, **more)  # type: ignore[arg-type]  # tests name the fields they mean


def test_a_ledger_that_is_not_behind_learns_nothing() -> None:
    ahead = Circuit(epoch=AHEAD + 1)
    assert restore(ahead, believing(OPEN, left_ms=400)).circuit is ahead


def test_the_epoch_goes_on_above_both() -> None:
    assert restore(Circuit(), believing(OPEN)).circuit.epoch == AHEAD + 1
    assert restore(Circuit(), RestorePoint(OPEN, 5)).circuit.epoch == NOW


def test_a_rest_that_was_running_goes_on_with_its_count_its_reason_and_its_author() -> None:
    taught = restore(
        Circuit(), believing(OPEN, left_ms=400, open_count=3, reason="3 of 3 failed", opened_by="b")
    ).circuit
    assert (taught.state, taught.open_until_ms, taught.open_count) == (OPEN, NOW + 400, 3)
    assert (taught.reason, taught.opened_by) == ("3 of 3 failed", "b")


def test_of_two_rests_the_longer_one_counts() -> None:
    stale = opened()
    assert restore(stale, believing(OPEN, left_ms=100)).circuit.open_until_ms == NOW + 500
    assert restore(stale, believing(OPEN, left_ms=900)).circuit.open_until_ms == NOW + 900
    assert restore(stale, believing(CLOSED)).circuit.open_until_ms == NOW + 500


@pytest.mark.parametrize(
    ("circuit", "state"),
    [
        (Circuit(), HALF_OPEN), (Circuit(), OPEN), (half_open(), CLOSED), (half_open(), HALF_OPEN),
        (opened(), CLOSED), (opened(), HALF_OPEN),
    ],
)  # fmt: skip
def test_half_open_or_rested_on_either_side_comes_back_as_open_for_one_lease(
    circuit: Circuit, state: CircuitState
) -> None:
    taught = restore(circuit, believing(state), now=OPEN_UNTIL)
    assert (taught.circuit.state, taught.circuit.open_until_ms) == (OPEN, OPEN_UNTIL + T.lease_ms)
    assert not lease(taught.circuit, now=OPEN_UNTIL + T.lease_ms - 1).granted


def test_only_where_both_sides_are_closed_it_is_closed() -> None:
    decision = restore(Circuit(), believing(CLOSED))
    assert (decision.circuit.state, [e.trigger for e in decision.events]) == (CLOSED, ["ledger restored"])


def test_an_operators_word_comes_back_with_its_deadline() -> None:
    word = OperatorOverride(OverrideMode.SHADOW, "why", "kim", NOW + 700)
    taught = restore(Circuit(), believing(CLOSED, override=word)).circuit
    assert (taught.state, taught.override) == (CLOSED, word)


def test_a_forced_open_comes_back_as_forced() -> None:
    word = OperatorOverride(OverrideMode.OPEN, "why", "kim", NOW + 700)
    taught = restore(Circuit(), believing(OPEN, override=word)).circuit
    assert (read(taught, T, NOW).state, read(taught, T, NOW).left_ms) == (OPEN, 700)


def test_a_word_whose_time_is_up_does_not_come_back_and_ends_no_rest() -> None:
    word = OperatorOverride(OverrideMode.CLOSED, "why", "kim", NOW - 1)
    taught = restore(opened(), believing(CLOSED, override=word)).circuit
    assert (taught.state, taught.override, taught.open_until_ms) == (OPEN, None, NOW + 500)


def test_a_word_that_was_taken_back_does_not_rise_from_a_stale_copy() -> None:
    stale = rules.override(Circuit(), NOW, OverrideMode.OPEN, "why", "kim").circuit
    taught = restore(stale, believing(CLOSED)).circuit
    assert (taught.override, taught.state, taught.open_until_ms) == (None, OPEN, NOW + T.lease_ms)


def test_leases_of_before_the_loss_count_for_nothing_after_it() -> None:
    taught = restore(half_open(), believing(HALF_OPEN), now=OPEN_UNTIL + 1).circuit
    late = rules.settle(taught, T, OPEN_UNTIL + 2, "a", "t", Outcome.OK)
    assert active_leases(late.circuit) == {}
    assert replace(late.circuit, leases=taught.leases) == taught


# ---- ties: one epoch, two transitions -------------------------------------------------------------------------------


def tied(circuit: Circuit, state: CircuitState, **more: object) -> RestorePoint:
    """What a replica believes whose epoch the ledger has given to another transition."""
    told = {"changed_at_ms": circuit.changed_at_ms, "reason": circuit.reason, "opened_by": circuit.opened_by, **more}
    return RestorePoint(state, circuit.epoch, **told)  # type: ignore[arg-type]  # tests name the fields they mean


def closed() -> Circuit:
    return Circuit(epoch=NOW, changed_at_ms=NOW, reason="2 good probes")


@pytest.mark.parametrize("ms", [0, 499, 500, 5000])
@pytest.mark.parametrize("circuit", [opened(), half_open(), closed(), Circuit()])
def test_what_a_ledger_said_itself_is_no_tie_however_late_it_is_taught(circuit: Circuit, ms: int) -> None:
    said = read(circuit, T, max(NOW, circuit.changed_at_ms)).restore_point()
    assert restore(circuit, said, now=max(NOW, circuit.changed_at_ms) + ms).circuit is circuit


def test_a_rest_that_a_replica_knows_is_not_ended_by_a_closing_of_the_same_epoch() -> None:
    taught = restore(closed(), tied(closed(), OPEN, left_ms=400)).circuit
    assert (taught.state, taught.open_until_ms, taught.epoch) == (OPEN, NOW + 400, NOW + 1)


def test_a_rest_that_runs_in_the_ledger_goes_on_whatever_the_replica_believes_of_its_epoch() -> None:
    taught = restore(opened(), tied(opened(), CLOSED)).circuit
    assert (taught.state, taught.open_until_ms, taught.epoch) == (OPEN, NOW + 500, NOW + 1)


def test_of_two_openings_in_one_epoch_the_longer_rest_counts() -> None:
    for other in ({"reason": "a probe ended failed"}, {"opened_by": "b"}, {"changed_at_ms": NOW - 1}):
        taught = restore(opened(), tied(opened(), OPEN, left_ms=900, **other)).circuit
        assert (taught.open_until_ms, taught.epoch) == (NOW + 900, NOW + 1)


def test_a_tie_of_half_open_and_closed_is_open_for_one_lease() -> None:
    taught = restore(half_open(), tied(half_open(), CLOSED), now=OPEN_UNTIL).circuit
    assert (taught.state, taught.open_until_ms) == (OPEN, OPEN_UNTIL + T.lease_ms)


def test_two_closings_in_one_epoch_begin_anew_with_an_empty_window() -> None:
    counted = report(closed(), ok=1).circuit
    taught = restore(counted, tied(counted, CLOSED, reason="the ledger had lost its memory"))
    assert [event.trigger for event in taught.events] == ["ledger restored"]
    assert (taught.circuit.epoch, taught.circuit.window) == (NOW + 1, {})


def test_teaching_ends_the_tie_for_everybody() -> None:
    beliefs = [tied(closed(), OPEN, left_ms=400), tied(closed(), HALF_OPEN), tied(closed(), CLOSED, reason="other")]
    for first in beliefs:
        taught = restore(closed(), first).circuit
        for later in [*beliefs, read(closed(), T, NOW).restore_point()]:
            assert restore(taught, later).circuit is taught


def test_in_a_tie_the_ledgers_own_word_comes_first_and_the_replicas_where_it_has_none() -> None:
    shadowed = rules.override(Circuit(), NOW, OverrideMode.SHADOW, "why", "kim", 700).circuit
    word = OperatorOverride(OverrideMode.OPEN, "why not", "lee", NOW + 900)
    taught = restore(shadowed, tied(shadowed, OPEN, reason="open: why not", override=word)).circuit
    assert (taught.state, taught.override) == (CLOSED, shadowed.override)
    taught = restore(closed(), tied(closed(), OPEN, reason="open: why not", override=word)).circuit
    assert (taught.state, taught.override) == (OPEN, word)


def test_in_a_tie_too_a_word_whose_time_is_up_ends() -> None:
    shadowed = rules.override(Circuit(), NOW, OverrideMode.SHADOW, "why", "kim", 700).circuit
    decision = restore(shadowed, tied(shadowed, OPEN, reason="3 of 3 failed", left_ms=100), now=NOW + 700)
    assert (decision.circuit.state, decision.circuit.override, decision.circuit.open_until_ms) == (
        OPEN,
        None,
        NOW + 800,
    )
    assert [event.trigger for event in decision.events] == ["override ended", "ledger restored, resting"]


# ---- the first teacher knew less ------------------------------------------------------------------------------------


LAGGED, LATER = NOW - 2000, NOW - 1000
"""The last epoch that the first teacher had heard of, and that of another replica."""


def lagging(**more: object) -> Circuit:
    """What an empty ledger was taught at NOW by a replica that had missed something."""
    return restore(Circuit(), RestorePoint(CLOSED, LAGGED, **more)).circuit  # type: ignore[arg-type]  # as above


def test_a_rest_that_the_first_teacher_had_not_heard_of_is_taught_by_whoever_had() -> None:
    decision = restore(lagging(), RestorePoint(OPEN, LATER, left_ms=400, open_count=3, opened_by="b"), now=NOW + 100)
    taught = decision.circuit
    assert (taught.state, taught.open_until_ms, taught.open_count, taught.opened_by) == (OPEN, NOW + 500, 3, "b")
    assert taught.epoch > lagging().epoch
    assert [event.trigger for event in decision.events] == ["ledger restored, resting"]


def test_so_is_a_probe_that_the_first_teacher_had_not_heard_of_by_one_lease_of_rest() -> None:
    taught = restore(lagging(), RestorePoint(HALF_OPEN, LATER), now=NOW + 100).circuit
    assert (taught.state, taught.open_until_ms) == (OPEN, NOW + 100 + T.lease_ms)


def test_an_operators_last_word_is_that_of_whoever_heard_it_last() -> None:
    old, new = (OperatorOverride(mode, "why", "kim", None) for mode in (OverrideMode.SHADOW, OverrideMode.OPEN))
    shadowed = lagging(override=old)
    assert restore(shadowed, RestorePoint(OPEN, LATER, override=new)).circuit.override == new
    assert restore(shadowed, RestorePoint(CLOSED, LATER)).circuit.override is None


@pytest.mark.parametrize("known", [LAGGED - 1, LAGGED, NOW])
def test_whoever_heard_no_more_than_the_first_teacher_or_just_what_it_taught_adds_nothing(known: int) -> None:
    taught = lagging()
    same = {"changed_at_ms": taught.changed_at_ms, "reason": taught.reason, "opened_by": taught.opened_by}
    assert restore(taught, RestorePoint(CLOSED, known, left_ms=400, **same)).circuit is taught  # type: ignore[arg-type]  # as above


def test_one_lease_after_the_first_lesson_nobody_adds_to_it() -> None:
    later = RestorePoint(OPEN, LATER, left_ms=4000)
    assert restore(lagging(), later, now=NOW + T.lease_ms - 1).events
    assert not restore(lagging(), later, now=NOW + T.lease_ms).events


def test_once_the_circuit_has_gone_on_by_itself_nobody_adds_to_what_it_was_taught() -> None:
    reopened = report(lagging(), failed=3).circuit
    assert (reopened.state, read(reopened, T, NOW).missed) == (OPEN, (0, 0))
    assert restore(reopened, RestorePoint(OPEN, LATER, left_ms=4000)).circuit is reopened


def test_each_lesson_is_taken_once_and_only_one_that_knows_still_more_after_it() -> None:
    first = restore(lagging(), RestorePoint(OPEN, LATER, left_ms=400)).circuit
    for known in (LAGGED, LATER - 1, LATER):
        assert restore(first, RestorePoint(OPEN, known, left_ms=900)).circuit is first
    assert restore(first, RestorePoint(OPEN, LATER + 1, left_ms=900)).circuit.open_until_ms == NOW + 900


def test_those_who_believe_what_came_of_the_lessons_have_nothing_to_add_to_later_ones() -> None:
    """Or two replicas, each of which had taught something, would go on teaching for ever."""
    first = lagging()
    second = restore(first, RestorePoint(OPEN, LATER, left_ms=400)).circuit
    third = restore(second, RestorePoint(OPEN, LATER + 1, left_ms=400)).circuit
    for known in (first, second):
        assert restore(third, read(known, T, NOW).restore_point()).circuit is third


def test_a_snapshot_tells_between_which_epochs_something_is_missing_for_one_lease() -> None:
    assert read(Circuit(), T, NOW).missed == (0, 0)
    assert read(lagging(), T, NOW + T.lease_ms - 1).missed == (LAGGED, lagging().epoch)
    assert read(lagging(), T, NOW + T.lease_ms).missed == (0, 0)
