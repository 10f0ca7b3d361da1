"""What a decision tells: who, why, and whether the others should look again. Each held here since a mutant got by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import WOULD_OPEN, RestorePoint
from ha_rag.circuit.state import Circuit, Counts, LastBatch, OperatorOverride, OverrideMode
from ha_rag.messages import Outcome
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


def test_shadow_tells_once_who_would_have_opened_it_and_from_what_counts() -> None:
    decision = report(forced(OverrideMode.SHADOW), failed=3, by="b")
    (event,) = decision.events
    assert (event.trigger, event.by, event.counts) == (WOULD_OPEN, "b", Counts(0, 3, 0))
    assert event.reason == "3 of 3 failed, 0 slow"
    assert (event.before, event.after, event.previous_epoch) == (CLOSED, CLOSED, event.epoch)
    assert decision.circuit.would_open_at_ms == NOW + 500


def test_a_new_word_of_an_operator_lets_shadow_tell_at_once() -> None:
    told = report(forced(OverrideMode.SHADOW), failed=3).circuit
    assert rules.override(told, NOW, OverrideMode.SHADOW, "again", "kim").circuit.would_open_at_ms == 0


def test_a_good_probe_frees_a_place_and_forgives_whoever_lost_one() -> None:
    decision = settle(replace(half_open(), lost_by="b"), Outcome.OK, now=SOON)
    assert (decision.publish, decision.circuit.lost_by, decision.events) == (True, "", ())


def test_the_last_good_probe_tells_how_many_and_whose() -> None:
    decision = settle(replace(half_open(), probe_successes=1), Outcome.OK, now=SOON, by="b")
    (event,) = decision.events
    assert (event.after, event.reason, event.by, decision.publish) == (CLOSED, "2 good probes", "b", True)


def test_slow_probes_at_the_very_threshold_are_not_bearable() -> None:
    under = terms(slow_threshold=0.5)
    circuit = replace(half_open(under), probe_successes=1)
    assert settle(circuit, Outcome.SLOW, now=SOON, under=under).circuit.state is OPEN
    circuit = replace(half_open(under), probe_successes=2)
    assert settle(circuit, Outcome.SLOW, now=SOON, under=terms(slow_threshold=0.5, probe_successes=9)).events == ()


def test_a_lost_probe_tells_whose_and_how_it_ended() -> None:
    decision = settle(half_open(), Outcome.TIMEOUT, now=SOON, by="b")
    (event,) = decision.events
    assert (event.after, event.reason, event.by) == (OPEN, "a probe ended timeout", "b")
    assert decision.circuit.opened_by == "b"


def test_a_lost_probe_short_of_the_quorum_tells_the_others_and_counts_for_four_leases() -> None:
    under = terms(quorum=2)
    decision = settle(half_open(under), Outcome.FAILED, now=SOON, under=under)
    assert (decision.publish, decision.events) == (True, ())
    assert decision.circuit.voters == {"a": SOON + 4 * under.lease_ms}


@pytest.mark.parametrize(("left_ms", "opens"), [(0, False), (1, True)])
def test_a_vote_counts_until_its_end_and_no_longer(left_ms: int, opens: bool) -> None:
    under = terms(quorum=2)
    circuit = replace(half_open(under), voters={"b": SOON + left_ms})
    assert (settle(circuit, Outcome.FAILED, now=SOON, under=under).circuit.state is OPEN) is opens


def test_ending_a_word_whose_time_is_up_tells_that_it_was() -> None:
    decision = rules.override(forced(OverrideMode.OPEN, 10), NOW + 10, None, "done", "joe")
    (event,) = decision.events
    assert (event.reason, event.by, decision.publish) == ("its time is up", "kim", True)


def test_ending_a_word_that_nobody_gave_tells_nothing() -> None:
    decision = rules.override(Circuit(), NOW, None, "done", "joe")
    assert (decision.events, decision.publish) == ((), False)


def test_an_operators_word_and_its_end_tell_who_and_why() -> None:
    said = rules.override(Circuit(), NOW, OverrideMode.OPEN, "maintenance", "kim", 500)
    word = said.circuit.override
    assert word is not None
    assert (word.reason, word.by, word.until_ms, said.publish) == ("maintenance", "kim", NOW + 500, True)
    assert (said.circuit.open_until_ms, said.circuit.opened_at_ms, said.circuit.opened_by) == (NOW, NOW, "kim")
    assert (said.events[0].reason, said.events[0].by) == ("open: maintenance", "kim")
    ended = rules.override(said.circuit, NOW + 1, None, "done", "joe")
    assert (ended.events[0].reason, ended.events[0].by, ended.publish) == ("done", "joe", True)


def test_a_ledger_that_was_taught_says_by_whom_and_has_a_reason_where_none_was_known() -> None:
    decision = rules.restore(Circuit(), terms(), NOW, "b", RestorePoint(OPEN, NOW + 7, left_ms=50, opened_by="a"))
    (event,) = decision.events
    assert (event.reason, event.by, decision.publish) == ("the ledger had lost its memory", "b", True)
    taught = decision.circuit
    assert (taught.opened_by, taught.opened_at_ms, taught.open_until_ms) == ("a", NOW, NOW + 50)
    assert taught.epoch == NOW + 8


def test_teaching_a_ledger_whose_word_was_over_tells_that_first() -> None:
    decision = rules.restore(forced(OverrideMode.CLOSED, 10), terms(), NOW + 10, "b", RestorePoint(CLOSED, NOW + 99))
    assert [event.reason for event in decision.events] == ["its time is up", "the ledger had lost its memory"]
    assert decision.circuit.override is None


def test_a_probe_that_is_granted_tells_who_asked() -> None:
    decision = lease(report(Circuit(), failed=3).circuit, now=OPEN_UNTIL, by="c")
    assert [(event.reason, event.by) for event in decision.events] == [("the rest is over", "c")]


def test_an_opening_tells_why_and_since_when_and_begins_anew() -> None:
    decision = report(replace(Circuit(), probe_slow=3), failed=3)
    (event,) = decision.events
    assert (event.reason, event.by, decision.publish) == ("3 of 3 failed, 0 slow", "a", True)
    after = decision.circuit
    assert (after.opened_at_ms, after.changed_at_ms, after.probe_slow, after.epoch) == (NOW, NOW, 0, NOW)


def test_a_rest_that_was_asked_for_is_told_with_its_length_and_is_no_vote_of_another_kind() -> None:
    assert pause_requested(Circuit(), 700).events[0].reason == "the service asked for a rest of 700 ms"
    under = terms(quorum=2)
    circuit = pause_requested(Circuit(), 700, under=under).circuit
    assert report(circuit, failed=3, by="b", failing=True, under=under).circuit.state is CLOSED


def test_whoever_knows_as_much_as_the_ledger_is_granted_a_probe_and_the_others_look_again() -> None:
    circuit = opened()
    decision = lease(circuit, now=OPEN_UNTIL, known=circuit.epoch)
    assert (decision.granted, decision.publish) == (True, True)
    assert not lease(circuit, now=OPEN_UNTIL, known=circuit.epoch + 1).granted


def test_whoever_lost_a_probe_waits_while_another_may_probe() -> None:
    circuit = replace(opened(), lost_by="a", lost_at_ms=OPEN_UNTIL)
    assert not lease(circuit, now=OPEN_UNTIL, by="a").granted
    assert lease(circuit, now=OPEN_UNTIL, by="b").granted


def test_the_gone_are_forgotten_with_every_hundredth_batch_and_with_no_other() -> None:
    circuit = replace(Circuit(), batches={"gone": LastBatch(1, NOW - 2000), "here": LastBatch(1, NOW - 1999)})
    assert set(report(circuit, ok=1, number=99).circuit.batches) == {"gone", "here", "a"}
    assert set(report(circuit, ok=1, number=100).circuit.batches) == {"here", "a"}


@pytest.mark.parametrize("mode", list(OverrideMode))
def test_a_word_that_is_taught_binds_as_it_did(mode: OverrideMode) -> None:
    word = OperatorOverride(mode, "why", "kim", None)
    taught = rules.restore(Circuit(), terms(), NOW, "b", RestorePoint(CLOSED, NOW + 7, override=word)).circuit
    assert taught.override == word
    assert taught.state is (OPEN if mode is OverrideMode.OPEN else CLOSED)
    assert taught.open_until_ms == (NOW if mode is OverrideMode.OPEN else 0)


def test_a_batch_that_counts_for_nothing_still_tells_that_a_words_time_was_up() -> None:
    circuit = forced(OverrideMode.OPEN, 10)
    assert [event.reason for event in report(circuit, ok=1, now=NOW + 10).events] == ["its time is up"]


def test_a_first_rest_is_as_long_as_it_was_set_whatever_the_jitter() -> None:
    assert report(Circuit(), failed=3, jitter=1.0).circuit.open_until_ms == NOW + 500


def test_a_request_for_a_probe_that_comes_twice_is_granted_again_and_stands_once() -> None:
    under = terms(probes=2)
    again = lease(half_open(under), now=OPEN_UNTIL + 1, token="t", under=under)
    assert again.granted
    assert list(again.circuit.leases) == ["t"]
