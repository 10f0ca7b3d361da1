"""While half-open, a call may wait briefly for the ledger to grant it the probe."""

from __future__ import annotations

import asyncio

from ha_rag import CircuitPolicy, CircuitRegistry
from ha_rag.clock import ManualClock
from ha_rag.ledger.store.memory import MemoryLedger


async def test_admit_soon_waits_for_a_lease_request_that_admit_started():
    clock = ManualClock()
    ledger = MemoryLedger(clock)
    changed = asyncio.Event()
    async with CircuitRegistry(lambda: ledger, replica="a", clock=clock, sinks=[lambda _: changed.set()]) as circuits:
        breaker = circuits.breaker("service", CircuitPolicy(min_samples=1, recovery_timeout_s=10.0))
        first = breaker.admit()
        assert first.permit is not None
        first.permit.failed()
        await changed.wait()
        clock.advance(11.0)

        refused = breaker.admit()
        assert not refused.permitted
        waited = await breaker.admit_soon()
        assert waited.permit is not None
        assert waited.probe
        waited.permit.cancelled()
