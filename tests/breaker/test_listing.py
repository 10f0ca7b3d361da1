"""Listings of shared circuits: never less than is known after Redis lost its data; what calls meet while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import CircuitReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import CircuitOpenError
from tests.breaker.test_orders import Faulty
from tests.strategy.virtual_time import LoopClock, in_virtual_time

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
POLICY = CircuitPolicy(min_samples=2, recovery_timeout_s=20.0, window_s=10.0, probe_timeout_s=1.0)


async def _fails() -> None:
    raise ConnectionError("down")


async def fail(registry: CircuitRegistry, times: int = 3) -> None:
    for _ in range(times):
        with pytest.raises((ConnectionError, CircuitOpenError)):
            await registry.breaker("svc", POLICY).call(_fails)
        await asyncio.sleep(0.2)


async def listed(source: CircuitRegistry | FleetObserver) -> CircuitReport:
    return next(report for report in await source.circuits() if report.name == "svc")


def with_two(scenario: Callable[[Faulty, CircuitRegistry, CircuitRegistry], Awaitable[None]]) -> None:
    async def run() -> None:
        ledger = Faulty(LoopClock())
        one, other = (CircuitRegistry(lambda: ledger, replica=name, clock=LoopClock()) for name in "ab")
        async with one, other:
            one.breaker("svc", POLICY), other.breaker("svc", POLICY)
            await asyncio.sleep(1.5)
            await scenario(ledger, one, other)

    in_virtual_time(run)


def test_right_after_a_loss_every_replica_lists_what_it_knew():
    async def scenario(ledger: Faulty, one: CircuitRegistry, other: CircuitRegistry) -> None:
        await fail(one)
        before = await listed(other)
        assert before.state is OPEN
        for registry in (one, other):
            ledger.forget()
            found = await listed(registry)
            assert (found.state, found.epoch >= before.epoch, found.opened_by) == (OPEN, True, "a")
            await asyncio.sleep(2)

    with_two(scenario)


def test_right_after_a_loss_an_observer_and_a_replica_without_it_list_what_they_knew():
    async def scenario(ledger: Faulty, one: CircuitRegistry, _: CircuitRegistry) -> None:
        observer = FleetObserver(ledger, "eye", clock=LoopClock())
        async with CircuitRegistry(lambda: ledger, replica="c", clock=LoopClock()) as without:
            await fail(one)
            assert [(await listed(each)).state for each in (observer, without)] == [OPEN, OPEN]
            ledger.forget()
            assert [(await listed(each)).state for each in (observer, without)] == [OPEN, OPEN]
            await asyncio.sleep(8)
            assert [(await listed(each)).state for each in (observer, without)] == [OPEN, OPEN]

    with_two(scenario)


def test_with_redis_away_an_open_circuit_counts_down_and_is_then_half_open():
    async def scenario(ledger: Faulty, one: CircuitRegistry, other: CircuitRegistry) -> None:
        observer = FleetObserver(ledger, "eye", clock=LoopClock())
        await fail(one)
        assert (await listed(observer)).state is OPEN
        ledger.away = True
        await asyncio.sleep(5)
        for source in (other, observer):
            found = await listed(source)
            assert found.state is OPEN
            assert found.recovers_in_s is not None
            assert 12 < found.recovers_in_s < 15.5
        await asyncio.sleep(16)
        assert (await listed(observer)).state is HALF_OPEN
        found = await listed(other)
        assert (found.state, found.here and found.here.why) == (HALF_OPEN, "local")

    with_two(scenario)


def test_with_redis_away_a_circuit_that_this_replica_opened_is_listed_as_open():
    async def scenario(ledger: Faulty, one: CircuitRegistry, other: CircuitRegistry) -> None:
        ledger.away = True
        await asyncio.sleep(3)
        await fail(one)
        found = await listed(one)
        assert (found.state, found.opened_by, found.reason) == (OPEN, "a", "2 of 2 failed, 0 slow")
        assert found.recovers_in_s is not None
        assert 19 < found.recovers_in_s <= 20
        assert found.here is not None
        assert (found.here.state, found.here.why, found.here.recovers_in_s) == (OPEN, "local", found.recovers_in_s)
        assert (await listed(other)).state is CLOSED
        assert one.snapshot() == await one.circuits()

    with_two(scenario)


def test_an_override_of_a_shared_circuit_is_confirmed_by_the_other_replica():
    async def scenario(_: Faulty, one: CircuitRegistry, other: CircuitRegistry) -> None:
        assert (await one.override("svc", "open", reason="why", by="kim")).unconfirmed == 1
        await asyncio.sleep(1.5)
        assert [(await listed(each)).unconfirmed for each in (one, other)] == [0, 0]
        assert (await one.end_override("svc", by="kim")).unconfirmed is None

    with_two(scenario)
