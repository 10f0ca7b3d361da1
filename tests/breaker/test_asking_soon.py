"""Half-open, a call may wait a moment for the ledger's word on whether it is the probe."""

from __future__ import annotations

import asyncio

from ha_rag import CircuitPolicy, CircuitRegistry
from ha_rag.clock import ManualClock
from ha_rag.ledger.store.memory import MemoryLedger


async def test_a_call_that_asked_in_passing_can_still_wait_for_the_answer():
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

        in_passing = breaker.admit()
        assert not in_passing.permitted
        waited = await breaker.admit_soon()
        assert waited.permit is not None
        assert waited.probe
        waited.permit.cancelled()
