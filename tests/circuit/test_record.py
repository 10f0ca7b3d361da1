"""record: counts and evaluates only while closed, only outcomes of the current epoch, and each batch once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.snapshot import read
from ha_rag.circuit.state import Circuit, Counts, OverrideMode
from ha_rag.circuit.window import total
from ha_rag.outcomes import Outcome
from tests.circuit.circuits import CLOSED, NOW, OPEN, T, half_open, opened, pause_requested, report, settle, terms


def counted(circuit: Circuit, now: int = NOW) -> Counts:
    return total(circuit.window, now, T)


@pytest.mark.parametrize("circuit", [opened(), half_open()], ids=["open", "half_open"])
def test_a_circuit_that_is_not_closed_counts_nothing(circuit: Circuit) -> None:
    decision = report(circuit, failed=9, now=NOW + 600)
    assert decision.circuit is circuit
    assert not decision.events


def test_outcomes_of_the_current_epoch_are_added_to_the_window() -> None:
    circuit = report(report(Circuit(), ok=2).circuit, ok=1, slow=1).circuit
    assert counted(circuit) == Counts(3, 0, 1)


def test_a_repeated_batch_is_not_counted_again() -> None:
    once = report(Circuit(), ok=1, failed=1, number=7).circuit
    assert report(once, ok=1, failed=1, number=7).circuit is once


def test_a_batch_older_than_the_last_one_is_not_counted() -> None:
    circuit = report(Circuit(), ok=1, number=8).circuit
    assert report(circuit, failed=2, number=7).circuit is circuit


def test_batches_are_numbered_per_replica() -> None:
    circuit = report(report(Circuit(), ok=1, number=9, by="a").circuit, ok=1, number=1, by="b").circuit
    assert counted(circuit) == Counts(2)


@pytest.mark.parametrize("epoch", [-1, 1, NOW])
def test_an_outcome_of_another_epoch_is_not_counted(epoch: int) -> None:
    circuit = report(Circuit(), failed=9, epoch=epoch).circuit
    assert counted(circuit) == Counts()
    assert circuit.state is CLOSED


def test_each_outcome_is_added_to_the_bucket_of_its_own_time() -> None:
    batch = Batch("a", 1, (Tally(0, NOW, Counts(1)), Tally(0, NOW - 250, Counts(0, 1)), Tally(0, NOW - 250, Counts(1))))
    circuit = rules.record(Circuit(), T, NOW, batch).circuit
    assert dict(circuit.window) == {(100, NOW // 100): Counts(1), (100, (NOW - 250) // 100): Counts(1, 1)}


def test_an_outcome_older_than_the_window_is_dropped() -> None:
    assert counted(report(Circuit(), failed=9, at=NOW - 1000).circuit) == Counts()
    assert counted(report(Circuit(), ok=1, at=NOW - 999 + 99).circuit) == Counts(1)


def test_an_outcome_from_the_future_counts_as_now() -> None:
    circuit = report(Circuit(), ok=1, at=NOW + 5000).circuit
    assert list(circuit.window) == [(100, NOW // 100)]


def test_too_few_samples_do_not_open_at_any_rate() -> None:
    assert report(Circuit(), failed=2).circuit.state is CLOSED


def test_a_failure_rate_at_its_threshold_opens() -> None:
    decision = report(Circuit(), ok=2, failed=2)
    assert decision.circuit.state is OPEN
    assert [(e.before, e.after, e.counts) for e in decision.events] == [(CLOSED, OPEN, Counts(2, 2))]


def test_a_failure_rate_below_its_threshold_does_not_open() -> None:
    assert report(Circuit(), ok=3, failed=2).circuit.state is CLOSED


def test_a_slow_rate_at_its_threshold_opens_without_failures() -> None:
    assert report(Circuit(), ok=4, slow=2, under=terms(slow_threshold=0.5)).circuit.state is OPEN


def test_slow_calls_do_not_open_if_the_slow_rate_is_off() -> None:
    assert report(Circuit(), ok=9, slow=9).circuit.state is CLOSED


def test_failures_of_several_replicas_add_up() -> None:
    circuit = Circuit()
    for by in ("a", "b", "c"):
        circuit = report(circuit, failed=1, by=by).circuit
    assert circuit.state is OPEN


def test_with_a_quorum_of_two_one_failing_replica_does_not_open_the_circuit() -> None:
    circuit = Circuit()
    for _ in range(5):
        circuit = report(circuit, failed=9, failing=True, under=terms(quorum=2)).circuit
    assert circuit.state is CLOSED
    assert read(circuit, T, NOW).voters == ("a",)


def test_with_a_quorum_of_two_the_second_failing_replica_opens_the_circuit() -> None:
    assert opened(terms(quorum=2)).opened_by == "b"


def test_a_vote_is_withdrawn_after_recovery_and_expires_with_the_window() -> None:
    strict = terms(quorum=2)
    voted = report(Circuit(), failed=3, failing=True, under=strict).circuit
    assert not report(voted, ok=3, under=strict).circuit.voters
    later = NOW + strict.window_ms
    assert "a" not in report(voted, ok=1, by="b", now=later, under=strict).circuit.voters


def test_only_outcomes_of_the_current_epoch_make_a_vote() -> None:
    assert not report(Circuit(), failed=3, failing=True, epoch=5).circuit.voters


def test_the_open_duration_grows_with_each_opening_up_to_its_limit() -> None:
    assert opened().open_until_ms == NOW + 500
    open_ms = []
    for openings in range(1, 8):
        circuit = replace(Circuit(), open_count=openings, changed_at_ms=NOW)
        open_ms.append(report(circuit, failed=3).circuit.open_until_ms - NOW)
    assert open_ms == [1000, 2000, 4000, 4000, 4000, 4000, 4000]


def test_jitter_extends_a_grown_open_duration_by_at_most_a_tenth() -> None:
    circuit = replace(Circuit(), open_count=1, changed_at_ms=NOW)
    assert report(circuit, failed=3, jitter=0.5).circuit.open_until_ms == NOW + 1050


def test_jitter_also_extends_the_maximum_open_duration() -> None:
    circuit = Circuit(open_count=5, changed_at_ms=NOW)
    assert report(circuit, failed=3, jitter=0.5).circuit.open_until_ms == NOW + 4200


def test_after_a_whole_window_closed_the_open_duration_is_the_first_again() -> None:
    circuit = replace(Circuit(), open_count=5, changed_at_ms=NOW - 1000)
    again = report(circuit, failed=3).circuit
    assert (again.open_count, again.open_until_ms) == (1, NOW + 500)


def test_a_requested_pause_opens_at_once_without_backoff() -> None:
    circuit = pause_requested(Circuit(), 700).circuit
    assert (circuit.state, circuit.open_until_ms, circuit.open_count) == (OPEN, NOW + 700, 0)


def test_a_requested_pause_is_limited_by_the_policy() -> None:
    assert pause_requested(Circuit(), 60_000).circuit.open_until_ms == NOW + 2000


def test_a_pause_requested_in_another_epoch_is_ignored() -> None:
    assert pause_requested(Circuit(), 700, epoch=5).circuit.state is CLOSED


def test_a_pause_reported_late_is_shortened_by_the_delay() -> None:
    assert pause_requested(Circuit(), 700, at=NOW - 300).circuit.open_until_ms == NOW + 400


def test_a_pause_that_is_over_when_reported_opens_nothing() -> None:
    decision = pause_requested(Circuit(), 700, at=NOW - 30_000)
    assert (decision.circuit.state, dict(decision.circuit.voters)) == (CLOSED, {})


def test_with_a_quorum_of_two_a_pause_must_be_requested_from_two_replicas() -> None:
    strict = terms(quorum=2)
    first = pause_requested(Circuit(), 700, under=strict).circuit
    assert (first.state, read(first, strict, NOW).voters) == (CLOSED, ())
    assert pause_requested(first, 700, by="a", under=strict).circuit.state is CLOSED
    assert pause_requested(first, 700, by="b", under=strict).circuit.state is OPEN


def test_every_transition_empties_the_window_the_votes_and_the_successful_probes() -> None:
    counted_once = report(Circuit(), failed=1, failing=True).circuit
    circuit = report(counted_once, failed=2, failing=True).circuit
    assert (dict(circuit.window), dict(circuit.voters), dict(circuit.batches)) == ({}, {}, {})
    probed = settle(half_open(), Outcome.OK, now=NOW + 501).circuit
    assert probed.probe_successes == 1
    assert settle_again(probed).probe_successes == 0


def settle_again(circuit: Circuit) -> Circuit:
    again = rules.lease(circuit, T, NOW + 502, "a", 0, "u").circuit
    return settle(again, Outcome.OK, now=NOW + 503, token="u").circuit


def test_outcomes_of_calls_from_before_the_recovery_do_not_open_again() -> None:
    before = opened().epoch
    closed = settle_again(settle(half_open(), Outcome.OK, now=NOW + 501).circuit)
    assert closed.state is CLOSED
    assert report(closed, failed=9, epoch=0, now=NOW + 600).circuit.state is CLOSED
    assert report(closed, failed=9, epoch=before, now=NOW + 600).circuit.state is CLOSED


@pytest.mark.parametrize("mode", [OverrideMode.CLOSED, OverrideMode.SHADOW, OverrideMode.DISABLED])
def test_an_override_that_admits_calls_keeps_closed_and_only_disabled_does_not_count(mode: OverrideMode) -> None:
    circuit = rules.override(Circuit(), NOW, mode, "why", "kim").circuit
    after = report(circuit, failed=9).circuit
    assert after.state is CLOSED
    assert counted(after) == (Counts() if mode is OverrideMode.DISABLED else Counts(0, 9))


def test_shadow_mode_reports_an_opening_once_per_open_duration() -> None:
    circuit = rules.override(Circuit(), NOW, OverrideMode.SHADOW, "why", "kim").circuit
    reported = []
    for ms in (0, 100, 499, 500, 600):
        decision = report(circuit, failed=3, now=NOW + ms)
        circuit = decision.circuit
        reported += [(ms, e.trigger, e.previous_epoch == e.epoch) for e in decision.events]
    assert reported == [(0, rules.WOULD_OPEN, True), (500, rules.WOULD_OPEN, True)]


def test_batches_of_replicas_that_stopped_reporting_are_pruned_by_a_sweep() -> None:
    circuit = report(Circuit(), ok=1, by="gone").circuit
    later = NOW + 2 * T.window_ms
    assert "gone" in report(circuit, ok=1, by="b", number=rules.SWEEP_EVERY - 1, now=later).circuit.batches
    assert "gone" not in report(circuit, ok=1, by="b", number=rules.SWEEP_EVERY, now=later).circuit.batches
