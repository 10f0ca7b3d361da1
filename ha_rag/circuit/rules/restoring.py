"""Restores a ledger that lost its data from the cached state of replicas."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.bounds import MAX_COUNT, MAX_REST_MS, is_beyond
from ha_rag.circuit.rules.changing import change
from ha_rag.circuit.rules.model import Decision, RestorePoint, origin
from ha_rag.circuit.rules.overriding import expire_override
from ha_rag.circuit.state import Circuit, CircuitState, OperatorOverride, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import Trigger

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


def restore(circuit: Circuit, terms: Terms, now_ms: int, replica: str, known: RestorePoint) -> Decision:
    """Restores a ledger whose epoch is behind the replica's; does nothing to a ledger that is not behind, nor with an
    epoch beyond its bounds.

    A tie (the same epoch for another transition) also means that the ledger lost data: both states are merged under an
    epoch above both.

    The merged circuit is open if either side is open with time remaining; the longer open duration counts. If either
    side is half-open, or open without time remaining, it is open for one lease, so that probes granted before the loss
    have ended. It is closed only if both sides are closed: nothing closes without a probe. The replica's override
    replaces the ledger's: every override has its own epoch, so that of a ledger behind is older. In a tie the ledger's
    override wins.

    The first replica to restore may have missed transitions: for one lease after a restore, a replica that knows one
    of those may restore the ledger again.
    """
    tied = circuit.epoch == known.epoch and origin(circuit) != origin(known)
    after, before = missed(circuit, terms, now_ms)
    adds = after < known.epoch < before
    if (circuit.epoch >= known.epoch and not tied and not adds) or not is_possible(known, now_ms):
        return Decision(circuit)
    circuit, expired = expire_override(circuit, now_ms)
    override = None if known.override is None or known.override.expired(now_ms) else known.override
    if tied:
        override = circuit.override or override
    both_closed = circuit.state is CLOSED and known.state is CLOSED
    open_ms = max(_left_ms(circuit, now_ms), known.left_ms if known.state is OPEN else 0)
    trigger, open_ms = _transition(override, both_closed, open_ms, terms)
    reason = known.reason or "the ledger had lost the circuit"
    changed, event = change(circuit, trigger, now_ms, reason, replica, above=known.epoch)
    opened = changed.state is OPEN
    restored = replace(
        changed,
        override=override,
        open_count=max(circuit.open_count, known.open_count),
        opened_by=known.opened_by or circuit.opened_by,
        missed_after=known.epoch,
        missed_before=before if adds else changed.epoch,
        opened_at_ms=now_ms if opened else circuit.opened_at_ms,
        open_until_ms=now_ms + open_ms if opened else circuit.open_until_ms,
    )
    return Decision(restored, (*expired, event), publish=True)


def is_possible(known: RestorePoint, now_ms: int) -> bool:
    """Whether a circuit can be in this state. A replica that heard of another one must not bring it back."""
    until_ms = known.override.until_ms if known.override is not None else None
    return not (
        is_beyond(known.epoch, now_ms)
        or is_beyond(known.changed_at_ms, now_ms)
        or known.left_ms > MAX_REST_MS
        or known.open_count > MAX_COUNT
        or (until_ms is not None and until_ms > now_ms + MAX_REST_MS)
    )


def missed(circuit: Circuit, terms: Terms, now_ms: int) -> tuple[int, int]:
    """The epochs between which transitions are missing, which another replica may add; (0, 0): none.

    Limited to one lease after the restore: calls from before the loss have ended by then, and a replica that was
    suspended for longer must not bring back an old state.
    """
    too_late = now_ms - circuit.changed_at_ms >= terms.lease_ms
    return (0, 0) if too_late else (circuit.missed_after, circuit.missed_before)


def _transition(
    override: OperatorOverride | None, both_closed: bool, open_ms: int, terms: Terms
) -> tuple[Trigger, int]:
    if override is not None:
        forced = override.mode is OverrideMode.OPEN and not both_closed  # closed under `open`: an order (ordering.py)
        return (Trigger.FORCED_OPEN, 0) if forced else (Trigger.FORCED_CLOSED, 0)
    if open_ms == 0 and both_closed:
        return Trigger.RESTORED_CLOSED, 0
    return Trigger.RESTORED_OPEN, open_ms or terms.lease_ms


def _left_ms(circuit: Circuit, now_ms: int) -> int:
    """What remains of the open duration; 0 under an override, which has its own end."""
    return max(0, circuit.open_until_ms - now_ms) if circuit.state is OPEN and circuit.override is None else 0
