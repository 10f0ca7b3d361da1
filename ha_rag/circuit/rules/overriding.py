"""Operator overrides: how they are set, and how they end."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.rules.changing import change
from ha_rag.circuit.rules.model import Decision, Transition
from ha_rag.circuit.state import Circuit, OperatorOverride, OverrideMode
from ha_rag.circuit.transitions import Trigger


def override(
    circuit: Circuit, now_ms: int, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None = None
) -> Decision:
    """Sets an override for all replicas; mode None ends it. `for_ms`: its duration, or None: until somebody ends it."""
    circuit, expired = expire_override(circuit, now_ms)
    if mode is None:
        if circuit.override is None:
            return Decision(circuit, expired, publish=bool(expired))
        ended, event = _ended(circuit, now_ms, reason, by)
        return Decision(ended, (*expired, event), publish=True)
    trigger = Trigger.FORCED_OPEN if mode is OverrideMode.OPEN else Trigger.FORCED_CLOSED
    changed, event = change(circuit, trigger, now_ms, f"{mode}: {reason}", by)
    operator_override = OperatorOverride(mode, reason, by, None if for_ms is None else now_ms + for_ms)
    overridden = replace(changed, override=operator_override, would_open_at_ms=0)
    if mode is OverrideMode.OPEN:
        overridden = replace(overridden, open_until_ms=now_ms, opened_at_ms=now_ms, opened_by=by)
    return Decision(overridden, (*expired, event), publish=True)


def expire_override(circuit: Circuit, now_ms: int) -> tuple[Circuit, tuple[Transition, ...]]:
    """Ends an override that has expired. The first verb that writes after its end records it."""
    if circuit.override is None or not circuit.override.expired(now_ms):
        return circuit, ()
    ended, event = _ended(circuit, now_ms, "the override expired", circuit.override.by)
    return ended, (event,)


def _ended(circuit: Circuit, now_ms: int, reason: str, by: str) -> tuple[Circuit, Transition]:
    """After a forced open the next call may probe; after other modes the circuit is closed with an empty window."""
    was_open = circuit.override is not None and circuit.override.mode is OverrideMode.OPEN
    trigger = Trigger.FORCED_OPEN_ENDED if was_open else Trigger.OVERRIDE_ENDED
    ended, event = change(circuit, trigger, now_ms, reason, by)
    return replace(ended, override=None), event
