"""Boundary cases of restoring a ledger that fell back to an old copy. Each kills a mutant of the Lua."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ha_rag.circuit.rules import Batch, RestorePoint, Tally
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, Counts, OperatorOverride, OverrideMode
from tests.ledger.bench import Bench, terms

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
NAME = "generator.primary"


async def opened(bench: Bench) -> int:
    """Opens the circuit for 500 ms; returns its epoch."""
    batch = Batch("a", 1, (Tally(0, bench.now_ms, Counts(0, 3)),), failing=True)
    return (await bench.ledger.record(NAME, terms(), batch, 0.0)).snapshot.epoch


async def restored(bench: Bench, point: RestorePoint) -> Snapshot:
    return (await bench.ledger.restore(NAME, terms(), "a", point)).snapshot


async def test_the_longer_of_two_running_open_durations_wins_on_either_side(bench: Bench) -> None:
    epoch = await opened(bench)
    await bench.advance(100)
    known = await restored(bench, RestorePoint(OPEN, epoch + 10, 50))
    assert (known.state, known.left_ms) == (OPEN, 400)
    assert (await restored(bench, RestorePoint(OPEN, known.epoch + 10, 450))).left_ms == 450


async def test_when_the_ledgers_open_duration_is_over_no_probe_is_granted_for_one_lease(bench: Bench) -> None:
    epoch = await opened(bench)
    await bench.advance(500)
    known = await restored(bench, RestorePoint(CLOSED, epoch + 1000))
    assert (known.state, known.left_ms) == (OPEN, 300)


async def test_an_override_that_expired_after_the_copy_was_made_is_not_restored(bench: Bench) -> None:
    await bench.ledger.override(NAME, terms(), OverrideMode.SHADOW, "why", "kim", None)
    await bench.copy()
    ended = await bench.ledger.override(NAME, terms(), None, "done", "kim", None)
    await bench.fall_back()
    known = await restored(bench, ended.snapshot.restore_point())
    assert (known.state, known.override) == (CLOSED, None)
    assert (await bench.ledger.read({NAME: terms()}))[NAME].snapshot == known


async def test_a_restored_forced_open_holds_until_its_end_and_then_needs_a_probe(bench: Bench) -> None:
    override = OperatorOverride(OverrideMode.OPEN, "why", "kim", bench.now_ms + 100)
    known = await restored(bench, RestorePoint(OPEN, bench.now_ms, 0, override=override))
    assert (known.state, known.left_ms, known.override) == (OPEN, 100, override)
    await bench.advance(100)
    assert (await bench.ledger.read({NAME: terms()}))[NAME].snapshot.state is HALF_OPEN


async def test_an_override_that_expires_in_the_same_millisecond_is_not_restored(bench: Bench) -> None:
    override = OperatorOverride(OverrideMode.SHADOW, "why", "kim", bench.now_ms)
    known = await restored(bench, RestorePoint(OPEN, bench.now_ms, 0, override=override))
    assert (known.state, known.left_ms, known.override) == (OPEN, 300, None)


async def restored_by_one_that_lagged(bench: Bench) -> tuple[RestorePoint, Snapshot]:
    """The ledger loses an opening, and is restored by a replica that did not know of it. Returns what another replica
    knows 100 ms after the opening, and the ledger's state.
    """
    batch = Batch("a", 1, (Tally(0, bench.now_ms, Counts(0, 3)),), failing=True)
    opening = (await bench.ledger.record(NAME, terms(), batch, 0.0)).snapshot
    await bench.advance(100)
    await bench.forget()
    known = await restored(bench, RestorePoint(CLOSED, opening.epoch - 1))
    assert (known.state, known.missed) == (CLOSED, (opening.epoch - 1, known.epoch))
    return replace(opening.restore_point(), left_ms=400), known


async def test_a_first_restore_from_an_outdated_replica_does_not_end_an_open_duration_known_to_another(
    bench: Bench,
) -> None:
    opening, first_restore = await restored_by_one_that_lagged(bench)
    await bench.advance(200)
    known = await restored(bench, replace(opening, left_ms=200))
    assert (known.state, known.left_ms, known.reason) == (OPEN, 200, "3 of 3 failed, 0 slow")
    assert known.epoch > first_restore.epoch
    assert known.missed == (opening.epoch, first_restore.epoch)
    again = await restored(bench, replace(opening, left_ms=200))
    assert again == known


async def test_one_lease_after_the_first_restore_nothing_is_added_to_it(bench: Bench) -> None:
    opening, first_restore = await restored_by_one_that_lagged(bench)
    await bench.advance(terms().lease_ms - 1)
    assert (await bench.ledger.read({NAME: terms()}))[NAME].snapshot.missed == first_restore.missed
    await bench.advance(1)
    known = await restored(bench, opening)
    assert (known.state, known.epoch, known.missed) == (CLOSED, first_restore.epoch, (0, 0))


async def test_a_circuit_that_changed_after_a_restore_is_not_restored_again(bench: Bench) -> None:
    opening, first_restore = await restored_by_one_that_lagged(bench)
    batch = Batch("b", 1, (Tally(first_restore.epoch, bench.now_ms, Counts(0, 3)),), failing=True)
    opened_anew = (await bench.ledger.record(NAME, terms(), batch, 0.0)).snapshot
    assert (opened_anew.state, opened_anew.missed) == (OPEN, (0, 0))
    assert await restored(bench, replace(opening, left_ms=4000)) == opened_anew


@pytest.mark.parametrize("fact", [{"changed_at_ms": 7}, {"reason": "another"}, {"opened_by": "another"}])
async def test_a_difference_in_one_field_makes_two_transitions_of_one_epoch_conflict(
    bench: Bench, fact: dict[str, Any]
) -> None:
    epoch = await opened(bench)
    same = (await bench.ledger.read({NAME: terms()}))[NAME].snapshot.restore_point()
    assert (await restored(bench, same)).epoch == epoch
    assert (await restored(bench, replace(same, **fact))).epoch > epoch
