"""Operator overrides: how they are set, and how they end."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.bounds import is_beyond
from ha_rag.circuit.rules.changing import change
from ha_rag.circuit.rules.model import EXPIRED, Decision, Transition
from ha_rag.circuit.state import Circuit, CircuitState, OperatorOverride, OverrideMode
from ha_rag.circuit.transitions import Trigger


def override(
    circuit: Circuit, now_ms: int, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None = None
) -> Decision:
    """Sets an override for all replicas; mode None ends it. `for_ms`: its duration, or None: until somebody ends it.

    Replaces a circuit whose epoch is beyond its bounds.
    """
    was_invalid = is_beyond(circuit.epoch, now_ms)
    circuit, expired = expire_override(Circuit() if was_invalid else circuit, now_ms)
    if mode is None and was_invalid:
        replaced, event = change(circuit, Trigger.OVERRIDE_ENDED, now_ms, reason, by)
        return Decision(replaced, (event,), publish=True)
    if mode is None:
        if circuit.override is None:
            return Decision(circuit, expired, publish=bool(expired))
        ended, event = end_override(circuit, now_ms, reason, by)
        return Decision(ended, (*expired, event), publish=True)
    trigger = Trigger.FORCED_OPEN if mode is OverrideMode.OPEN else Trigger.FORCED_CLOSED
    changed, event = change(circuit, trigger, now_ms, f"{mode}: {reason}", by)
    operator_override = OperatorOverride(mode, reason, by, None if for_ms is None else now_ms + for_ms)
    overridden = replace(changed, override=operator_override, would_open_at_ms=0)
    if mode is OverrideMode.OPEN:
        overridden = replace(overridden, open_until_ms=now_ms, opened_at_ms=now_ms, opened_by=by)
    return Decision(overridden, (*expired, replace(event, until_ms=operator_override.until_ms)), publish=True)


def expire_override(circuit: Circuit, now_ms: int) -> tuple[Circuit, tuple[Transition, ...]]:
    """Ends an override that has expired. The first verb that writes after its end records it."""
    if circuit.override is None or not circuit.override.expired(now_ms):
        return circuit, ()
    ended, event = end_override(circuit, now_ms, EXPIRED, circuit.override.by)
    return ended, (event,)


def end_override(circuit: Circuit, now_ms: int, reason: str, by: str) -> tuple[Circuit, Transition]:
    """After a forced open the next call may probe; after other modes the circuit is closed with an empty window."""
    was_open = circuit.override is not None and circuit.override.mode is OverrideMode.OPEN
    was_open = was_open and circuit.state is not CircuitState.CLOSED  # else it holds an order (ordering.py)
    trigger = Trigger.FORCED_OPEN_ENDED if was_open else Trigger.OVERRIDE_ENDED
    ended, event = change(circuit, trigger, now_ms, reason, by)
    return replace(ended, override=None), event
