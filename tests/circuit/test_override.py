"""override: an operator's override for all replicas, which never lasts beyond its end."""

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


def set_override(circuit: Circuit, mode: OverrideMode | None, for_ms: int | None = None, *, now: int = NOW) -> Decision:
    return rules.override(circuit, now, mode, "maintenance", "kim", for_ms)


@pytest.mark.parametrize("circuit", ANY, ids=STATES)
def test_forced_open_refuses_calls_and_grants_no_probe(circuit: Circuit) -> None:
    forced = set_override(circuit, OverrideMode.OPEN, now=OPEN_UNTIL + 400).circuit
    found = read(forced, T, OPEN_UNTIL + 10_000)
    assert (found.state, found.left_ms, found.opened_by) == (OPEN, UNKNOWN, "kim")
    assert not lease(forced, now=OPEN_UNTIL + 10_000).granted


@pytest.mark.parametrize("mode", ADMITTING)
@pytest.mark.parametrize("circuit", ANY, ids=STATES)
def test_other_overrides_close_the_circuit_from_any_state(circuit: Circuit, mode: OverrideMode) -> None:
    decision = set_override(circuit, mode)
    assert decision.circuit.state is CLOSED
    assert [(e.trigger, e.reason, e.by) for e in decision.events] == [("overridden", f"{mode}: maintenance", "kim")]


def test_after_a_forced_open_the_circuit_is_half_open_and_the_next_call_may_probe() -> None:
    forced = set_override(Circuit(), OverrideMode.OPEN, 100).circuit
    assert read(forced, T, NOW + 99).left_ms == 1
    assert read(forced, T, NOW + 100).state is HALF_OPEN
    decision = lease(forced, now=NOW + 100)
    assert (decision.granted, decision.circuit.override) == (True, None)
    assert [e.trigger for e in decision.events] == ["forced open ended", "probe granted"]


@pytest.mark.parametrize("mode", ADMITTING)
def test_after_other_overrides_the_circuit_is_closed_with_an_empty_window(mode: OverrideMode) -> None:
    overridden = set_override(opened(), mode, 100).circuit
    counted = report(overridden, failed=9, now=NOW + 50).circuit
    decision = report(counted, ok=1, now=NOW + 100)
    assert (decision.circuit.state, dict(decision.circuit.window), decision.circuit.override) == (CLOSED, {}, None)
    assert [(e.trigger, e.by) for e in decision.events] == [("override ended", "kim")]


def test_outcomes_admitted_under_an_override_do_not_count_after_it() -> None:
    overridden = set_override(Circuit(), OverrideMode.CLOSED, 100).circuit
    late = report(overridden, failed=9, epoch=overridden.epoch, now=NOW + 100).circuit
    assert (late.state, read(late, T, NOW + 100).counts) == (CLOSED, Counts())


def test_a_refused_lease_does_not_record_the_end_of_an_override() -> None:
    overridden = set_override(Circuit(), OverrideMode.SHADOW, 100).circuit
    assert lease(overridden, now=NOW + 100).circuit is overridden


def test_an_override_can_be_ended_once() -> None:
    overridden = set_override(Circuit(), OverrideMode.DISABLED).circuit
    ended = set_override(overridden, None)
    assert (ended.circuit.override, [e.trigger for e in ended.events]) == (None, ["override ended"])
    again = set_override(ended.circuit, None)
    assert (again.circuit is ended.circuit, again.publish) == (True, False)


def test_a_new_override_replaces_the_previous_one_and_its_end() -> None:
    overridden = set_override(set_override(Circuit(), OverrideMode.OPEN, 100).circuit, OverrideMode.SHADOW).circuit
    found = read(overridden, T, NOW + 100_000).override
    assert found is not None
    assert (found.mode, found.until_ms) == (OverrideMode.SHADOW, None)


@pytest.mark.parametrize("mode", list(OverrideMode))
def test_every_override_and_its_end_start_an_epoch(mode: OverrideMode) -> None:
    overridden = set_override(Circuit(), mode, 100).circuit
    ended = set_override(overridden, None, now=NOW + 100).circuit
    assert 0 < overridden.epoch < ended.epoch
