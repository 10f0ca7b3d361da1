"""override: an operator's word for everybody; it never survives its deadline."""

from __future__ import annotations

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import Decision
from ha_rag.circuit.snapshot import UNKNOWN, read
from ha_rag.circuit.state import Circuit, Counts, OverrideMode
from tests.circuit.circuits import CLOSED, HALF_OPEN, NOW, OPEN, OPEN_UNTIL, T, half_open, lease, opened, report

ADMITTING = [OverrideMode.CLOSED, OverrideMode.DISABLED, OverrideMode.SHADOW]
ANY = [Circuit(), opened(), half_open()]
STATES = ["closed", "open", "half_open"]


def say(circuit: Circuit, mode: OverrideMode | None, for_ms: int | None = None, *, now: int = NOW) -> Decision:
    return rules.override(circuit, now, mode, "maintenance", "kim", for_ms)


@pytest.mark.parametrize("circuit", ANY, ids=STATES)
def test_forced_open_refuses_everybody_and_grants_no_probe(circuit: Circuit) -> None:
    forced = say(circuit, OverrideMode.OPEN, now=OPEN_UNTIL + 400).circuit
    found = read(forced, T, OPEN_UNTIL + 10_000)
    assert (found.state, found.left_ms, found.opened_by) == (OPEN, UNKNOWN, "kim")
    assert not lease(forced, now=OPEN_UNTIL + 10_000).granted


@pytest.mark.parametrize("mode", ADMITTING)
@pytest.mark.parametrize("circuit", ANY, ids=STATES)
def test_the_other_words_admit_calls_whatever_the_circuit_was(circuit: Circuit, mode: OverrideMode) -> None:
    decision = say(circuit, mode)
    assert decision.circuit.state is CLOSED
    assert [(e.trigger, e.reason, e.by) for e in decision.events] == [("overridden", f"{mode}: maintenance", "kim")]


def test_a_forced_open_that_ended_reads_as_half_open_and_lets_the_next_call_probe() -> None:
    forced = say(Circuit(), OverrideMode.OPEN, 100).circuit
    assert read(forced, T, NOW + 99).left_ms == 1
    assert read(forced, T, NOW + 100).state is HALF_OPEN
    decision = lease(forced, now=NOW + 100)
    assert (decision.granted, decision.circuit.override) == (True, None)
    assert [e.trigger for e in decision.events] == ["forced open ended", "probe granted"]


@pytest.mark.parametrize("mode", ADMITTING)
def test_after_the_other_words_the_circuit_is_closed_with_an_empty_window(mode: OverrideMode) -> None:
    told = say(opened(), mode, 100).circuit
    counted = report(told, failed=9, now=NOW + 50).circuit
    decision = report(counted, ok=1, now=NOW + 100)
    assert (decision.circuit.state, dict(decision.circuit.window), decision.circuit.override) == (CLOSED, {}, None)
    assert [(e.trigger, e.by) for e in decision.events] == [("override ended", "kim")]


def test_outcomes_admitted_under_a_word_decide_nothing_after_it() -> None:
    told = say(Circuit(), OverrideMode.CLOSED, 100).circuit
    late = report(told, failed=9, epoch=told.epoch, now=NOW + 100).circuit
    assert (late.state, read(late, T, NOW + 100).counts) == (CLOSED, Counts())


def test_a_refused_lease_does_not_write_the_end_of_a_word() -> None:
    told = say(Circuit(), OverrideMode.SHADOW, 100).circuit
    assert lease(told, now=NOW + 100).circuit is told


def test_a_word_can_be_taken_back_and_taking_back_none_changes_nothing() -> None:
    told = say(Circuit(), OverrideMode.DISABLED).circuit
    ended = say(told, None)
    assert (ended.circuit.override, [e.trigger for e in ended.events]) == (None, ["override ended"])
    again = say(ended.circuit, None)
    assert (again.circuit is ended.circuit, again.publish) == (True, False)


def test_a_new_word_replaces_the_one_before_and_its_deadline() -> None:
    told = say(say(Circuit(), OverrideMode.OPEN, 100).circuit, OverrideMode.SHADOW).circuit
    found = read(told, T, NOW + 100_000).override
    assert found is not None
    assert (found.mode, found.until_ms) == (OverrideMode.SHADOW, None)


@pytest.mark.parametrize("mode", list(OverrideMode))
def test_every_word_and_every_end_of_one_mints_an_epoch(mode: OverrideMode) -> None:
    told = say(Circuit(), mode, 100).circuit
    ended = say(told, None, now=NOW + 100).circuit
    assert 0 < told.epoch < ended.epoch
