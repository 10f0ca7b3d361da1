"""Protocols for the breakers that tiers use. `ha_rag.breaker` implements them."""

from __future__ import annotations

from typing import Protocol

from ha_rag.breaker.outcome import Classify
from ha_rag.breaker.permit import Admission
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.sharing import Freshness, Scope


class Breaker(Protocol):
    """Guards one component."""

    @property
    def state(self) -> CircuitState:
        """The state that a call would find now. A memory read."""
        ...

    @property
    def shared_state(self) -> Freshness:
        """How current the cached shared state is: "fresh", "stale" or "local"."""
        ...

    def admit(self) -> Admission:
        """A permit to call, or a refusal. Never waits."""
        ...

    async def admit_soon(self) -> Admission:
        """Like `admit`, but while half-open it waits up to 50 ms to learn whether this call may be the probe."""
        ...


class BreakerSource(Protocol):
    """Creates breakers: one per name."""

    @property
    def replica(self) -> str: ...

    def breaker(
        self,
        name: str,
        policy: CircuitPolicy | None = None,
        *,
        scope: Scope = "fleet",
        timeout_s: float | None = None,
        classify: Classify | None = None,
    ) -> Breaker: ...
