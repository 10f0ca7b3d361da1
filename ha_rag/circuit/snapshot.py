"""Snapshot: the readable state of one circuit. Reading never changes it."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.rules import RestorePoint, lease_wait_ms, missed
from ha_rag.circuit.state import Circuit, CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.window import total

MAX_VOTERS_NAMED = 100
"""Voters listed in a snapshot, at most: every message carries the list to every replica."""

UNKNOWN = -1
"""A duration without a known end, such as a forced open that lasts until somebody ends it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A circuit at one moment of the ledger's clock. Every reply and every pushed message carries one. Immutable.

    `state`: an open circuit whose open duration is over reads as half-open. `left_ms`: what remains of the open
    duration or of a forced open; -1 if that has no end; 0 if not open. `slot_wait_ms`: until the first lease expires,
    if all probe slots are taken; else 0. `missed`: in a ledger that was just restored, the epochs between which
    transitions are missing; else (0, 0). `voters`: the names of replicas that vote for opening, sorted, at most
    `MAX_VOTERS_NAMED`. `override.until_ms`: on the same clock as `now_ms`.
    """

    now_ms: int
    state: CircuitState = CircuitState.CLOSED
    epoch: int = 0
    left_ms: int = 0
    open_count: int = 0
    reason: str = ""
    opened_by: str = ""
    changed_at_ms: int = 0
    probe_successes: int = 0
    slot_wait_ms: int = 0
    missed: tuple[int, int] = (0, 0)
    counts: Counts = Counts()
    voters: tuple[str, ...] = ()
    override: OperatorOverride | None = None

    def restore_point(self) -> RestorePoint:
        """What a replica restores a ledger from that has lost this state."""
        left_ms = self.left_ms if self.state is CircuitState.OPEN and self.override is None else 0
        return RestorePoint(
            self.state, self.epoch, left_ms, self.open_count, self.reason, self.opened_by, self.override,
            self.changed_at_ms,
        )  # fmt: skip


def read(circuit: Circuit, terms: Terms, now_ms: int) -> Snapshot:
    """The snapshot at `now_ms`."""
    override = circuit.override if circuit.override and not circuit.override.expired(now_ms) else None
    state = _state(circuit, now_ms)
    long_closed = circuit.state is CircuitState.CLOSED and now_ms - circuit.changed_at_ms >= terms.window_ms
    return Snapshot(
        now_ms=now_ms,
        state=state,
        epoch=circuit.epoch,
        left_ms=_left_ms(circuit, state, now_ms),
        open_count=0 if long_closed else circuit.open_count,
        reason=circuit.reason,
        opened_by=circuit.opened_by,
        changed_at_ms=circuit.changed_at_ms,
        probe_successes=circuit.probe_successes,
        slot_wait_ms=_slot_wait_ms(circuit, terms, now_ms),
        missed=missed(circuit, terms, now_ms),
        counts=total(circuit.window, now_ms, terms),
        voters=_voters(circuit, now_ms),
        override=override,
    )


def _voters(circuit: Circuit, now_ms: int) -> tuple[str, ...]:
    voters = sorted(name for name, until in circuit.voters.items() if until > now_ms and name[0] != "!")
    return tuple(voters[:MAX_VOTERS_NAMED])


def _state(circuit: Circuit, now_ms: int) -> CircuitState:
    if circuit.state is CircuitState.OPEN and _left_ms(circuit, CircuitState.OPEN, now_ms) == 0:
        return CircuitState.HALF_OPEN
    return circuit.state


def _left_ms(circuit: Circuit, state: CircuitState, now_ms: int) -> int:
    if state is not CircuitState.OPEN:
        return 0
    override = circuit.override
    if override is not None and override.mode is OverrideMode.OPEN:
        return UNKNOWN if override.until_ms is None else max(0, override.until_ms - now_ms)
    return max(0, circuit.open_until_ms - now_ms)


def _slot_wait_ms(circuit: Circuit, terms: Terms, now_ms: int) -> int:
    ends = [lease.until_ms for lease in circuit.leases.values() if lease.is_active(now_ms)]
    return min(ends) - now_ms if len(ends) >= terms.probes else 0


def wait_ms(circuit: Circuit, terms: Terms, now_ms: int, replica: str) -> int:
    """How long `replica` should wait before it requests a lease again; -1 if unknown."""
    wait = lease_wait_ms(circuit, terms, now_ms, replica)
    return UNKNOWN if wait is None else wait
