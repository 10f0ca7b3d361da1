"""Hearing: what the ledger's word, asked for or pushed, changes in a replica's stance and in what it asks for.

A replica never believes a lower epoch than one it has believed. An answer with one may be late, or mean that the
ledger has forgotten; a message with one is late. A word that gives the believed epoch to another transition comes from
another history, and what is believed of this one stands until the ledger has been taught; so does what is believed
where the ledger was taught by a replica that knew less. Not locked: its view holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.asking import Asking
from ha_rag.ledger.stance import Stance

CLOSED, HALF_OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reply or message meant. `before`, `after`: given where a new epoch began.

    `forgot`: the ledger is behind what it told earlier, contradicts it or lacks a part, and should be taught. `gap`:
    something was missed before it, and should be read.
    """

    before: Snapshot | None = None
    after: Snapshot | None = None
    forgot: bool = False
    gap: bool = False


NOTHING_NEW = Heard()


def answer(stance: Stance, asking: Asking, snapshot: Snapshot, now_s: float) -> Heard:
    """Takes an answer of the ledger."""
    before = stance.fleet.snapshot
    if snapshot.epoch < before.epoch or stance.fleet.contradicts(snapshot) or stance.fleet.knows_more(snapshot):
        return Heard(forgot=True)
    stance.fleet.heard_s = now_s
    if stance.fleet.is_late(snapshot):
        return NOTHING_NEW
    _adopt(stance, asking, snapshot, now_s)
    return Heard(before, snapshot) if snapshot.epoch > before.epoch else NOTHING_NEW


def message(stance: Stance, asking: Asking, snapshot: Snapshot, previous_epoch: int, now_s: float) -> Heard:
    """Takes a pushed message: late ones are dropped; a gap before it, or a contradiction, asks for a read."""
    before = stance.fleet.snapshot
    if stance.fleet.contradicts(snapshot) or stance.fleet.knows_more(snapshot):
        return Heard(gap=True)
    if snapshot.epoch <= before.epoch:
        if snapshot.epoch == before.epoch == previous_epoch:
            asking.after_s = _probe_from_s(snapshot, now_s) + asking.spread()
        return NOTHING_NEW
    stance.fleet.heard_s = now_s
    _adopt(stance, asking, snapshot, now_s)
    return Heard(before, snapshot, gap=previous_epoch != before.epoch)


def _adopt(stance: Stance, asking: Asking, snapshot: Snapshot, now_s: float) -> None:
    new = snapshot.epoch > stance.fleet.epoch
    stance.fleet.adopt(snapshot, now_s)
    after_s = _probe_from_s(snapshot, now_s) + asking.spread()
    if new:
        asking.after_s = after_s
        # A transition empties every window; only what the replica itself rests from outlasts a fleet that closes.
        if snapshot.state is not CLOSED or snapshot.override is not None or stance.overlay.calm:
            stance.overlay.forget()
    elif snapshot.state is HALF_OPEN:
        # A settled probe is pushed to all; whom the message did not reach learns it here.
        asking.after_s = min(asking.after_s, after_s)


def _probe_from_s(snapshot: Snapshot, now_s: float) -> float:
    """When a probe could be had, as far as a snapshot tells."""
    return now_s + max(snapshot.left_ms, snapshot.standing_ms, 0) / 1000
