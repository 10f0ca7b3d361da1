"""What a tier needs of its circuit. `ha_rag.breaker` provides it; anything of this shape will do."""

from __future__ import annotations

from typing import Protocol

from ha_rag.breaker.permit import Admission
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.sharing import Freshness, Scope


class Breaker(Protocol):
    """The guard of one component."""

    @property
    def state(self) -> CircuitState:
        """What a call would meet now: a memory read."""
        ...

    @property
    def shared_state(self) -> Freshness:
        """How current the fleet's circuit is here: "fresh", "stale" or "local"."""
        ...

    def admit(self) -> Admission:
        """Never waits."""
        ...

    async def admit_soon(self) -> Admission:
        """Like `admit`, but where the circuit is half-open it waits up to 50 ms for a probe's grant."""
        ...


class BreakerSource(Protocol):
    """Where breakers come from. One name, one breaker."""

    @property
    def replica(self) -> str: ...

    def breaker(
        self,
        name: str,
        policy: CircuitPolicy | None = None,
        *,
        scope: Scope = "fleet",
        timeout_s: float | None = None,
    ) -> Breaker: ...
