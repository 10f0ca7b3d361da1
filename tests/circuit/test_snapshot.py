"""Snapshots of a circuit over time, and the restore points made from them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import RestorePoint
from ha_rag.circuit.snapshot import UNKNOWN, Snapshot, read, wait_ms
from ha_rag.circuit.state import Circuit, CircuitState, Counts, Lease, OperatorOverride, OverrideMode
from tests.circuit.circuits import CLOSED, HALF_OPEN, NOW, OPEN, OPEN_UNTIL, T, half_open, opened, report, terms


def forced(mode: OverrideMode, for_ms: int | None = None) -> Circuit:
    return rules.override(Circuit(), NOW, mode, "maintenance", "kim", for_ms).circuit


def test_an_unused_circuit_has_an_empty_snapshot() -> None:
    assert read(Circuit(), T, NOW) == Snapshot(NOW)


def test_a_snapshot_holds_every_field() -> None:
    circuit = replace(
        opened(), probe_successes=1, override=OperatorOverride(OverrideMode.SHADOW, "why", "kim"),
        voters={"b": NOW + 9, "a": NOW + 9, "!c": NOW + 9, "gone": NOW},
    )  # fmt: skip
    circuit = replace(circuit, window={(100, NOW // 100): Counts(3, 2, 1)})
    assert read(circuit, T, NOW) == Snapshot(
        now_ms=NOW,
        state=OPEN,
        epoch=circuit.epoch,
        left_ms=500,
        open_count=1,
        reason="3 of 3 failed, 0 slow",
        opened_by="a",
        changed_at_ms=NOW,
        probe_successes=1,
        counts=Counts(3, 2, 1),
        voters=("a", "b"),
        override=OperatorOverride(OverrideMode.SHADOW, "why", "kim"),
    )


@pytest.mark.parametrize(
    ("after_ms", "state", "left_ms"), [(0, OPEN, 500), (499, OPEN, 1), (500, HALF_OPEN, 0), (9999, HALF_OPEN, 0)]
)
def test_an_open_duration_that_is_over_reads_as_half_open(after_ms: int, state: CircuitState, left_ms: int) -> None:
    found = read(opened(), T, NOW + after_ms)
    assert (found.state, found.left_ms, found.now_ms) == (state, left_ms, NOW + after_ms)


def test_only_an_open_circuit_has_time_remaining() -> None:
    assert read(replace(Circuit(), open_until_ms=NOW + 500), T, NOW).left_ms == 0
    assert read(replace(half_open(), open_until_ms=OPEN_UNTIL + 500), T, OPEN_UNTIL).left_ms == 0


@pytest.mark.parametrize(
    ("for_ms", "after_ms", "state", "left_ms"),
    [
        (None, 0, OPEN, UNKNOWN),
        (None, 10**9, OPEN, UNKNOWN),
        (100, 0, OPEN, 100),
        (100, 99, OPEN, 1),
        (100, 100, HALF_OPEN, 0),
        (100, 101, HALF_OPEN, 0),
    ],
)
def test_a_forced_open_lasts_as_long_as_its_override(
    for_ms: int | None, after_ms: int, state: CircuitState, left_ms: int
) -> None:
    found = read(forced(OverrideMode.OPEN, for_ms), T, NOW + after_ms)
    assert (found.state, found.left_ms) == (state, left_ms)


def test_other_overrides_do_not_change_the_time_remaining() -> None:
    held = replace(opened(), override=OperatorOverride(OverrideMode.SHADOW, "why", "kim", NOW + 50))
    assert read(held, T, NOW).left_ms == 500


def test_an_override_is_reported_until_it_expires() -> None:
    circuit = forced(OverrideMode.CLOSED, 100)
    assert read(circuit, T, NOW + 99).override == OperatorOverride(OverrideMode.CLOSED, "maintenance", "kim", NOW + 100)
    assert read(circuit, T, NOW + 100).override is None


@pytest.mark.parametrize(("closed_ms", "open_count"), [(999, 3), (1000, 0), (1001, 0)])
def test_the_open_count_is_0_after_a_whole_window_closed(closed_ms: int, open_count: int) -> None:
    circuit = Circuit(open_count=3, changed_at_ms=NOW)
    assert read(circuit, T, NOW + closed_ms).open_count == open_count


def test_the_open_count_stays_while_the_circuit_is_open() -> None:
    assert read(replace(opened(), open_count=3), T, NOW + 5000).open_count == 3


def test_outcomes_outside_the_window_are_not_counted() -> None:
    circuit = report(Circuit(), ok=2).circuit
    assert read(circuit, T, NOW + 900).counts == Counts(2, 0)
    assert read(circuit, T, NOW + 1000).counts == Counts()


def test_the_slot_wait_is_the_time_until_a_lease_expires_if_all_are_taken() -> None:
    two_more = {"spent": Lease(NOW + 100, 0), "over": Lease(NOW, 7)}
    two = replace(half_open(), leases={"t": Lease(NOW + 300, 7), "u": Lease(NOW + 200, 7), **two_more})
    assert read(two, terms(probes=1), NOW).slot_wait_ms == 200
    assert read(two, terms(probes=2), NOW).slot_wait_ms == 200
    assert read(two, terms(probes=3), NOW).slot_wait_ms == 0


def test_the_wait_follows_the_rules_and_is_minus_one_if_unknown() -> None:
    assert wait_ms(opened(), T, NOW + 100, "a") == 400
    assert wait_ms(half_open(), T, OPEN_UNTIL, "b") == 300
    assert wait_ms(replace(half_open(), lost_by="a", lost_at_ms=OPEN_UNTIL), T, OPEN_UNTIL, "a") == 600
    assert wait_ms(Circuit(), T, NOW, "a") == UNKNOWN
    assert wait_ms(forced(OverrideMode.OPEN), T, NOW, "a") == UNKNOWN


def test_a_restore_point_holds_what_was_read() -> None:
    override = OperatorOverride(OverrideMode.SHADOW, "why", "kim")
    known = Snapshot(NOW, OPEN, 7, 400, 2, "3 of 3 failed", "b")
    assert known.restore_point() == RestorePoint(OPEN, 7, 400, 2, "3 of 3 failed", "b")
    overridden = replace(known, override=override)
    assert overridden.restore_point() == RestorePoint(OPEN, 7, 0, 2, "3 of 3 failed", "b", override)


@pytest.mark.parametrize("state", [CLOSED, HALF_OPEN])
def test_only_an_open_restore_point_has_time_remaining(state: CircuitState) -> None:
    assert Snapshot(NOW, state, 7, left_ms=400).restore_point().left_ms == 0


def test_a_circuit_that_closed_early_is_restored_as_closed() -> None:
    """A probe with a lease shorter than the open duration may close the circuit early; then the ledger loses it."""
    closed = Circuit(state=CLOSED, epoch=5, open_until_ms=NOW + 400)
    restored = rules.restore(closed, T, NOW, "a", RestorePoint(CLOSED, 7)).circuit
    assert restored.state is CLOSED


def test_an_overridden_circuit_adds_no_open_duration_of_its_own() -> None:
    held = Circuit(OPEN, 5, open_until_ms=NOW + 900, override=OperatorOverride(OverrideMode.SHADOW, "why", "kim"))
    restored = rules.restore(held, T, NOW, "a", RestorePoint(OPEN, 7, 100)).circuit
    assert (restored.state, restored.open_until_ms - NOW) == (OPEN, 100)


@pytest.mark.parametrize("state", [CLOSED, HALF_OPEN])
def test_a_restore_point_that_is_not_open_adds_no_open_duration(state: CircuitState) -> None:
    restored = rules.restore(opened(), T, OPEN_UNTIL, "a", RestorePoint(state, OPEN_UNTIL, 9000)).circuit
    assert (restored.state, restored.open_until_ms - OPEN_UNTIL) == (OPEN, T.lease_ms)
