"""What a view reports: every outcome once, under the epoch that admitted it, stamped in the ledger's time."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.ledger.view.tallies import Cell, Epochs
from tests.ledger.views import CLOSED, OPEN, POLICY, OneView


def reported(view: OneView) -> Batch:
    """The next batch, acknowledged by the ledger."""
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    view.batch_acknowledged(batch)
    return batch


def counts(batch: Batch) -> Counts:
    return sum((tally.counts for tally in batch.tallies), Counts())


def test_outcomes_are_reported_once() -> None:
    view = OneView()
    view.succeeds(3)
    view.fails(1)
    assert counts(reported(view)) == Counts(3, 1)
    assert view.batch(view.ledger_ms) is None
    assert not view.has_report


def test_batches_are_numbered_in_order() -> None:
    view = OneView()
    numbers = []
    for _ in range(3):
        view.succeeds()
        numbers.append(reported(view).number)
    assert numbers == [1, 2, 3]


def test_a_batch_that_was_not_acknowledged_is_resent_unchanged() -> None:
    view = OneView()
    view.succeeds(3)
    first = view.batch(view.ledger_ms)
    view.succeeds(5)
    view.clock.advance(1)
    assert view.batch(view.ledger_ms) is first
    assert first is not None
    view.batch_acknowledged(first)
    assert counts(reported(view)) == Counts(5, 0)


def test_a_batch_that_has_become_too_old_to_count_is_dropped() -> None:
    view = OneView()
    view.succeeds(3)
    first = view.batch(view.ledger_ms)
    view.clock.advance(10.1)
    view.succeeds(5)
    second = reported(view)
    assert first is not None
    assert (second.number, counts(second)) == (2, Counts(5, 0))


def test_outcomes_are_stamped_in_the_ledgers_time() -> None:
    view = OneView()
    began_ms = view.ledger_ms
    view.succeeds()
    view.clock.advance(4)
    view.fails()
    first, second = reported(view).tallies
    assert first.at_ms == pytest.approx(began_ms, abs=1)
    assert second.at_ms == pytest.approx(began_ms + 4000, abs=1)


def test_outcomes_older_than_the_window_are_not_reported() -> None:
    view = OneView()
    view.succeeds()
    view.clock.advance(10.1)
    view.fails()
    assert counts(reported(view)) == Counts(0, 1)


def test_a_call_admitted_before_a_transition_counts_for_nothing_after_it() -> None:
    view = OneView()
    early = view.admitted()
    view.succeeds(2)
    view.receives(OPEN, 5, left_ms=100)
    view.receives(CLOSED, 6)
    assert not view.gate.failed(early, view.clock.now_s)
    view.gate.succeeded(early, view.clock.now_s)
    assert view.batch(view.ledger_ms) is None
    view.succeeds()
    batch = reported(view)
    assert (batch.tallies[0].epoch, counts(batch)) == (6, Counts(1, 0))


def test_throttling_is_reported_with_its_epoch_and_time() -> None:
    view = OneView()
    view.receives(CLOSED, 5)
    view.gate.throttled(view.admitted(), 30.0)
    at_ms = view.ledger_ms
    view.clock.advance(2)
    batch = reported(view)
    assert (batch.throttled_ms, batch.throttled_epoch) == (30_000, 5)
    assert batch.throttled_at_ms == pytest.approx(at_ms, abs=1)
    assert view.batch(view.ledger_ms) is None


def test_of_two_throttled_calls_the_longer_duration_is_reported() -> None:
    view = OneView()
    epochs = view.admitted()
    view.gate.throttled(epochs, 30.0)
    view.gate.throttled(epochs, 5.0)
    assert reported(view).throttled_ms == 30_000


def test_throttling_of_an_earlier_epoch_is_not_reported_as_new() -> None:
    view = OneView()
    early = view.admitted()
    view.gate.throttled(early, 60.0)
    view.receives(OPEN, 5, left_ms=100)
    view.receives(CLOSED, 6)
    view.gate.throttled(view.admitted(), 2.0)
    batch = reported(view)
    assert (batch.throttled_ms, batch.throttled_epoch) == (2000, 6)


def test_a_replica_that_sees_failures_reports_it() -> None:
    view = OneView()
    view.succeeds(3)
    assert not reported(view).failing
    view.fails(3)
    assert reported(view).failing


# ---- memory ---------------------------------------------------------------------------------------------------------


def cells(view: OneView) -> int:
    return len(view._counter.tallies.for_fleet) + len(view._counter.tallies.for_local)


@pytest.mark.parametrize("scope", ["fleet", "replica"])
def test_a_view_keeps_a_bounded_number_of_cells_however_long_the_ledger_is_unreachable(scope: str) -> None:
    view = OneView(CircuitPolicy(window_s=10.0, min_samples=10_000), scope=scope, away=scope == "fleet")
    for call in range(5000):
        view.gate.succeeded(view.admitted(), view.clock.now_s)
        if call % 7 == 0:
            view.fails()
        view.clock.advance(0.02)
    assert cells(view) <= 24


def test_a_view_with_a_long_window_also_keeps_a_bounded_number_of_cells() -> None:
    view = OneView(CircuitPolicy(window_s=3600.0, min_samples=1_000_000), away=True)
    for _ in range(3000):
        view.fails()
        view.succeeds(2)
        view.clock.advance(3)
    assert cells(view) <= 24


def test_a_circuit_of_scope_replica_keeps_nothing_for_a_ledger() -> None:
    view = OneView(scope="replica")
    view.succeeds(10)
    assert not view.has_report
    assert view.batch(view.ledger_ms) is None


def test_merging_cells_loses_no_count() -> None:
    view = OneView(CircuitPolicy(window_s=10.0, min_samples=10_000), away=True)
    for _ in range(90):
        view.succeeds(3)
        view.fails(1)
        view.clock.advance(0.1)
    assert counts(reported(view)) == Counts(270, 90)


# ---- threads --------------------------------------------------------------------------------------------------------


def test_many_threads_lose_no_count() -> None:
    view = OneView(CircuitPolicy(window_s=10.0, min_samples=1_000_000))

    def work() -> None:
        for call in range(2000):
            if call % 10:
                view.gate.succeeded(view.admitted(), view.clock.now_s)
            else:
                view.gate.failed(view.admitted(), view.clock.now_s)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    total = Counts()
    while any(thread.is_alive() for thread in threads):
        if (batch := view.batch(view.ledger_ms)) is not None:
            view.batch_acknowledged(batch)
            total += counts(batch)
    for thread in threads:
        thread.join()
    if (batch := view.batch(view.ledger_ms)) is not None:
        total += counts(batch)
    assert total == Counts(7200, 800)


class Struck:
    """A cell that is interrupted while counting by a signal handler that raises."""

    @property
    def epochs(self) -> Epochs:
        raise KeyboardInterrupt


def test_a_signal_handler_that_raises_while_a_call_is_counted_blocks_no_later_call() -> None:
    view = OneView()
    struck: Any = Struck()
    view._counter.tallies.cell = struck
    with pytest.raises(KeyboardInterrupt):
        view.succeeds()
    assert not view._lock.locked()


def test_the_first_call_of_a_bucket_is_counted_in_it() -> None:
    view = OneView(POLICY)
    view.clock.advance(0.95)
    view.succeeds()
    view.clock.advance(0.1)
    view.succeeds()
    assert len(reported(view).tallies) == 2


def test_a_merged_cell_contains_all_counts_of_both() -> None:
    cell, other = Cell(Epochs(0, 0), 0.0, 1.0), Cell(Epochs(0, 0), 1.0, 2.0)
    cell.ok, cell.failed, cell.slow = 1, 2, 3
    other.ok, other.failed, other.slow = 10, 20, 30
    cell.add(other)
    assert cell.counts == Counts(11, 22, 33)


def test_each_slow_call_is_counted_as_one() -> None:
    view = OneView(CircuitPolicy(slow_call_s=1.0))
    epochs, began_s = view.admitted(), view.clock.now_s
    view.clock.advance(2.0)
    for _ in range(3):
        view.gate.succeeded(epochs, began_s)
    assert counts(reported(view)) == Counts(3, 0, 3)


def test_a_success_from_before_the_fleet_opened_is_not_merged_with_later_ones() -> None:
    view = OneView()
    early = view.admitted()
    view.receives(CLOSED, 6)
    view.succeeds(2)
    view.gate.succeeded(early, view.clock.now_s)
    assert counts(reported(view)) == Counts(2, 0)


def test_throttling_while_an_operator_disables_the_breaker_is_not_counted() -> None:
    view = OneView()
    view.receives(CLOSED, 5, override=view.make_override(OverrideMode.DISABLED, 5000))
    assert not view.gate.throttled(view.admitted(), 30.0)
    view.clock.advance(5.1)
    view.admitted()


def test_a_throttled_replica_does_not_vote_as_failing() -> None:
    view = OneView(replace(POLICY, quorum=2))
    view.gate.throttled(view.admitted(), 30.0)
    assert view.local().state is OPEN
    assert not reported(view).failing
