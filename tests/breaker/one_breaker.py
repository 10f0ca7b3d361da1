"""Helpers for breaker tests: a registry without Redis, a manual clock, and calls with fixed outcomes."""

from __future__ import annotations

import asyncio
from typing import Any

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.permit import Permit, Refusal
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState, Counts
from ha_rag.clock import ManualClock
from ha_rag.errors import ServiceError
from ha_rag.events import Event

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
DOWN = ServiceError("down", status=500)

POLICY = CircuitPolicy(min_samples=4, window_s=10.0, recovery_timeout_s=10.0, probe_successes=1)


class OneBreaker:
    """A registry without Redis and one breaker of it. `clock` moves only when a test advances it."""

    def __init__(self, policy: CircuitPolicy = POLICY, **settings: Any) -> None:
        self.clock = ManualClock()
        self.events: list[Event] = []
        self.registry = CircuitRegistry.connect(replica="r1", clock=self.clock, sinks=[self.events.append])
        self.breaker: CircuitBreaker = self.registry.breaker("svc", policy, **settings)

    @property
    def counts(self) -> Counts:
        """Everything counted so far, including what has not reached the window yet."""
        view = self.breaker._view
        with view._lock:
            view.gate.evaluate(self.clock.now_s)
        return view.local().counts

    def permit(self) -> Permit:
        admission = self.breaker.admit()
        assert isinstance(admission, Permit), admission
        return admission

    def refusal(self) -> Refusal:
        admission = self.breaker.admit()
        assert isinstance(admission, Refusal), admission
        return admission

    def fails(self, times: int) -> None:
        for _ in range(times):
            self.permit().failed()

    def opens(self) -> None:
        while self.breaker.state is not OPEN:
            self.fails(1)

    def half_opens(self) -> None:
        self.opens()
        self.clock.advance(10.1)
        assert self.breaker.state is HALF_OPEN


async def fine() -> str:
    return "fine"


async def down() -> str:
    raise DOWN


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


async def run_other_tasks() -> None:
    """Runs every other task until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)
