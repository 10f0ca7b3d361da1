"""The events and the `publish` flag of decisions. Each test kills a mutant that other tests did not notice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import WOULD_OPEN, RestorePoint
from ha_rag.circuit.state import Circuit, Counts, LastBatch, OperatorOverride, OverrideMode
from ha_rag.outcomes import Outcome
from tests.circuit.circuits import (
    CLOSED,
    NOW,
    OPEN,
    OPEN_UNTIL,
    half_open,
    lease,
    opened,
    pause_requested,
    report,
    settle,
    terms,
)

SOON = OPEN_UNTIL + 10


def forced(mode: OverrideMode, for_ms: int | None = None) -> Circuit:
    return rules.override(Circuit(), NOW, mode, "maintenance", "kim", for_ms).circuit


def test_shadow_mode_reports_who_would_have_opened_and_the_counts() -> None:
    decision = report(forced(OverrideMode.SHADOW), failed=3, by="b")
    (event,) = decision.events
    assert (event.trigger, event.by, event.counts) == (WOULD_OPEN, "b", Counts(0, 3, 0))
    assert event.reason == "3 of 3 failed, 0 slow"
    assert (event.before, event.after, event.previous_epoch) == (CLOSED, CLOSED, event.epoch)
    assert decision.circuit.would_open_at_ms == NOW + 500


def test_a_new_shadow_override_may_report_at_once() -> None:
    reported = report(forced(OverrideMode.SHADOW), failed=3).circuit
    assert rules.override(reported, NOW, OverrideMode.SHADOW, "again", "kim").circuit.would_open_at_ms == 0


def test_a_successful_probe_is_published_and_ends_the_wait_of_the_replica_that_failed() -> None:
    decision = settle(replace(half_open(), lost_by="b"), Outcome.OK, now=SOON)
    assert (decision.publish, decision.circuit.lost_by, decision.events) == (True, "", ())


def test_closing_reports_the_number_of_probes_and_the_replica() -> None:
    decision = settle(replace(half_open(), probe_successes=1), Outcome.OK, now=SOON, by="b")
    (event,) = decision.events
    assert (event.after, event.reason, event.by, decision.publish) == (CLOSED, "2 good probes", "b", True)


def test_a_slow_share_of_probes_at_the_threshold_fails() -> None:
    under = terms(slow_threshold=0.5)
    circuit = replace(half_open(under), probe_successes=1)
    assert settle(circuit, Outcome.SLOW, now=SOON, under=under).circuit.state is OPEN
    circuit = replace(half_open(under), probe_successes=2)
    assert settle(circuit, Outcome.SLOW, now=SOON, under=terms(slow_threshold=0.5, probe_successes=9)).events == ()


def test_a_failed_probe_reports_the_replica_and_the_outcome() -> None:
    decision = settle(half_open(), Outcome.TIMEOUT, now=SOON, by="b")
    (event,) = decision.events
    assert (event.after, event.reason, event.by) == (OPEN, "a probe ended timeout", "b")
    assert decision.circuit.opened_by == "b"


def test_a_failed_probe_short_of_the_quorum_is_published_and_votes_for_four_leases() -> None:
    under = terms(quorum=2)
    decision = settle(half_open(under), Outcome.FAILED, now=SOON, under=under)
    assert (decision.publish, decision.events) == (True, ())
    assert decision.circuit.voters == {"a": SOON + 4 * under.lease_ms}


@pytest.mark.parametrize(("left_ms", "opens"), [(0, False), (1, True)])
def test_a_vote_counts_until_it_expires(left_ms: int, opens: bool) -> None:
    under = terms(quorum=2)
    circuit = replace(half_open(under), voters={"b": SOON + left_ms})
    assert (settle(circuit, Outcome.FAILED, now=SOON, under=under).circuit.state is OPEN) is opens


def test_ending_an_expired_override_reports_its_expiry() -> None:
    decision = rules.override(forced(OverrideMode.OPEN, 10), NOW + 10, None, "done", "joe")
    (event,) = decision.events
    assert (event.reason, event.by, decision.publish) == ("the override expired", "kim", True)


def test_ending_no_override_reports_nothing() -> None:
    decision = rules.override(Circuit(), NOW, None, "done", "joe")
    assert (decision.events, decision.publish) == ((), False)


def test_an_override_and_its_end_report_who_and_why() -> None:
    overridden = rules.override(Circuit(), NOW, OverrideMode.OPEN, "maintenance", "kim", 500)
    override = overridden.circuit.override
    assert override is not None
    assert (override.reason, override.by, override.until_ms) == ("maintenance", "kim", NOW + 500)
    assert overridden.publish
    circuit = overridden.circuit
    assert (circuit.open_until_ms, circuit.opened_at_ms, circuit.opened_by) == (NOW, NOW, "kim")
    assert (overridden.events[0].reason, overridden.events[0].by) == ("open: maintenance", "kim")
    ended = rules.override(overridden.circuit, NOW + 1, None, "done", "joe")
    assert (ended.events[0].reason, ended.events[0].by, ended.publish) == ("done", "joe", True)


def test_a_restore_reports_the_replica_and_has_a_default_reason() -> None:
    decision = rules.restore(Circuit(), terms(), NOW, "b", RestorePoint(OPEN, NOW + 7, left_ms=50, opened_by="a"))
    (event,) = decision.events
    assert (event.reason, event.by, decision.publish) == ("the ledger had lost the circuit", "b", True)
    restored = decision.circuit
    assert (restored.opened_by, restored.opened_at_ms, restored.open_until_ms) == ("a", NOW, NOW + 50)
    assert restored.epoch == NOW + 8


def test_a_restore_reports_an_expired_override_first() -> None:
    decision = rules.restore(forced(OverrideMode.CLOSED, 10), terms(), NOW + 10, "b", RestorePoint(CLOSED, NOW + 99))
    assert [event.reason for event in decision.events] == ["the override expired", "the ledger had lost the circuit"]
    assert decision.circuit.override is None


def test_a_granted_probe_reports_the_replica() -> None:
    decision = lease(report(Circuit(), failed=3).circuit, now=OPEN_UNTIL, by="c")
    assert [(event.reason, event.by) for event in decision.events] == [("the recovery timeout is over", "c")]


def test_an_opening_reports_its_reason_and_resets_the_counts() -> None:
    decision = report(replace(Circuit(), probe_slow=3), failed=3)
    (event,) = decision.events
    assert (event.reason, event.by, decision.publish) == ("3 of 3 failed, 0 slow", "a", True)
    after = decision.circuit
    assert (after.opened_at_ms, after.changed_at_ms, after.probe_slow, after.epoch) == (NOW, NOW, 0, NOW)


def test_a_requested_pause_reports_its_length_and_is_no_vote_of_failures() -> None:
    assert pause_requested(Circuit(), 700).events[0].reason == "the service asked for a rest of 700 ms"
    under = terms(quorum=2)
    circuit = pause_requested(Circuit(), 700, under=under).circuit
    assert report(circuit, failed=3, by="b", failing=True, under=under).circuit.state is CLOSED


def test_a_grant_to_an_up_to_date_replica_is_published() -> None:
    circuit = opened()
    decision = lease(circuit, now=OPEN_UNTIL, known=circuit.epoch)
    assert (decision.granted, decision.publish) == (True, True)
    assert not lease(circuit, now=OPEN_UNTIL, known=circuit.epoch + 1).granted


def test_only_the_replica_whose_probe_failed_waits() -> None:
    circuit = replace(opened(), lost_by="a", lost_at_ms=OPEN_UNTIL)
    assert not lease(circuit, now=OPEN_UNTIL, by="a").granted
    assert lease(circuit, now=OPEN_UNTIL, by="b").granted


def test_only_every_hundredth_batch_prunes_replicas_that_stopped_reporting() -> None:
    circuit = replace(Circuit(), batches={"gone": LastBatch(1, NOW - 2000), "here": LastBatch(1, NOW - 1999)})
    assert set(report(circuit, ok=1, number=99).circuit.batches) == {"gone", "here", "a"}
    assert set(report(circuit, ok=1, number=100).circuit.batches) == {"here", "a"}


def test_a_restored_order_leaves_the_stored_circuit_closed() -> None:
    order = OperatorOverride(OverrideMode.OPEN, "why", "kim", None)
    restored = rules.restore(Circuit(), terms(), NOW, "b", RestorePoint(CLOSED, NOW + 7, override=order)).circuit
    assert (restored.state, restored.override) == (CLOSED, order)


@pytest.mark.parametrize("mode", list(OverrideMode))
def test_a_restored_override_applies_as_before(mode: OverrideMode) -> None:
    override = OperatorOverride(mode, "why", "kim", None)
    state = OPEN if mode is OverrideMode.OPEN else CLOSED
    restored = rules.restore(Circuit(), terms(), NOW, "b", RestorePoint(state, NOW + 7, override=override)).circuit
    assert restored.override == override
    assert restored.state is (OPEN if mode is OverrideMode.OPEN else CLOSED)
    assert restored.open_until_ms == (NOW if mode is OverrideMode.OPEN else 0)


def test_a_batch_that_does_not_count_still_reports_an_expired_override() -> None:
    circuit = forced(OverrideMode.OPEN, 10)
    assert [event.reason for event in report(circuit, ok=1, now=NOW + 10).events] == ["the override expired"]


def test_the_first_open_duration_has_no_jitter() -> None:
    assert report(Circuit(), failed=3, jitter=1.0).circuit.open_until_ms == NOW + 500


def test_a_repeated_lease_request_is_granted_again_as_one_lease() -> None:
    under = terms(probes=2)
    again = lease(half_open(under), now=OPEN_UNTIL + 1, token="t", under=under)
    assert again.granted
    assert list(again.circuit.leases) == ["t"]
