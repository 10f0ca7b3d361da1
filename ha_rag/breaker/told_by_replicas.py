"""ToldByReplicas: what the replicas' heartbeats say of circuits: states that differ, and which orders were received.

Heartbeats are untrusted: any process with access to Redis can write them. Invalid parts are ignored. A replica of 0.1.0
does not say which orders it received.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ha_rag.breaker.report import CircuitReport, ReplicaReport
from ha_rag.circuit.state import BY_SEVERITY, CircuitState
from ha_rag.ledger.store.circuit_names import is_circuit_name
from ha_rag.turns import in_turns

MAX_CIRCUITS = 1000
"""Circuits read from one heartbeat; more are ignored."""

MAX_ENTRIES, MAX_NAMES = 100_000, 10_000
"""Entries of circuits read from all heartbeats, and circuits that they may name; more are ignored."""

_STATES = {str(state): state for state in CircuitState}


@dataclass(frozen=True, slots=True)
class StateThere:
    """The state of a circuit in one replica."""

    replica: str
    state: CircuitState


class ToldByReplicas:
    """The heartbeats of a fleet, by circuit; None: they could not be read. Immutable."""

    def __init__(self, replicas: Iterable[ReplicaReport] | None) -> None:
        self._is_known = replicas is not None
        self._states: dict[str, list[StateThere]] = defaultdict(list)
        self._received: dict[str, list[int | None]] = defaultdict(list)
        """Circuit -> of each replica that uses it: the epoch of the order it follows; None: it does not say."""
        self._own: set[str] = set()
        self._left = MAX_ENTRIES
        for replica in replicas or ():
            self._add(replica)

    @classmethod
    async def gathered(cls, replicas: Iterable[ReplicaReport]) -> ToldByReplicas:
        """The same, made while other tasks run."""
        told = cls(())
        async for replica in in_turns(replicas):
            told._add(replica)
        return told

    def _add(self, replica: ReplicaReport) -> None:
        entries = list(_entries(replica))[: self._left]
        for name, state, is_own in entries:
            if name in self._states or len(self._states) < MAX_NAMES:
                self._states[name].append(StateThere(replica.name, state))
                if is_own:
                    self._own.add(name)
        orders = replica.told.get("orders")
        used = _used(replica, entries) if self._left else set()
        for name in used:
            if name in self._received or len(self._received) < MAX_NAMES:
                received = _epoch(orders.get(name)) if isinstance(orders, dict) else None
                self._received[name].append(received)
        self._left = max(0, self._left - len(entries) - len(used))

    @property
    def own_circuits(self) -> Set[str]:
        """Names of the circuits that some replica has for itself."""
        return self._own

    def worst(self, name: str) -> CircuitState:
        """The worst state that a replica reports."""
        states = [there.state for there in self._states.get(name, ())]
        return max(states, key=BY_SEVERITY.index, default=CircuitState.CLOSED)

    def not_closed(self, name: str) -> tuple[StateThere, ...]:
        """The replicas that report the circuit as open or half-open for their own calls."""
        return tuple(there for there in self._states.get(name, ()) if there.state is not CircuitState.CLOSED)

    def differing(self, name: str, state: CircuitState) -> tuple[StateThere, ...]:
        """The replicas that report another state than `state`."""
        return tuple(there for there in self._states.get(name, ()) if there.state != state)

    def unconfirmed(self, report: CircuitReport) -> int | None:
        """How many replicas have not confirmed the last order over this circuit, or its end.

        None: there was none, or it is unknown. Replicas that cannot confirm count while an order is in force.
        """
        if not self._is_known or not report.order_epoch or (report.override is None and report.scope == "fleet"):
            return None
        received = self._received.get(report.name, ())
        behind = sum(epoch is not None and epoch < report.order_epoch for epoch in received)
        return behind + (sum(epoch is None for epoch in received) if report.override is not None else 0)

    def added_to(self, report: CircuitReport) -> CircuitReport:
        """The report with the replicas that differ from it, and how many have not confirmed."""
        differing = self.differing(report.name, report.state)
        return replace(report, differing=differing, unconfirmed=self.unconfirmed(report))


def _entries(replica: ReplicaReport) -> Iterator[tuple[str, CircuitState, bool]]:
    """Each circuit whose state this replica reports: its name, the state, and whether it is the replica's own."""
    circuits = replica.told.get("circuits")
    for entry in circuits[:MAX_CIRCUITS] if isinstance(circuits, list) else ():
        if not isinstance(entry, dict):
            continue
        name, state = entry.get("name"), _STATES.get(str(entry.get("state")))
        if isinstance(name, str) and is_circuit_name(name) and state is not None:
            yield name, state, entry.get("scope") == "replica"


def _used(replica: ReplicaReport, entries: Iterable[tuple[str, CircuitState, bool]]) -> set[str]:
    policies = replica.told.get("policies")
    shared = islice(policies, MAX_CIRCUITS) if isinstance(policies, dict) else ()
    return {*filter(is_circuit_name, shared), *(name for name, _, _ in entries)}


def _epoch(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
