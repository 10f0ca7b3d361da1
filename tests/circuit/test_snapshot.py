"""How a circuit reads, at which moment, and what a replica that read it would teach."""

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


def test_a_circuit_that_nobody_has_used_reads_as_a_snapshot_of_nothing() -> None:
    assert read(Circuit(), T, NOW) == Snapshot(NOW)


def test_everything_that_is_known_is_told() -> None:
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
def test_a_rest_that_is_over_reads_as_half_open(after_ms: int, state: CircuitState, left_ms: int) -> None:
    found = read(opened(), T, NOW + after_ms)
    assert (found.state, found.left_ms, found.now_ms) == (state, left_ms, NOW + after_ms)


def test_only_what_is_open_has_a_rest() -> None:
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
def test_a_forced_open_lasts_as_long_as_its_word(
    for_ms: int | None, after_ms: int, state: CircuitState, left_ms: int
) -> None:
    found = read(forced(OverrideMode.OPEN, for_ms), T, NOW + after_ms)
    assert (found.state, found.left_ms) == (state, left_ms)


def test_a_rest_under_another_word_than_open_is_that_of_the_circuit() -> None:
    held = replace(opened(), override=OperatorOverride(OverrideMode.SHADOW, "why", "kim", NOW + 50))
    assert read(held, T, NOW).left_ms == 500


def test_a_word_is_told_until_its_time_is_up() -> None:
    circuit = forced(OverrideMode.CLOSED, 100)
    assert read(circuit, T, NOW + 99).override == OperatorOverride(OverrideMode.CLOSED, "maintenance", "kim", NOW + 100)
    assert read(circuit, T, NOW + 100).override is None


@pytest.mark.parametrize(("calm_ms", "open_count"), [(999, 3), (1000, 0), (1001, 0)])
def test_openings_are_forgiven_after_a_whole_window_closed(calm_ms: int, open_count: int) -> None:
    circuit = Circuit(open_count=3, changed_at_ms=NOW)
    assert read(circuit, T, NOW + calm_ms).open_count == open_count


def test_openings_are_not_forgiven_while_it_is_open() -> None:
    assert read(replace(opened(), open_count=3), T, NOW + 5000).open_count == 3


def test_what_has_left_the_window_is_not_counted() -> None:
    circuit = report(Circuit(), ok=2).circuit
    assert read(circuit, T, NOW + 900).counts == Counts(2, 0)
    assert read(circuit, T, NOW + 1000).counts == Counts()


def test_standing_tells_when_a_place_must_be_free_where_all_are_taken() -> None:
    two_more = {"spent": Lease(NOW + 100, 0), "over": Lease(NOW, 7)}
    two = replace(half_open(), leases={"t": Lease(NOW + 300, 7), "u": Lease(NOW + 200, 7), **two_more})
    assert read(two, terms(probes=1), NOW).slot_wait_ms == 200
    assert read(two, terms(probes=2), NOW).slot_wait_ms == 200
    assert read(two, terms(probes=3), NOW).slot_wait_ms == 0


def test_a_replica_waits_as_the_law_says_and_minus_one_stands_for_nobody_knows() -> None:
    assert wait_ms(opened(), T, NOW + 100, "a") == 400
    assert wait_ms(half_open(), T, OPEN_UNTIL, "b") == 300
    assert wait_ms(replace(half_open(), lost_by="a", lost_at_ms=OPEN_UNTIL), T, OPEN_UNTIL, "a") == 600
    assert wait_ms(Circuit(), T, NOW, "a") == UNKNOWN
    assert wait_ms(forced(OverrideMode.OPEN), T, NOW, "a") == UNKNOWN


def test_a_replica_teaches_what_it_read() -> None:
    word = OperatorOverride(OverrideMode.SHADOW, "why", "kim")
    known = Snapshot(NOW, OPEN, 7, 400, 2, "3 of 3 failed", "b")
    assert known.restore_point() == RestorePoint(OPEN, 7, 400, 2, "3 of 3 failed", "b")
    assert replace(known, override=word).restore_point() == RestorePoint(OPEN, 7, 0, 2, "3 of 3 failed", "b", word)


@pytest.mark.parametrize("state", [CLOSED, HALF_OPEN])
def test_a_rest_is_taught_of_what_is_open_only(state: CircuitState) -> None:
    assert Snapshot(NOW, state, 7, left_ms=400).restore_point().left_ms == 0


def test_a_closed_circuit_whose_old_rest_still_runs_is_taught_back_as_closed() -> None:
    """A good probe under a shorter lease than the rest may close it early; the ledger then forgets, and is taught."""
    closed = Circuit(state=CLOSED, epoch=5, open_until_ms=NOW + 400)
    taught = rules.restore(closed, T, NOW, "a", RestorePoint(CLOSED, 7)).circuit
    assert taught.state is CLOSED


def test_a_circuit_that_an_operator_holds_has_no_rest_of_its_own_to_bring_back() -> None:
    held = Circuit(OPEN, 5, open_until_ms=NOW + 900, override=OperatorOverride(OverrideMode.SHADOW, "why", "kim"))
    taught = rules.restore(held, T, NOW, "a", RestorePoint(OPEN, 7, 100)).circuit
    assert (taught.state, taught.open_until_ms - NOW) == (OPEN, 100)


@pytest.mark.parametrize("state", [CLOSED, HALF_OPEN])
def test_a_belief_that_is_not_open_brings_no_rest_with_it(state: CircuitState) -> None:
    taught = rules.restore(opened(), T, OPEN_UNTIL, "a", RestorePoint(state, OPEN_UNTIL, 9000)).circuit
    assert (taught.state, taught.open_until_ms - OPEN_UNTIL) == (OPEN, T.lease_ms)
