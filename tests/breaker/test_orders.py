"""Overrides of circuits that each replica has for itself reach every replica, and listings say how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import CircuitReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import CircuitOpenError, LedgerUnavailableError, UnknownCircuitError
from ha_rag.events import CircuitChanged, Event, OverrideChanged
from ha_rag.ledger.store.memory import MemoryLedger
from tests.strategy.virtual_time import LoopClock, in_virtual_time

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
DISK = "retriever.primary"
POLICY = CircuitPolicy(min_samples=2, recovery_timeout_s=30.0)


class Fleet:
    """Replicas over one ledger, each with a circuit of its own called DISK."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.ledger = Faulty(LoopClock())
        self.replicas: dict[str, CircuitRegistry] = {}
        self.disks: dict[str, CircuitBreaker] = {}
        self.events: dict[str, list[Event]] = {}

    async def join(self, name: str) -> None:
        seen = self.events[name] = []
        registry = CircuitRegistry(lambda: self.ledger, replica=name, clock=LoopClock(), sinks=[seen.append])
        self.disks[name] = registry.breaker(DISK, POLICY, scope="replica")
        self.replicas[name] = await self._stack.enter_async_context(registry)

    def states(self) -> list[CircuitState]:
        return [disk.state for disk in self.disks.values()]

    async def reports(self) -> list[CircuitReport]:
        """The circuit as each replica lists it."""
        return [await listed(registry) for registry in self.replicas.values()]


class Faulty(MemoryLedger):
    """Can be unreachable, and lose its messages."""

    away = deaf = False

    def _apply(self, *args, **kwargs):
        if self.away:
            raise LedgerUnavailableError("nobody answers")
        return super()._apply(*args, **kwargs)

    async def read(self, circuits):
        if self.away:
            raise LedgerUnavailableError("nobody answers")
        return await super().read(circuits)

    async def change_log(self, cursor):
        if self.away:
            raise LedgerUnavailableError("nobody answers")
        return await super().change_log(cursor)

    async def replicas(self):
        if self.away:
            raise LedgerUnavailableError("nobody answers")
        return await super().replicas()

    def _push(self, change):
        if not self.deaf:
            super()._push(change)


async def listed(source: CircuitRegistry | FleetObserver) -> CircuitReport:
    return next(report for report in await source.circuits() if report.name == DISK)


@asynccontextmanager
async def fleet_of(*names: str) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        fleet = Fleet(stack)
        for name in names:
            await fleet.join(name)
        await asyncio.sleep(1.5)
        yield fleet


def with_fleet(scenario: Callable[[Fleet], Awaitable[None]]) -> None:
    async def run() -> None:
        async with fleet_of("a", "b", "c") as fleet:
            await scenario(fleet)

    in_virtual_time(run)


def test_an_order_given_to_one_replica_reaches_every_replica_at_once_and_ends_everywhere():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        await asyncio.sleep(0.05)
        assert fleet.states() == [OPEN] * 3
        with pytest.raises(CircuitOpenError):
            await fleet.disks["c"].call(asyncio.sleep, 0)
        await fleet.replicas["b"].end_override(DISK, by="kim")
        await asyncio.sleep(0.05)
        assert fleet.states() == [HALF_OPEN] * 3
        for disk in fleet.disks.values():
            await disk.call(asyncio.sleep, 0)
            await disk.call(asyncio.sleep, 0)
        assert fleet.states() == [CLOSED] * 3

    with_fleet(scenario)


@pytest.mark.parametrize("mode", ["closed", "disabled", "shadow"])
def test_every_mode_reaches_every_replica(mode):
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, mode, reason="why", by="kim")
        await asyncio.sleep(0.05)
        assert [disk.override and disk.override.mode for disk in fleet.disks.values()] == [mode] * 3
        for _ in range(9):
            with pytest.raises(ConnectionError):
                await fleet.disks["b"].call(_fails)
        assert fleet.states() == [CLOSED] * 3

    with_fleet(scenario)


