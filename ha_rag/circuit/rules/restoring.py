"""What a ledger that lost its memory learns from those who remember."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.rules.changing import change
from ha_rag.circuit.rules.model import Decision, RestorePoint, origin
from ha_rag.circuit.rules.overriding import expire_override
from ha_rag.circuit.state import Circuit, CircuitState, OperatorOverride, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import Trigger

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


def restore(circuit: Circuit, terms: Terms, now_ms: int, replica: str, belief: RestorePoint) -> Decision:
    """Restores a ledger that is behind what a replica had from it; does nothing to one that is not.

    One that gave the replica's epoch to another transition (a tie) has lost its memory as well: what either side knows
    goes on under an epoch above both.

    Open where either side is open and still running: the longer rest counts. Half-open, or open with its time up, on
    either side comes back as open for one lease, so that probes handed out before the loss have ended. Closed only if
    both sides are closed: nothing closes without a probe. An operator's word stands as the replica heard it: every
    word mints an epoch, so a ledger that is behind knows at best an older one. In a tie the ledger's own comes first.

    Who teaches first need not know most: for one lease after a lesson the ledger learns from a replica that knows of a
    transition which its teacher had missed.
    """
    tied = circuit.epoch == belief.epoch and origin(circuit) != origin(belief)
    after, before = missed(circuit, terms, now_ms)
    adds = after < belief.epoch < before
    if circuit.epoch >= belief.epoch and not tied and not adds:
        return Decision(circuit)
    circuit, expired = expire_override(circuit, now_ms)
    word = None if belief.override is None or belief.override.expired(now_ms) else belief.override
    if tied:
        word = circuit.override or word
    both_closed = circuit.state is CLOSED and belief.state is CLOSED
    open_ms = max(_left_ms(circuit, now_ms), belief.left_ms if belief.state is OPEN else 0)
    trigger, open_ms = _restored(word, both_closed, open_ms, terms)
    reason = belief.reason or "the ledger had lost its memory"
    changed, event = change(circuit, trigger, now_ms, reason, replica, above=belief.epoch)
    opened = changed.state is OPEN
    taught = replace(
        changed,
        override=word,
        open_count=max(circuit.open_count, belief.open_count),
        opened_by=belief.opened_by or circuit.opened_by,
        missed_after=belief.epoch,
        missed_before=before if adds else changed.epoch,
        opened_at_ms=now_ms if opened else circuit.opened_at_ms,
        open_until_ms=now_ms + open_ms if opened else circuit.open_until_ms,
    )
    return Decision(taught, (*expired, event), publish=True)


def missed(circuit: Circuit, terms: Terms, now_ms: int) -> tuple[int, int]:
    """Transitions between these epochs are missing, and another replica may add them; (0, 0): nobody may any more.

    One lease: as long as what was under way before the loss may matter. A replica that stood still for longer, and
    wakes up with what it once knew, changes nothing.
    """
    late = now_ms - circuit.changed_at_ms >= terms.lease_ms
    return (0, 0) if late else (circuit.missed_after, circuit.missed_before)


def _restored(word: OperatorOverride | None, both_closed: bool, open_ms: int, terms: Terms) -> tuple[Trigger, int]:
    if word is not None:
        return (Trigger.FORCED_OPEN, 0) if word.mode is OverrideMode.OPEN else (Trigger.FORCED_CLOSED, 0)
    if open_ms == 0 and both_closed:
        return Trigger.RESTORED_CLOSED, 0
    return Trigger.RESTORED_OPEN, open_ms or terms.lease_ms


def _left_ms(circuit: Circuit, now_ms: int) -> int:
    """What is left of a rest; 0 while an operator holds the circuit, whose word carries its own end."""
    return max(0, circuit.open_until_ms - now_ms) if circuit.state is OPEN and circuit.override is None else 0
