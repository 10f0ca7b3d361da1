"""ManagedCircuit: what a breaker says of its circuit, and how its policy or an override is set. No calls."""

from __future__ import annotations

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.override_checks import checked_for_ms, checked_mode
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState, OperatorOverride, OverrideMode
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.view.view import View
from ha_rag.sharing import Freshness, Scope


class ManagedCircuit:
    """One circuit of this process, apart from its calls: the base of `CircuitBreaker`."""

    def __init__(self, link: FleetLink, view: View) -> None:
        self._link = link
        self._view = view
        self._declared_policy = view.policy

    @property
    def name(self) -> str:
        """The circuit's name."""
        return self._view.name

    @property
    def view(self) -> View:
        """This process's view of the circuit. For this library."""
        return self._view

    @property
    def policy(self) -> CircuitPolicy:
        """The circuit's policy."""
        return self._view.policy

    @property
    def declared_policy(self) -> CircuitPolicy:
        """The policy it was created with, whatever `update_policy` has set since."""
        return self._declared_policy

    def update_policy(self, policy: CircuitPolicy) -> None:
        """Applies another policy in this process, from now on. Safe from any thread, at any time.

        The state, the counts and an open duration that has begun stay. Every replica decides by its own policy, so
        update them all; until then they announce a `PolicyMismatch`. To change one field:
        `breaker.update_policy(dataclasses.replace(breaker.policy, failure_threshold=0.3))`.
        """
        self._view.set_policy(policy)

    @property
    def scope(self) -> Scope:
        """Either "fleet" (shared by all replicas) or "replica" (local to this process)."""
        return self._view.scope

    @property
    def timeout_s(self) -> float | None:
        """Timeout of the guarded calls in seconds, None if they have none."""
        return self._view.timeout_s

    @property
    def state(self) -> CircuitState:
        """The state that a call would find now. A memory read."""
        return self._view.state()

    @property
    def shared_state(self) -> Freshness:
        """How current the cached shared state is: "fresh", "stale" or "local"."""
        return self._link.freshness(self._view)

    # ---- overriding in this process ---------------------------------------------------------------------------------

    @property
    def override(self) -> OperatorOverride | None:
        """The override in force, None if there is none. A memory read."""
        return self._view.override()

    def override_here(
        self, mode: OverrideMode | str | None, *, reason: str, by: str, for_s: float | None = None
    ) -> None:
        """Overrides a circuit that is not connected to Redis, in this process alone; `mode` None ends the override.

        `for_s`: seconds until the override expires, None: never. For tests (`ha_rag.testing`) and programs without
        Redis; `CircuitRegistry.override` is for all others. A registry that has not joined its fleet yet does not join
        by itself any more, only when it is entered.
        Raises ConfigurationError for an invalid mode or duration, and for a circuit that is shared through Redis.
        """
        if self.scope == "fleet" and self._link.sync is not None:
            raise ConfigurationError(f"circuit {self.name!r} is shared through Redis: use CircuitRegistry.override")
        self._link.stay_apart()
        checked = None if mode is None else checked_mode(mode)
        self._view.override_locally(checked, reason, by, checked_for_ms(for_s))
        self._link.publish_rulings(self._view)
