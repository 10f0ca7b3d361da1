"""Hearing: what the ledger's word, asked for or pushed, changes in a replica's effective and in what it asks for.

A replica never believes a lower epoch than one it has believed. An answer with one may be late, or mean that the
ledger has forgotten; a message with one is late. A word that gives the believed epoch to another transition comes from
another history, and what is believed of this one stands until the ledger has been taught; so does what is believed
where the ledger was taught by a replica that knew less. Not locked: its view holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.view.effective_state import EffectiveState
from ha_rag.ledger.view.probe_lease import ProbeLease

CLOSED, HALF_OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a reply or message meant. `before`, `after`: given where a new epoch began.

    `forgot`: the ledger is behind what it told earlier, contradicts it or lacks a part, and should be taught. `gap`:
    something was missed before it, and should be read.
    """

    before: Snapshot | None = None
    after: Snapshot | None = None
    needs_restore: bool = False
    needs_read: bool = False


NOTHING_NEW = Reconciliation()


def with_reply(effective: EffectiveState, leases: ProbeLease, snapshot: Snapshot, now_s: float) -> Reconciliation:
    """Takes an answer of the ledger."""
    before = effective.fleet.snapshot
    if snapshot.epoch < before.epoch or effective.fleet.contradicts(snapshot) or effective.fleet.adds_to(snapshot):
        return Reconciliation(needs_restore=True)
    effective.fleet.confirmed_s = now_s
    if effective.fleet.is_late(snapshot):
        return NOTHING_NEW
    _adopt(effective, leases, snapshot, now_s)
    return Reconciliation(before, snapshot) if snapshot.epoch > before.epoch else NOTHING_NEW


def with_message(
    effective: EffectiveState, leases: ProbeLease, snapshot: Snapshot, previous_epoch: int, now_s: float
) -> Reconciliation:
    """Takes a pushed message: late ones are dropped; a gap before it, or a contradiction, asks for a read."""
    before = effective.fleet.snapshot
    if effective.fleet.contradicts(snapshot) or effective.fleet.adds_to(snapshot):
        return Reconciliation(needs_read=True)
    if snapshot.epoch <= before.epoch:
        if snapshot.epoch == before.epoch == previous_epoch:
            leases.after_s = _probe_from_s(snapshot, now_s) + leases.jitter_s()
        return NOTHING_NEW
    effective.fleet.confirmed_s = now_s
    _adopt(effective, leases, snapshot, now_s)
    return Reconciliation(before, snapshot, needs_read=previous_epoch != before.epoch)


def _adopt(effective: EffectiveState, leases: ProbeLease, snapshot: Snapshot, now_s: float) -> None:
    new = snapshot.epoch > effective.fleet.epoch
    effective.fleet.adopt(snapshot, now_s)
    after_s = _probe_from_s(snapshot, now_s) + leases.jitter_s()
    if new:
        leases.after_s = after_s
        # A transition empties every window; only what the replica itself rests from outlasts a fleet that closes.
        if snapshot.state is not CLOSED or snapshot.override is not None or effective.local_trip.is_closed:
            effective.local_trip.reset(effective.fleet.closed_at_s)
    elif snapshot.state is HALF_OPEN:
        # A settled probe is pushed to all; whom the message did not reach learns it here.
        leases.after_s = min(leases.after_s, after_s)


def _probe_from_s(snapshot: Snapshot, now_s: float) -> float:
    """When a probe could be had, as far as a snapshot tells."""
    return now_s + max(snapshot.left_ms, snapshot.slot_wait_ms, 0) / 1000
