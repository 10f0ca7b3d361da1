"""Snapshot: one circuit as anybody may see it. Reading changes nothing, whatever time it is."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.rules import RestorePoint, lease_wait_ms, missed
from ha_rag.circuit.state import Circuit, CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.window import total

MAX_VOTERS_NAMED = 100
"""So many of the replicas that see the failures are named, at most: each change carries them to every replica."""

UNKNOWN = -1
"""A wait that nobody can know: a forced open that lasts until somebody ends it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A circuit at one moment of the ledger's clock. Every reply and every pushed message carries one. Immutable.

    `state`: as it reads now; an open circuit whose rest is over reads as half-open. `left_ms`: what is left of the
    rest, or of a forced open; -1 where that has no end; 0 otherwise. `slot_wait_ms`: until the first of the standing
    probes must have ended, where all places are taken; 0 otherwise. `missed`: of a ledger that was just taught,
    the epochs between which something is missing; (0, 0) otherwise. `voters`: replicas that see the failures, by name,
    the first `MAX_VOTERS_NAMED`.
    `override.until_ms` counts from `now_ms`, in the ledger's time.
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
        """What a replica that heard this would teach a ledger that forgot it."""
        left_ms = self.left_ms if self.state is CircuitState.OPEN and self.override is None else 0
        return RestorePoint(
            self.state, self.epoch, left_ms, self.open_count, self.reason, self.opened_by, self.override,
            self.changed_at_ms,
        )  # fmt: skip


def read(circuit: Circuit, terms: Terms, now_ms: int) -> Snapshot:
    """The circuit as it reads at `now_ms`."""
    word = circuit.override if circuit.override and not circuit.override.expired(now_ms) else None
    state = _state(circuit, now_ms)
    calm = circuit.state is CircuitState.CLOSED and now_ms - circuit.changed_at_ms >= terms.window_ms
    return Snapshot(
        now_ms=now_ms,
        state=state,
        epoch=circuit.epoch,
        left_ms=_left_ms(circuit, state, now_ms),
        open_count=0 if calm else circuit.open_count,
        reason=circuit.reason,
        opened_by=circuit.opened_by,
        changed_at_ms=circuit.changed_at_ms,
        probe_successes=circuit.probe_successes,
        slot_wait_ms=_standing_ms(circuit, terms, now_ms),
        missed=missed(circuit, terms, now_ms),
        counts=total(circuit.window, now_ms, terms),
        voters=_voters(circuit, now_ms),
        override=word,
    )


def _voters(circuit: Circuit, now_ms: int) -> tuple[str, ...]:
    seeing = sorted(name for name, until in circuit.voters.items() if until > now_ms and name[0] != "!")
    return tuple(seeing[:MAX_VOTERS_NAMED])


def _state(circuit: Circuit, now_ms: int) -> CircuitState:
    if circuit.state is CircuitState.OPEN and _left_ms(circuit, CircuitState.OPEN, now_ms) == 0:
        return CircuitState.HALF_OPEN
    return circuit.state


def _left_ms(circuit: Circuit, state: CircuitState, now_ms: int) -> int:
    if state is not CircuitState.OPEN:
        return 0
    word = circuit.override
    if word is not None and word.mode is OverrideMode.OPEN:
        return UNKNOWN if word.until_ms is None else max(0, word.until_ms - now_ms)
    return max(0, circuit.open_until_ms - now_ms)


def _standing_ms(circuit: Circuit, terms: Terms, now_ms: int) -> int:
    standing = [held.until_ms for held in circuit.leases.values() if held.is_active(now_ms)]
    return min(standing) - now_ms if len(standing) >= terms.probes else 0


def wait_ms(circuit: Circuit, terms: Terms, now_ms: int, replica: str) -> int:
    """How long `replica` should wait before it asks for a probe again; -1 where nobody can know."""
    wait = lease_wait_ms(circuit, terms, now_ms, replica)
    return UNKNOWN if wait is None else wait
