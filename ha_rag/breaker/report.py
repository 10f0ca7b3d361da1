"""Reports on circuits and replicas, for operators and dashboards. Frozen values, made on request."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.view.view import View
from ha_rag.sharing import Scope

if TYPE_CHECKING:
    from ha_rag.ledger.store.ledger import Heartbeat


@dataclass(frozen=True, slots=True)
class OverrideReport:
    """An override in force. `left_s`: seconds until it expires, None: never."""

    mode: str
    reason: str
    by: str
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Here:
    """The state in this replica, where it differs from the fleet's.

    `why`: "overlay" (its own calls fail) or "local" (it cannot reach the ledger).
    """

    state: CircuitState
    why: Literal["overlay", "local"]


@dataclass(frozen=True, slots=True)
class CircuitReport:
    """One circuit. Rates are shares of `samples`, the outcomes in the window.

    `recovers_in_s`: seconds left of the open duration. `changed_at`: Unix seconds of the last transition, None if there
    was none. `voters`: replicas that see failures. `probing`: half-open, with all permitted probes in flight.
    """

    name: str
    state: CircuitState
    override: OverrideReport | None
    epoch: int
    failure_rate: float
    slow_rate: float
    samples: int
    recovers_in_s: float | None
    reason: str
    opened_by: str
    voters: tuple[str, ...]
    open_count: int
    changed_at: float | None
    scope: Scope
    here: Here | None = None
    probing: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """The last heartbeat of one incarnation. `at_ms`: its time by the ledger's clock; `told`: its fields."""

    incarnation: str
    name: str
    at_ms: int
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FleetReport:
    """All live replicas. `shared_state`: "fresh", "stale" or "local"; `reason`: why it is not fresh, or "".

    `now_ms`: the ledger's clock at the time of the read, for the age of heartbeats; 0 if unknown.
    """

    replicas: tuple[ReplicaReport, ...]
    shared_state: str
    reason: str = ""
    now_ms: int = 0


def circuit_report(
    name: str, scope: Scope, snapshot: Snapshot, *, elapsed_s: float = 0.0, offset_ms: int = 0, here: Here | None = None
) -> CircuitReport:
    """The report of a snapshot received `elapsed_s` seconds ago. `offset_ms`: from its clock's ms to Unix ms."""
    left_s = snapshot.left_ms / 1000 - elapsed_s
    is_open = snapshot.state is CircuitState.OPEN
    over = is_open and snapshot.left_ms >= 0 and left_s <= 0
    return CircuitReport(
        name=name,
        state=CircuitState.HALF_OPEN if over else snapshot.state,
        override=_override_report(snapshot, elapsed_s),
        epoch=snapshot.epoch,
        failure_rate=round(snapshot.counts.failure_rate, 4),
        slow_rate=round(snapshot.counts.slow_rate, 4),
        samples=snapshot.counts.samples,
        recovers_in_s=max(0.0, round(left_s, 3)) if is_open and snapshot.left_ms >= 0 else None,
        reason=snapshot.reason,
        opened_by=replica_name(snapshot.opened_by),
        voters=tuple(sorted({replica_name(voter) for voter in snapshot.voters})),
        open_count=snapshot.open_count,
        changed_at=(snapshot.changed_at_ms + offset_ms) / 1000 if snapshot.changed_at_ms else None,
        scope=scope,
        here=here,
        probing=snapshot.slot_wait_ms > 0,
    )


def _override_report(snapshot: Snapshot, elapsed_s: float) -> OverrideReport | None:
    override = snapshot.override
    if override is None:
        return None
    left_s = None if override.until_ms is None else (override.until_ms - snapshot.now_ms) / 1000 - elapsed_s
    if left_s is not None and left_s <= 0:
        return None
    return OverrideReport(override.mode, override.reason, override.by, None if left_s is None else round(left_s, 3))


def view_report(view: View, now_s: float, unix_ms: int) -> CircuitReport:
    """The report of a circuit from this replica's cached state."""
    if view.scope == "replica":
        own = view.local()
        return circuit_report(view.name, "replica", own, offset_ms=unix_ms - own.now_ms)
    elapsed_s = now_s - view.confirmed_s if view.confirmed_s > -math.inf else 0.0
    return circuit_report(view.name, "fleet", view.fleet, elapsed_s=elapsed_s, here=here(view))


def here(view: View) -> Here | None:
    """The state in this replica, if it differs from the fleet's."""
    if view.scope == "replica":
        return None
    if view.is_tripped_locally():
        return Here(view.state(), "local" if view.ledger_unreachable else "overlay")
    return None


def replica_report(beat: Heartbeat) -> ReplicaReport:
    """A heartbeat as a report. A body that is not a JSON object is ignored."""
    try:
        told = json.loads(beat.body) if beat.body else {}
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    return ReplicaReport(beat.incarnation, replica_name(beat.incarnation), beat.at_ms, told)


def replica_name(incarnation: str) -> str:
    """The replica's name: an incarnation is the name, "~" and a random part."""
    return incarnation.partition("~")[0]
