"""Operator orders over the circuits of one name that each replica has for itself.

An order is the override of a stored circuit of that name, under its own epoch. That circuit stays closed: every replica
applies the order to its own circuit and decides its state. So a replica of 0.1.0, to which changes are pushed, obeys
the order too, and is left with a closed circuit when it ends.
"""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.bounds import is_beyond
from ha_rag.circuit.rules.changing import change
from ha_rag.circuit.rules.model import Decision
from ha_rag.circuit.rules.overriding import end_override, expire_override
from ha_rag.circuit.state import Circuit, OperatorOverride, OverrideMode
from ha_rag.circuit.transitions import Trigger


def order(
    circuit: Circuit, now_ms: int, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None = None
) -> Decision:
    """Sets an order for all replicas; mode None ends it. `for_ms`: its duration, or None: until somebody ends it.

    Replaces a circuit whose epoch is beyond its bounds.
    """
    was_invalid = is_beyond(circuit.epoch, now_ms)
    circuit, expired = expire_override(Circuit() if was_invalid else circuit, now_ms)
    if mode is not None:
        changed, event = change(circuit, Trigger.FORCED_CLOSED, now_ms, f"{mode}: {reason}", by)
        given = OperatorOverride(mode, reason, by, None if for_ms is None else now_ms + for_ms)
        ordered = replace(changed, override=given, would_open_at_ms=0)
        return Decision(ordered, (*expired, replace(event, until_ms=given.until_ms)), publish=True)
    if was_invalid:
        replaced, event = change(circuit, Trigger.OVERRIDE_ENDED, now_ms, reason, by)
        return Decision(replaced, (event,), publish=True)
    if circuit.override is None:
        return Decision(circuit, expired, publish=bool(expired))
    ended, event = end_override(circuit, now_ms, reason, by)
    return Decision(ended, (*expired, event), publish=True)


def expire_order(circuit: Circuit, now_ms: int) -> Decision:
    """Records the end of an order whose time is up. A replica asks for it, since no calls are reported on it."""
    circuit, expired = expire_override(circuit, now_ms)
    return Decision(circuit, expired, publish=bool(expired))