async def _fails() -> None:
    raise ConnectionError("down")


def test_every_replica_lists_one_state_and_how_many_have_not_confirmed():
    async def scenario(fleet: Fleet) -> None:
        ordered = await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        assert (ordered.state, ordered.unconfirmed) == (OPEN, 2)
        assert [there.replica for there in ordered.differing] == ["b", "c"]
        await asyncio.sleep(1.5)
        for report in await fleet.reports():
            assert (report.state, report.scope, report.unconfirmed, report.differing) == (OPEN, "replica", 0, ())
            assert report.override is not None
            assert report.override.reason == "new disk"
        ended = await fleet.replicas["a"].end_override(DISK, by="kim")
        assert (ended.override, ended.unconfirmed) == (None, 2)
        await asyncio.sleep(1.5)
        assert [report.unconfirmed for report in await fleet.reports()] == [0, 0, 0]

    with_fleet(scenario)


def test_a_replica_that_missed_the_message_finds_the_order_by_polling():
    async def scenario(fleet: Fleet) -> None:
        fleet.ledger.deaf = True
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        await asyncio.sleep(1.2)
        assert fleet.states() == [OPEN] * 3
        await fleet.replicas["a"].end_override(DISK, by="kim")
        await asyncio.sleep(1.2)
        assert fleet.states() == [HALF_OPEN] * 3

    with_fleet(scenario)


def test_a_replica_that_joins_later_follows_the_order():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        await fleet.join("late")
        assert fleet.disks["late"].state is OPEN

    with_fleet(scenario)


def test_a_circuit_that_is_made_later_follows_the_order():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        async with CircuitRegistry(lambda: fleet.ledger, replica="d", clock=LoopClock()) as registry:
            disk = registry.breaker(DISK, POLICY, scope="replica")
            await asyncio.sleep(0.05)
            assert disk.state is OPEN

    with_fleet(scenario)


def test_a_lost_order_is_restored_and_no_listing_tells_less_meanwhile():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim", for_s=100)
        await asyncio.sleep(1.5)
        fleet.ledger.forget()
        for report in await fleet.reports():
            assert (report.state, report.override and report.override.mode) == (OPEN, "open")
        await asyncio.sleep(2.5)
        assert fleet.ledger.circuit(DISK).override is not None
        assert fleet.states() == [OPEN] * 3
        for events in fleet.events.values():
            assert len([event for event in events if isinstance(event, OverrideChanged)]) == 1
        override = (await fleet.reports())[0].override
        assert override is not None
        assert 94 < (override.left_s or 0) < 97

    with_fleet(scenario)


def test_an_ended_order_does_not_come_back_after_a_loss_from_a_replica_that_missed_its_end():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        await asyncio.sleep(1.5)
        await fleet.replicas["a"].end_override(DISK, by="kim")
        await asyncio.sleep(1.5)
        fleet.ledger.forget()
        await asyncio.sleep(2.5)
        assert fleet.ledger.circuit(DISK).epoch > 0
        assert fleet.ledger.circuit(DISK).override is None

    with_fleet(scenario)


def test_an_order_ends_by_itself_everywhere_and_its_end_is_one_event():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim", for_s=5)
        await asyncio.sleep(4.9)
        assert fleet.states() == [OPEN] * 3
        await asyncio.sleep(0.2)
        assert fleet.states() == [HALF_OPEN] * 3
        await asyncio.sleep(2)
        reasons = [event.reason for event in await fleet.ledger.events(DISK)]
        assert reasons == ["open: new disk", "the override expired"]
        for events in fleet.events.values():
            assert [event.mode for event in events if isinstance(event, OverrideChanged)] == ["open", None]

    with_fleet(scenario)


