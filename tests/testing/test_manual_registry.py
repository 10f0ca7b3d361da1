"""ManualRegistry: the whole life of a circuit without Redis, waiting or chance."""

from __future__ import annotations

import pytest

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry, ServiceError
from ha_rag.events import CircuitChanged
from ha_rag.testing import ManualClock, ManualRegistry

POLICY = CircuitPolicy(min_samples=3, recovery_timeout_s=10.0, recovery_backoff=2.0, probe_successes=2)


async def down() -> None:
    raise ServiceError("down", status=500)


async def up() -> str:
    return "up"


async def test_a_circuit_opens_waits_probes_and_closes_at_exact_times() -> None:
    circuits = ManualRegistry()
    svc = circuits.breaker("svc", POLICY)
    for _ in range(3):
        with pytest.raises(ServiceError):
            await svc.call(down)
    with pytest.raises(CircuitOpenError) as refused:
        await svc.call(up)
    assert refused.value.retry_after_s == 10.0

    circuits.advance(9.999)
    assert svc.state == "open"
    circuits.advance(0.001)
    assert svc.state == "half_open"
    with pytest.raises(ServiceError):
        await svc.call(down)
    circuits.advance(19.999)
    assert svc.state == "open"
    circuits.advance(0.001)
    assert await svc.call(up) == "up"
    assert svc.state == "half_open"
    assert await svc.call(up) == "up"
    assert svc.state == "closed"

    states = [event.to_state for event in circuits.events if isinstance(event, CircuitChanged)]
    assert states == ["open", "open", "closed"]


def test_a_timeout_counts_although_no_loop_ran_while_the_clock_moved() -> None:
    with ManualRegistry() as circuits:
        svc = circuits.breaker("svc", POLICY, timeout_s=2.0)
        for _ in range(3):
            admission = svc.admit()
            assert admission.permit is not None
            circuits.advance(2.0)
            admission.permit.timed_out()
        assert svc.state == "open"


async def test_entering_and_leaving_starts_and_stops_nothing() -> None:
    circuits = ManualRegistry()
    async with circuits as entered, circuits:
        assert entered is circuits
        svc = circuits.breaker("svc", POLICY)
        circuits.advance(3600.0)
        assert await svc.call(up) == "up"
    assert await svc.call(up) == "up"
    assert (await circuits.circuits())[0].name == "svc"
    assert (await circuits.fleet()).replicas


async def test_overdue_calls_open_the_circuit_when_time_passes() -> None:
    circuits = ManualRegistry()
    svc = circuits.breaker("svc", CircuitPolicy(blip_s=0.5))
    for _ in range(200):
        svc.call_sync(circuits.advance, 0.001)
    held = []
    for _ in range(40):
        held.append(svc.admit())  # calls that do not end
        circuits.advance(0.1)
    assert svc.state == "open"
    assert held[0].permitted


def test_it_is_a_registry_with_a_manual_clock() -> None:
    circuits = ManualRegistry(replica="me")
    assert isinstance(circuits, CircuitRegistry)
    assert isinstance(circuits.clock, ManualClock)
    assert circuits.replica == "me"
    with pytest.raises(ValueError, match="at least 0"):
        circuits.advance(-1.0)


@pytest.mark.parametrize(("draw", "admitted"), [(0.0, True), (0.99, False)])
def test_chance_is_what_the_test_says(draw: float, admitted: bool) -> None:
    circuits = ManualRegistry(draw=lambda: draw)
    svc = circuits.breaker("svc", CircuitPolicy(min_samples=1, ramp_s=40.0, probe_successes=1))
    with pytest.raises(ServiceError):
        svc.call_sync(_fail)
    circuits.advance(12.0)
    svc.call_sync(int)
    circuits.advance(1.0)
    assert svc.admit().permitted is admitted


def _fail() -> None:
    raise ServiceError("down", status=500)
