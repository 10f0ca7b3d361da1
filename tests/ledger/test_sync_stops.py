"""A sync stops, even if its client mishandles a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.terms import Terms
from ha_rag.clock import SystemClock
from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.sync import Sync, sync
from ha_rag.ledger.sync.sync import STOP_S
from ha_rag.ledger.view.view import View
from tests.strategy.virtual_time import LoopClock, in_virtual_time
from tests.waiting import PATIENCE_S

POLICY = CircuitPolicy(min_samples=3, failure_threshold=0.5, recovery_timeout_s=30.0)


class Deaf(MemoryLedger):
    """Mistakes the first cancellation of a read for its own timeout, as a redis client was seen to do."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = asyncio.Event()
        self.stuck = False

    async def read(self, circuits):
        if not self.stuck:
            return await super().read(circuits)
        self.reading.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.stuck = False
            raise LedgerUnavailableError("no answer") from None
        raise AssertionError("unreachable")


async def test_a_cancellation_that_a_client_swallows_does_not_keep_a_replica_from_stopping():
    clock, ledger = SystemClock(), Deaf()
    sync = Sync(ledger, "a~1", clock)
    sync.add(View("service", CircuitPolicy(), replica="a~1", clock=clock))
    await sync.start()
    ledger.stuck = True
    await ledger.reading.wait()
    async with asyncio.timeout(PATIENCE_S):
        await sync.stop()


class SlowHeartbeatLedger(MemoryLedger):
    """Processes a heartbeat only when released; a sent heartbeat is processed even if its task is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.received, self.slow = asyncio.Event(), False
        self.may_note = asyncio.Event()
        self.noting: asyncio.Task[int] | None = None

    async def beat(self, incarnation, body, circuits, life_ms):
        self.received.set()
        self.noting = asyncio.create_task(self._note(incarnation, body, circuits, life_ms))
        return await asyncio.shield(self.noting)

    async def _note(self, incarnation, body, circuits, life_ms):
        if self.slow:
            await self.may_note.wait()
        return await super().beat(incarnation, body, circuits, life_ms)


async def test_a_heartbeat_in_flight_does_not_put_a_replica_that_has_left_back_on_the_list():
    ledger = SlowHeartbeatLedger()
    sync = Sync(ledger, "a~1", SystemClock())
    await sync.start()
    ledger.slow = True
    ledger.received.clear()
    await ledger.received.wait()
    stopping = asyncio.create_task(sync.stop())
    for _ in range(100):  # long enough to leave, if nothing is waited for
        await asyncio.sleep(0)
    ledger.may_note.set()
    await stopping
    assert ledger.noting is not None
    await ledger.noting
    assert await ledger.replicas() == []


class SlowRecordLedger(MemoryLedger):
    """Processes a report only when released."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def record(self, *received):
        self.asked.set()
        await self.may.wait()
        return await super().record(*received)


def fails(breaker: CircuitBreaker) -> None:
    permit = breaker.admit().permit
    assert permit is not None
    permit.failed()


async def samples(ledger: MemoryLedger) -> int:
    return (await ledger.read({"service": Terms.of(POLICY)}))["service"].snapshot.counts.samples


async def test_a_stopping_replica_reports_what_was_counted_during_its_last_report():
    ledger = SlowRecordLedger()
    async with CircuitRegistry(lambda: ledger, replica="a") as circuits:
        breaker = circuits.breaker("service", POLICY)
        async with asyncio.timeout(PATIENCE_S):
            while circuits.shared_state != "fresh":
                await asyncio.sleep(0)
        fails(breaker)
        await ledger.asked.wait()
        fails(breaker)
        asyncio.get_running_loop().call_later(0.05, ledger.may.set)
    assert await samples(ledger) == 2


async def test_a_replica_that_stops_before_the_first_reply_reports_what_it_counted(any_redis_url: str):
    async with CircuitRegistry.connect(any_redis_url, namespace="short", replica="a") as circuits:
        breaker = circuits.breaker("service", POLICY)
        for _ in range(POLICY.min_samples):
            fails(breaker)
    async with CircuitRegistry.connect(any_redis_url, namespace="short", replica="b") as circuits:
        circuits.breaker("service", POLICY)
        (service,) = await circuits.circuits()
    assert (service.state, service.opened_by) == ("open", "a")


class Silent(MemoryLedger):
    """Never answers `leave`."""

    async def leave(self, incarnation):
        await asyncio.Event().wait()


def test_a_stop_waits_half_a_second_at_most_for_an_unanswered_last_report(monkeypatch):
    monkeypatch.setattr(sync, "STOP_S", STOP_S)

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        sync = Sync(Silent(LoopClock()), "a~1", LoopClock())
        await sync.start()
        began_s = loop.time()
        await sync.stop()
        return loop.time() - began_s

    assert in_virtual_time(scenario) == pytest.approx(0.5)


class FailsOnClose(MemoryLedger):
    """Fails when it is closed."""

    async def aclose(self):
        raise LedgerUnavailableError("connection reset")


async def test_a_connection_that_fails_while_it_is_closed_is_still_closed():
    sync = Sync(FailsOnClose(), "a~1", SystemClock())
    await sync.start()
    await sync.stop()


async def test_a_circuit_used_after_its_registry_was_left_decides_locally_and_requests_no_lease():
    ledger = MemoryLedger()
    async with CircuitRegistry(lambda: ledger, replica="a") as circuits:
        breaker = circuits.breaker("service", POLICY)
    assert breaker.shared_state == "local"
    for _ in range(POLICY.min_samples):
        fails(breaker)
    assert breaker.state is CircuitState.OPEN
    assert await samples(ledger) == 0