def test_an_order_is_no_change_of_state_in_events():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "closed", reason="why", by="kim")
        await fleet.replicas["a"].end_override(DISK, by="kim")
        await asyncio.sleep(1.5)
        assert not [e for events in fleet.events.values() for e in events if isinstance(e, CircuitChanged)]

    with_fleet(scenario)


def test_with_redis_away_an_order_is_refused_and_changes_nothing():
    async def scenario(fleet: Fleet) -> None:
        fleet.ledger.away = True
        with pytest.raises(LedgerUnavailableError):
            await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        assert fleet.states() == [CLOSED] * 3

    with_fleet(scenario)


def test_with_redis_away_an_order_stays_in_force_and_who_has_confirmed_is_unknown():
    async def scenario(fleet: Fleet) -> None:
        await fleet.replicas["a"].override(DISK, "open", reason="new disk", by="kim")
        await asyncio.sleep(1.5)
        fleet.ledger.away = True
        await asyncio.sleep(3)
        assert fleet.states() == [OPEN] * 3
        assert [(report.state, report.unconfirmed) for report in await fleet.reports()] == [(OPEN, None)] * 3

    with_fleet(scenario)


def test_a_replica_whose_own_circuit_is_open_follows_an_order_to_close():
    async def scenario(fleet: Fleet) -> None:
        for _ in range(3):
            with pytest.raises((ConnectionError, CircuitOpenError)):
                await fleet.disks["b"].call(_fails)
        assert fleet.states() == [CLOSED, OPEN, CLOSED]
        await asyncio.sleep(1.5)
        a, b, _ = await fleet.reports()
        assert (a.state, b.state) == (CLOSED, OPEN)
        assert [(there.replica, there.state) for there in a.differing] == [("b", OPEN)]
        assert [(there.replica, there.state) for there in b.differing] == [("a", CLOSED), ("c", CLOSED)]
        await fleet.replicas["a"].override(DISK, "closed", reason="it works", by="kim")
        await asyncio.sleep(0.05)
        assert fleet.states() == [CLOSED] * 3

    with_fleet(scenario)


def test_an_override_set_before_joining_ends_with_the_fleets_word():
    async def scenario(fleet: Fleet) -> None:
        registry = CircuitRegistry(lambda: fleet.ledger, replica="d", clock=LoopClock())
        disk = registry.breaker(DISK, POLICY, scope="replica")
        disk.override_here("open", reason="early", by="me")
        async with registry:
            assert disk.state is OPEN
            await registry.end_override(DISK, by="kim")
            assert disk.override is None

    with_fleet(scenario)


# ---- from outside of the fleet --------------------------------------------------------------------------------------


def test_an_observer_lists_and_orders_circuits_of_replicas():
    async def scenario(fleet: Fleet) -> None:
        observer = FleetObserver(fleet.ledger, "eye", clock=LoopClock())
        assert (await listed(observer)).scope == "replica"
        ordered = await observer.override(DISK, "open", reason="new disk", by="kim")
        assert (ordered.state, ordered.unconfirmed) == (OPEN, 3)
        await asyncio.sleep(1.5)
        assert fleet.states() == [OPEN] * 3
        report = await listed(observer)
        assert (report.state, report.unconfirmed, report.differing) == (OPEN, 0, ())
        assert (await observer.end_override(DISK, by="kim")).override is None

    with_fleet(scenario)


def test_a_replica_without_that_circuit_lists_and_orders_it():
    async def scenario(fleet: Fleet) -> None:
        async with CircuitRegistry(lambda: fleet.ledger, replica="d", clock=LoopClock()) as registry:
            assert (await listed(registry)).scope == "replica"
            await registry.override(DISK, "open", reason="new disk", by="kim")
            await asyncio.sleep(1.5)
            assert fleet.states() == [OPEN] * 3
            assert (await listed(registry)).unconfirmed == 0
            with pytest.raises(UnknownCircuitError):
                await registry.override("nobody.has.it", "open", reason="x", by="kim")

    with_fleet(scenario)
