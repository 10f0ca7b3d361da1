"""Which calls a closed circuit admits during a ramp or while shedding."""

from __future__ import annotations

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.ledger.view.refused import Refused
from ha_rag.outcomes import Outcome
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, OneView

BROWNOUT = Counts(80, 20)
"""12 of 101 are shed."""


def just_closed(policy: CircuitPolicy, lot: float, counts: Counts = Counts(), ago_ms: int = 0) -> OneView:
    view = OneView(policy, draw=lambda: lot)
    view.receives(HALF_OPEN, 5)
    view.receives(CLOSED, 7, changed_at_ms=view.ledger_ms - ago_ms, counts=counts)
    return view


def passes(view: OneView) -> bool:
    return not isinstance(view.gate.admit(), Refused)


@pytest.mark.parametrize(("lot", "in_time"), [(0.0999, True), (0.1, False), (0.9, False)])
def test_in_the_first_quarter_of_the_ramp_one_call_in_ten_passes(lot: float, *, in_time: bool) -> None:
    assert passes(just_closed(CircuitPolicy(ramp_s=8), lot)) is in_time


@pytest.mark.parametrize(("ago_ms", "lot"), [(0, 0.09), (2000, 0.24), (4000, 0.49), (6000, 0.99)])
def test_the_ramp_begins_at_the_closing_even_if_the_replica_learns_of_it_late(ago_ms: int, lot: float) -> None:
    assert passes(just_closed(CircuitPolicy(ramp_s=8), lot, ago_ms=ago_ms))
    if ago_ms < 6000:
        assert not passes(just_closed(CircuitPolicy(ramp_s=8), lot + 0.02, ago_ms=ago_ms))


def test_a_circuit_that_was_never_open_has_no_ramp() -> None:
    view = OneView(CircuitPolicy(ramp_s=8), draw=lambda: 0.999)
    view.receives(CLOSED, 0)
    assert passes(view)


def test_an_override_that_ends_on_a_closed_circuit_starts_no_ramp() -> None:
    view = OneView(CircuitPolicy(ramp_s=8), draw=lambda: 0.999)
    view.receives(CLOSED, 0)
    view.receives(CLOSED, 5, changed_at_ms=view.ledger_ms, override=view.make_override(OverrideMode.SHADOW))
    view.receives(CLOSED, 7, changed_at_ms=view.ledger_ms)
    assert passes(view)


def test_a_circuit_that_an_operator_closed_has_no_ramp_when_the_override_ends() -> None:
    view = OneView(CircuitPolicy(ramp_s=8), draw=lambda: 0.999)
    view.receives(OPEN, 5, left_ms=9000, open_count=1)
    view.receives(
        CLOSED, 7, changed_at_ms=view.ledger_ms, open_count=1, override=view.make_override(OverrideMode.CLOSED)
    )
    view.receives(CLOSED, 9, changed_at_ms=view.ledger_ms, open_count=1)
    assert passes(view)


def test_restoring_a_closed_circuit_neither_restarts_nor_ends_a_ramp() -> None:
    calm = OneView(CircuitPolicy(ramp_s=8), draw=lambda: 0.999)
    calm.receives(CLOSED, 5, changed_at_ms=calm.ledger_ms - 60_000)
    calm.receives(CLOSED, 7, changed_at_ms=calm.ledger_ms)
    assert passes(calm)

    ramping = just_closed(CircuitPolicy(ramp_s=8), 0.3)
    ramping.clock.advance(3.0)
    ramping.receives(CLOSED, 9, changed_at_ms=ramping.ledger_ms)
    assert not passes(ramping)
    ramping.clock.advance(1.0)
    assert passes(ramping)


def test_a_closing_whose_opening_was_missed_still_has_its_ramp() -> None:
    view = OneView(CircuitPolicy(ramp_s=8), draw=lambda: 0.5)
    view.receives(CLOSED, 5, changed_at_ms=view.ledger_ms - 60_000)
    view.receives(CLOSED, 9, changed_at_ms=view.ledger_ms, open_count=1)
    assert not passes(view)


@pytest.mark.parametrize(("lot", "in_time"), [(0.88, True), (0.89, False)])
def test_in_a_brownout_the_share_that_the_service_would_fail_is_shed(lot: float, *, in_time: bool) -> None:
    assert passes(just_closed(CircuitPolicy(shed=True), lot, BROWNOUT)) is in_time


@pytest.mark.parametrize(("lot", "in_time"), [(0.088, True), (0.089, False), (0.5, False)])
def test_during_a_ramp_in_a_brownout_both_limits_apply(lot: float, *, in_time: bool) -> None:
    assert passes(just_closed(CircuitPolicy(ramp_s=8, shed=True), lot, BROWNOUT)) is in_time


def test_a_shed_call_reports_the_circuit_as_closed() -> None:
    refused = just_closed(CircuitPolicy(ramp_s=8), 0.5).refused()
    assert (refused.state, refused.retry_after_s, refused.ask) == (CLOSED, None, False)


def test_after_the_ramp_all_calls_pass_without_a_random_draw() -> None:
    view = just_closed(CircuitPolicy(ramp_s=8), 0.999)
    view.clock.advance(8.1)
    view.tick()
    assert view.gate.passing is not None


def test_a_probe_that_ends_after_another_one_closed_the_circuit_does_not_restart_its_ramp() -> None:
    policy = CircuitPolicy(min_samples=4, recovery_timeout_s=10.0, probes=2, probe_successes=1, ramp_s=8)
    view = OneView(policy, scope="replica", draw=lambda: 0.3)
    view.fails(4)
    view.clock.advance(12.0)
    first, late = view.probes(), view.probes()
    view.settle_locally(first, Outcome.OK)
    view.clock.advance(3.0)
    view.settle_locally(late, Outcome.OK)
    assert not passes(view)
    view.clock.advance(1.0)
    assert passes(view)
