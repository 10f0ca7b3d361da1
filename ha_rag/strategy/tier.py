"""Tier: one component of a chain as the user configures it. GuardedTier: the same with its circuit."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import ConfigurationError
from ha_rag.messages import ComponentType
from ha_rag.sharing import Scope
from ha_rag.strategy.component_errors import classify_component
from ha_rag.strategy.guard import Breaker, BreakerSource
from ha_rag.strategy.retries import Retries
from ha_rag.strategy.status import CallStats, ComponentStatus

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)

DEFAULT_TIMEOUT_S = {
    ComponentType.EMBEDDER: 1.0,
    ComponentType.RETRIEVER: 1.0,
    ComponentType.RERANKER: 1.0,
    ComponentType.GENERATOR: 8.0,
}
NEEDED_SHARE = 0.1
"""Time reserved for each later tier, as a share of its timeout: enough for a healthy component to answer."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Tier(Generic[C_co]):
    """A component, its name, and how it is guarded. Immutable; its circuit is named `<type>.<name>`.

    `name`: letters, digits, "_" and "-". `timeout_s`: time limit in seconds (default: 8 for generators, 1
    for the others). `policy`: its circuit's policy. `scope`: "fleet" for a service that all replicas call, "replica"
    for a component inside this process, so that one replica's failing disk does not open the circuit of the others;
    None: "replica" if the component has `in_process = True`, else "fleet". Raises ConfigurationError.
    """

    name: str
    component: C_co
    timeout_s: float | None = None
    policy: CircuitPolicy | None = None
    scope: Scope | None = None

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise ConfigurationError(
                f"name = {self.name!r}: must be 1 to 64 letters, digits, '_' or '-', and start with a letter or digit"
            )
        if self.timeout_s is not None and not _is_duration(self.timeout_s):
            raise ConfigurationError(f"timeout_s = {self.timeout_s!r} ({self.name}): must be a number above 0")
        if self.scope not in {None, "fleet", "replica"}:
            raise ConfigurationError(f"scope = {self.scope!r} ({self.name}): must be 'fleet' or 'replica'")

    def guarded(self, kind: ComponentType, circuits: BreakerSource) -> GuardedTier[C_co]:
        """This tier with its circuit from `circuits`."""
        timeout_s = DEFAULT_TIMEOUT_S[kind] if self.timeout_s is None else float(self.timeout_s)
        circuit = f"{kind}.{self.name}"
        breaker = circuits.breaker(
            circuit, self.policy, scope=self._scope(), timeout_s=timeout_s, classify=classify_component
        )
        retries = Retries.of(self.policy) if self.policy is not None else None
        return GuardedTier(kind, self.name, circuit, self.component, timeout_s, breaker, retries=retries)

    def _scope(self) -> Scope:
        if self.scope is not None:
            return self.scope
        return "replica" if is_in_process(self.component) else "fleet"


@dataclass(frozen=True, slots=True, eq=False)
class GuardedTier(Generic[C_co]):
    """A tier with its circuit (`breaker`), its `stats` and its `retries`: what a chain runs.

    Safe across tasks of one event loop.
    """

    kind: ComponentType
    name: str
    circuit: str
    component: C_co
    timeout_s: float
    breaker: Breaker
    stats: CallStats = field(default_factory=CallStats)
    retries: Retries | None = None

    @property
    def needs_s(self) -> float:
        """Seconds that earlier tiers must leave for it."""
        return self.timeout_s * NEEDED_SHARE

    @property
    def in_process(self) -> bool:
        """Whether the component calls no service."""
        return is_in_process(self.component)

    def is_closed(self) -> bool:
        """Whether its circuit is closed now."""
        return self.breaker.state is CircuitState.CLOSED

    def status(self) -> ComponentStatus:
        """Its statistics so far. A memory read."""
        mean_ms, p99_ms = self.stats.latency_ms()
        return ComponentStatus(
            circuit=self.circuit,
            component_type=self.kind,
            name=self.name,
            state=str(self.breaker.state),
            shared_state=self.breaker.shared_state,
            calls=self.stats.calls,
            failures=self.stats.failures,
            rejected=self.stats.rejected,
            mean_ms=mean_ms,
            p99_ms=p99_ms,
            last_error=self.stats.last_error,
        )


def is_in_process(component: object) -> bool:
    """Whether a component says that it calls no service."""
    return bool(getattr(component, "in_process", False))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
