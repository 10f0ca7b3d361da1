"""What a replica tells of a circuit that it closed by its own probes while Redis is unreachable."""

from __future__ import annotations

import pytest

from ha_rag.breaker.report import CLOSED_ALONE, CircuitReport, view_report
from ha_rag.outcomes import Outcome
from ha_rag.telemetry.metrics import Gauges, Metrics
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, OneView

OPEN_MS = 4000


def report(view: OneView) -> CircuitReport:
    return view_report(view, view.clock.now_s, 0)


@pytest.fixture
def view() -> OneView:
    """A circuit that was open when Redis went away."""
    view = OneView()
    view.receives(OPEN, 7, left_ms=OPEN_MS, reason="it failed")
    view.set_ledger_unreachable(True)
    return view


def test_while_the_open_duration_runs_it_is_open(view: OneView) -> None:
    assert (report(view).state, report(view).reason) == (OPEN, "it failed")


def test_when_it_is_over_it_is_half_open(view: OneView) -> None:
    view.clock.advance(OPEN_MS / 1000)
    told = report(view)
    assert told.state is HALF_OPEN
    assert told.here is not None
    assert told.here.state is HALF_OPEN


def closes_alone(view: OneView) -> None:
    view.clock.advance(OPEN_MS / 1000)
    view.settle_locally(view.probes(), Outcome.OK)


def test_once_its_own_probe_has_closed_it_it_is_closed_and_says_why(view: OneView) -> None:
    closes_alone(view)
    told = report(view)
    assert (told.state, told.here, told.recovers_in_s, told.reason) == (CLOSED, None, None, CLOSED_ALONE)


def test_the_metrics_say_so_too(view: OneView) -> None:
    metrics = Metrics()
    metrics.add_gauges(Gauges(circuits=lambda: [report(view)], shared_state=lambda: "local"))
    closes_alone(view)
    assert b'ha_rag_circuit_state{circuit="svc"} 0.0' in metrics.text()


def test_when_it_fails_again_it_is_open_here(view: OneView) -> None:
    closes_alone(view)
    view.clock.advance(view.policy.window_s)
    view.fails(view.policy.min_samples)
    told = report(view)
    assert told.here is not None
    assert (told.here.state, told.here.why) == (OPEN, "local")


def test_when_redis_is_back_the_fleet_s_state_is_told(view: OneView) -> None:
    closes_alone(view)
    view.set_ledger_unreachable(False)
    view.receives(HALF_OPEN, 7, reason="it failed")
    assert (report(view).state, report(view).reason) == (HALF_OPEN, "it failed")
