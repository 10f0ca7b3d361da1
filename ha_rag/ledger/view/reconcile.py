"""Reconciles a replica's cached state with a reply or a pushed message from the ledger.

The cached epoch decreases only if a message alone told it and the ledger says otherwise, or if it is beyond its bounds
because the ledger's clock was set back. Else a message with a lower epoch is late; a reply with one is late, or the
ledger has lost data. If the ledger has the cached epoch for another transition, or was restored by a replica that knew
less, the cached state is kept until the ledger has been restored from it. Not locked: the view holds the lock.

Of a circuit of this replica alone the ledger has only an operator's order (`circuit/rules/ordering.py`), to which the
same applies; state and counts are this replica's.
"""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.view.cached_snapshot import Intact
from ha_rag.ledger.view.effective_state import EffectiveState
from ha_rag.ledger.view.probe_lease import ProbeLease

CLOSED, HALF_OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result. `before`, `after`: the snapshots, if there is a new epoch.

    `needs_restore`: the ledger is behind the cached state, contradicts it or lacks a transition. `needs_read`: messages
    were missed before this one, or what one said is not confirmed. `to_confirm`: a message said when a probe may be
    made, so the next poll reads the circuit. `refuted`: a message was false.
    """

    before: Snapshot | None = None
    after: Snapshot | None = None
    needs_restore: bool = False
    needs_read: bool = False
    to_confirm: bool = False
    refuted: bool = False


NOTHING_NEW = Reconciliation()


def with_reply(
    effective: EffectiveState, leases: ProbeLease, snapshot: Snapshot, now_s: float, intact: Intact | None = None
) -> Reconciliation:
    """Applies a reply. `intact`: while the ledger lost nothing before it was asked; None: unknown."""
    received, before = effective.received, effective.received.snapshot
    is_lower, is_beyond = snapshot.epoch < before.epoch, received.is_beyond(snapshot.now_ms)
    if is_lower and (is_beyond or received.is_refuted_by(snapshot, intact)):
        received.confirmed_s = now_s
        _adopt(effective, leases, snapshot, now_s, is_new_epoch=True)
        return Reconciliation(before, snapshot, refuted=not is_beyond)
    if received.is_unconfirmed_by(snapshot) and not received.may_be_lost(intact):
        return Reconciliation(needs_read=True)
    if is_lower or received.contradicts(snapshot) or received.adds_to(snapshot):
        return Reconciliation(needs_restore=True)
    received.confirmed_s = now_s
    if received.is_late(snapshot):
        return NOTHING_NEW
    _adopt(effective, leases, snapshot, now_s)
    return Reconciliation(before, snapshot) if snapshot.epoch > before.epoch else NOTHING_NEW


def with_message(
    effective: EffectiveState, leases: ProbeLease, snapshot: Snapshot, previous_epoch: int, now_s: float
) -> Reconciliation:
    """Applies a pushed message. A late one is dropped; a gap before it or a contradiction requires a read."""
    received, before = effective.received, effective.received.snapshot
    is_new_clock = snapshot.epoch < before.epoch and received.is_beyond(snapshot.now_ms)
    if is_new_clock or received.contradicts(snapshot) or received.adds_to(snapshot):
        return Reconciliation(needs_read=True)
    if snapshot.epoch <= before.epoch:
        if snapshot.epoch == before.epoch == previous_epoch:
            leases.after_s = _probe_from_s(snapshot, now_s) + leases.jitter_s()
            return Reconciliation(to_confirm=True)
        return NOTHING_NEW
    received.confirmed_s = now_s
    _adopt(effective, leases, snapshot, now_s, pushed=True)
    return Reconciliation(before, snapshot, needs_read=previous_epoch != before.epoch)


def _adopt(
    effective: EffectiveState,
    leases: ProbeLease,
    snapshot: Snapshot,
    now_s: float,
    *,
    pushed: bool = False,
    is_new_epoch: bool = False,
) -> None:
    is_new_epoch = is_new_epoch or snapshot.epoch > effective.received.epoch
    effective.received.adopt(snapshot, now_s, pushed=pushed)
    if effective.replica_only:
        if is_new_epoch:
            effective.follow_order(now_s)
        return
    probe_from_s = _probe_from_s(snapshot, now_s)
    after_s = probe_from_s + leases.jitter_s()
    if is_new_epoch:
        leases.after_s = after_s
        # A transition empties the local window too; only a local trip outlasts the closing of the fleet's circuit.
        if snapshot.state is not CLOSED or snapshot.override is not None or effective.local_trip.is_closed:
            effective.local_trip.reset(effective.received.closed_at_s)
    elif snapshot.state is HALF_OPEN:
        # A settled probe is pushed to all replicas; one that missed the message learns it here.
        leases.after_s = min(leases.after_s, after_s)
    elif leases.after_s > probe_from_s + leases.spread_s:
        leases.after_s = after_s  # a message said so, and the ledger says otherwise


def _probe_from_s(snapshot: Snapshot, now_s: float) -> float:
    """The earliest time of a probe according to the snapshot."""
    return now_s + max(snapshot.left_ms, snapshot.slot_wait_ms, 0) / 1000
