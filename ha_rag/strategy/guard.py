"""What a tier asks of its circuit. `ha_rag.breaker` provides it; anything of this shape will do."""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.messages import Outcome

Scope = Literal["fleet", "replica"]


class Permit(Protocol):
    """The right to one call. Told how the call ended, once; whatever it is told later is ignored."""

    @property
    def probe(self) -> bool:
        """Whether this call is to find out if the service is well again."""
        ...

    @property
    def bound_s(self) -> float | None:
        """Seconds after which a probe must have ended; None for an ordinary call."""
        ...

    def ok(self) -> Outcome:
        """Answered. Returns OK, or SLOW where that took too long."""
        ...

    def raised(self, error: BaseException) -> Outcome:
        """Raised: which outcome that is depends on the error."""
        ...

    def failed(self, error: BaseException | None = None) -> Outcome:
        """Failed, whatever the error's class says."""
        ...

    def timed_out(self) -> Outcome:
        """Did not answer in the whole of its own time."""
        ...

    def cancelled(self) -> Outcome:
        """Was given up for reasons that are not the service's: counts for nothing."""
        ...


class Admission(Protocol):
    """A circuit's answer to "may I?". `permit` is None where it refused.

    `asked`: done when there is an answer to the request for a probe that is under way; None where none is.
    """

    @property
    def permit(self) -> Permit | None: ...
    @property
    def state(self) -> CircuitState: ...
    @property
    def retry_after_s(self) -> float | None: ...
    @property
    def asked(self) -> asyncio.Future[None] | None: ...


class Breaker(Protocol):
    """The guard of one component."""

    @property
    def state(self) -> CircuitState:
        """What a call would meet now: a memory read."""
        ...

    @property
    def shared_state(self) -> str:
        """How well the shared belief is known: "fresh", "stale" or "local"."""
        ...

    def admit(self) -> Admission:
        """Never waits."""
        ...

    async def admit_soon(self) -> Admission:
        """Like `admit`, but where the circuit is half-open it waits a moment (50 ms at most) for a probe's grant."""
        ...


class Circuits(Protocol):
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
