"""Reports on circuits and replicas, for operators and dashboards. Frozen values, made on request."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.ledger.view.view import View
from ha_rag.sharing import Scope

if TYPE_CHECKING:
    from ha_rag.breaker.told_by_replicas import StateThere
    from ha_rag.ledger.store.ledger import Heartbeat


CLOSED_ALONE = "closed by this replica's own probes; the fleet's state is unknown"
"""The reason while the ledger is unreachable."""


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

    `why`: "overlay" (its own calls fail) or "local" (it cannot reach the ledger). `recovers_in_s`: seconds left of the
    open duration here, None if it is not open.
    """

    state: CircuitState
    why: Literal["overlay", "local"]
    recovers_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class CircuitReport:
    """One circuit. Rates are shares of `samples`, the outcomes in the window.

    Of a shared circuit: the fleet's; while the ledger is unreachable, what this replica's calls meet. Of a circuit that
    each replica has for itself: this replica's own, or what an operator's order says.

    `recovers_in_s`: seconds left of the open duration. `changed_at`: Unix seconds of the last transition, None if there
    was none. `voters`: replicas that see failures. `probing`: half-open, with all permitted probes in flight.
    `differing`: other replicas whose state differs. `order_epoch`: epoch of the last override or order, 0: none.
    `unconfirmed`: how many replicas have not confirmed it, None: unknown, or there was none.
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
    differing: tuple[StateThere, ...] = ()
    order_epoch: int = 0
    unconfirmed: int | None = None


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

    @property
    def was_read(self) -> bool:
        """Whether the ledger could be asked for the replicas, even if it refused."""
        return self.now_ms > 0 or self.shared_state != "local"


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
        order_epoch=snapshot.epoch if scope == "fleet" and snapshot.override is not None else 0,
    )


def refused_report(name: str, why: str) -> CircuitReport:
    """The report of a circuit whose state in the ledger is refused: each replica decides alone."""
    reason = f"not shared: no replica can have written its state in Redis ({why})"
    return circuit_report(name, "fleet", Snapshot(now_ms=0, reason=reason))


def own_circuit_report(name: str, snapshot: Snapshot, worst: CircuitState, *, elapsed_s: float = 0.0) -> CircuitReport:
    """The report of a circuit that other replicas have for themselves, whose order the ledger holds.

    `worst`: the worst state that these replicas report.
    """
    report = circuit_report(name, "replica", snapshot, elapsed_s=elapsed_s)
    state = worst if report.override is None else _ordered_state(report.override)
    return replace(report, state=state, order_epoch=snapshot.epoch)


def _ordered_state(override: OverrideReport) -> CircuitState:
    return CircuitState.OPEN if override.mode == OverrideMode.OPEN else CircuitState.CLOSED


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
        report = circuit_report(view.name, "replica", own, offset_ms=unix_ms - own.now_ms)
        return replace(report, order_epoch=view.received_epoch)
    elapsed_s = now_s - view.confirmed_s if view.confirmed_s > -math.inf else 0.0
    report = circuit_report(view.name, "fleet", view.fleet, elapsed_s=elapsed_s, here=here(view, now_s))
    return _without_ledger(view, report, now_s, unix_ms) if view.ledger_unreachable else report


def _without_ledger(view: View, report: CircuitReport, now_s: float, unix_ms: int) -> CircuitReport:
    """The report while this replica decides alone: the state that its calls meet, and its own counts."""
    local = view.local()
    own = circuit_report(view.name, "fleet", local, offset_ms=unix_ms - local.now_ms)
    state, left_s = _met(view, now_s)
    counted = replace(report, failure_rate=own.failure_rate, slow_rate=own.slow_rate, samples=own.samples, voters=())
    if view.is_tripped_locally():
        counted = replace(
            counted, reason=own.reason or report.reason, opened_by=own.opened_by or report.opened_by,
            open_count=own.open_count, changed_at=own.changed_at, probing=own.probing,
        )  # fmt: skip
    elif report.state is not CircuitState.CLOSED and state is CircuitState.CLOSED:
        counted = replace(counted, reason=CLOSED_ALONE, probing=False)
    return replace(counted, state=state, recovers_in_s=left_s)


def here(view: View, now_s: float) -> Here | None:
    """The state in this replica, if it differs from the fleet's."""
    if view.scope == "replica" or not view.is_tripped_locally():
        return None
    state, left_s = _met(view, now_s)
    return Here(state, "local" if view.ledger_unreachable else "overlay", left_s)


def _met(view: View, now_s: float) -> tuple[CircuitState, float | None]:
    """The state that calls meet, and the seconds left of an open one; None: not open, or no end is known."""
    state, until_s = view.gate.met()
    has_end = state is CircuitState.OPEN and until_s < math.inf
    return state, max(0.0, round(until_s - now_s, 3)) if has_end else None


def told_by(body: str) -> dict[str, Any]:
    """The fields in a heartbeat's body; none if it is not a JSON object of text and finite numbers (RFC 8259)."""
    try:
        told = json.loads(body, parse_constant=_refused_constant) if body else {}
        if "\\ud" in body.lower():  # JSON can spell half of a surrogate pair, which is not text
            json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _refused_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def replica_report(beat: Heartbeat) -> ReplicaReport:
    """A heartbeat as a report. A body that is not a JSON object is ignored."""
    return ReplicaReport(beat.incarnation, replica_name(beat.incarnation), beat.at_ms, told_by(beat.body))


def replica_name(incarnation: str) -> str:
    """The replica's name: an incarnation is the name, "~" and a random part."""
    return incarnation.partition("~")[0]
