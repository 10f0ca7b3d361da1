"""Calls in flight for longer than the service usually takes count as failed in the streak until they succeed."""

from __future__ import annotations

import math

import pytest

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.judge import Judge
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.recorder import Recorder
from ha_rag.circuit.latency import MIN_CALLS
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.view.in_flight import InFlight
from tests.ledger.views import OneView

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


class Calls:
    """A view of a circuit of scope replica, and permits for its calls."""

    def __init__(self, policy: CircuitPolicy = CircuitPolicy(), *, warm: bool = True) -> None:
        self.stalled = False
        self.view = OneView(policy, scope="replica", timeout_s=8.0, stalled=lambda _: self.stalled)
        self.clock = self.view.clock
        self.recorder = Recorder(self.view, FleetLink("r1", self.clock, ()), Judge())
        for _ in range(MIN_CALLS if warm else 0):
            permit = self.begins()
            self.clock.advance(0.01)
            permit.ok()
        self.view.tick()

    def begins(self) -> Permit:
        epochs = self.view.admitted()
        now = self.clock.now_s
        return Permit(self.recorder, epochs, now, self.view.gate.begin(now))

    def hang(self, count: int, every_s: float = 0.05) -> list[Permit]:
        """This many calls, one after the other, that do not end."""
        permits = []
        for _ in range(count):
            permits.append(self.begins())
            self.clock.advance(every_s)
        return permits

    @property
    def overdue(self) -> int:
        """As counted by the local breaker."""
        self.view.tick()
        return self.view._local_trip.breaker.circuit.streak.bad


def test_hanging_calls_open_the_circuit_long_before_their_timeout() -> None:
    calls = Calls()
    permits = []
    while calls.view.state() is CLOSED:
        permits += calls.hang(1)
        calls.view.tick()
    assert len(permits) <= 24  # at 20 calls a second: overdue after 0.25 s, and a blip of half a second
    assert "calls failed or hung within" in calls.view.local().reason


def test_overdue_calls_that_succeed_open_nothing() -> None:
    calls = Calls(CircuitPolicy(slow_call_s=0))
    for _ in range(10):
        permits = calls.hang(13, every_s=0.03)
        calls.view.tick()
        calls.clock.advance(0.3)
        for permit in permits:
            permit.ok()
        calls.view.tick()
    assert calls.view.state() is CLOSED
    assert calls.overdue == 0


def test_an_overdue_call_that_fails_is_counted_once() -> None:
    calls = Calls()
    permits = calls.hang(3)
    calls.clock.advance(1.0)
    assert calls.overdue == 3
    for permit in permits:
        permit.failed()
    assert calls.overdue == 3


@pytest.mark.parametrize("end", ["cancelled", "invalid"])
def test_an_overdue_call_without_a_countable_outcome_is_subtracted_again(end: str) -> None:
    calls = Calls()
    permits = calls.hang(2)
    calls.clock.advance(1.0)
    assert calls.overdue == 2
    getattr(permits[0], end)()
    assert calls.overdue == 1


def test_a_permit_that_is_dropped_unsettled_is_subtracted_again() -> None:
    calls = Calls()
    permits = calls.hang(2)
    calls.clock.advance(1.0)
    assert calls.overdue == 2
    del permits[0]
    assert calls.overdue == 1


def test_a_stream_that_has_begun_is_never_overdue() -> None:
    calls = Calls()
    permit = calls.begins()
    calls.clock.advance(0.2)
    permit.begun()
    calls.clock.advance(60.0)
    assert calls.overdue == 0
    assert str(permit.ok()) == "ok", "with slow_call_s = auto the time to its first chunk counts"


def test_a_fresh_circuit_does_not_count_calls_in_flight_as_overdue() -> None:
    calls = Calls(warm=False)
    calls.hang(50)
    calls.clock.advance(7.0)
    assert (calls.overdue, calls.view.state()) == (0, CLOSED)


def test_no_call_is_overdue_while_this_process_itself_was_stalled() -> None:
    calls = Calls()
    kept = calls.hang(50, every_s=0.0)
    calls.clock.advance(5.0)
    calls.stalled = True
    assert calls.overdue == 0
    assert len(kept) == 50


def test_a_call_that_began_before_a_transition_is_not_overdue_after_it() -> None:
    calls = Calls()
    before = calls.hang(1)
    calls.view.override_locally("closed", "why", "kim", None)  # type: ignore[arg-type]  # any transition will do
    calls.view.override_locally(None, "why", "kim", None)
    calls.clock.advance(5.0)
    assert calls.overdue == 0
    before[0].ok()
    assert calls.overdue == 0


def test_slow_calls_alone_open_a_circuit_in_a_brownout() -> None:
    calls = Calls()
    calls.clock.advance(1.0)
    for _ in range(14):
        permit = calls.begins()
        calls.clock.advance(2.0)
        permit.ok()
        if calls.view.state() is OPEN:
            break
    assert calls.view.state() is OPEN
    assert "slow" in calls.view.local().reason


def test_a_slow_call_while_this_process_was_stalled_does_not_count_against_the_service() -> None:
    calls = Calls()
    permit = calls.begins()
    calls.clock.advance(2.0)
    calls.stalled = True
    assert str(permit.ok()) == "ok"


def test_the_search_stops_at_the_first_call_that_is_not_overdue() -> None:
    calls = InFlight()
    for second in range(10):
        calls.begin(float(second))
    assert calls.newly_overdue(10.0, 5.5) == 5
    assert calls.newly_overdue(10.0, 5.5) == 0
    assert len(calls) == 10


def test_a_transition_clears_the_overdue_calls() -> None:
    calls = InFlight()
    number = calls.begin(0.0)
    assert calls.newly_overdue(10.0, 1.0) == 1
    calls.begin_epoch(10.0)
    assert calls.end(number) is False
    assert len(calls) == 0
    assert calls.newly_overdue(math.inf, 0.0) == 0


def test_slow_answers_of_a_brownout_do_not_lengthen_the_hold_after_it() -> None:
    calls = Calls(CircuitPolicy(slow_call_s=0))
    for _ in range(20):
        permit = calls.begins()
        calls.clock.advance(2.0)
        permit.ok()
        calls.view.tick()
    assert calls.view.gate._latency.overdue_after_s == 6.0
    assert calls.view._local_trip.hold_s == calls.view.policy.blip_s
