"""The transition table: every transition of a circuit.

The rules decide *whether* a trigger fires; only this table decides which state follows. The diagram in the docs is
drawn from it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from ha_rag.circuit.state import CircuitState

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class Trigger(enum.StrEnum):
    """What makes a circuit change."""

    THRESHOLD = "threshold reached"
    STREAK = "streak"
    THROTTLED = "service asked for a rest"
    PROBE_GRANTED = "probe granted"
    PROBE_FAILED = "probe failed"
    PROBES_SUCCEEDED = "probes succeeded"
    FORCED_OPEN = "forced open"
    FORCED_CLOSED = "overridden"
    FORCED_OPEN_ENDED = "forced open ended"
    OVERRIDE_ENDED = "override ended"
    RESTORED_OPEN = "ledger restored, resting"
    RESTORED_CLOSED = "ledger restored"


OVERRIDE_BEGINS = frozenset({Trigger.FORCED_OPEN, Trigger.FORCED_CLOSED})
OVERRIDE_ENDS = frozenset({Trigger.FORCED_OPEN_ENDED, Trigger.OVERRIDE_ENDED})
RESTORES = frozenset({Trigger.RESTORED_OPEN, Trigger.RESTORED_CLOSED})

_ANY = (CLOSED, OPEN, HALF_OPEN)

TABLE: dict[tuple[CircuitState, Trigger], CircuitState] = {
    (CLOSED, Trigger.THRESHOLD): OPEN,
    (CLOSED, Trigger.STREAK): OPEN,
    (CLOSED, Trigger.THROTTLED): OPEN,
    (OPEN, Trigger.PROBE_GRANTED): HALF_OPEN,
    (HALF_OPEN, Trigger.PROBE_FAILED): OPEN,
    (HALF_OPEN, Trigger.THROTTLED): OPEN,
    (HALF_OPEN, Trigger.PROBES_SUCCEEDED): CLOSED,
    # The open duration ends with the forced open: the circuit stays open, and the next call may probe.
    (OPEN, Trigger.FORCED_OPEN_ENDED): OPEN,
    (CLOSED, Trigger.OVERRIDE_ENDED): CLOSED,
    **{(state, Trigger.FORCED_OPEN): OPEN for state in _ANY},
    **{(state, Trigger.FORCED_CLOSED): CLOSED for state in _ANY},
    **{(state, Trigger.RESTORED_OPEN): OPEN for state in _ANY},
    (CLOSED, Trigger.RESTORED_CLOSED): CLOSED,
}


def automatic_changes() -> Iterator[tuple[CircuitState, Trigger, CircuitState]]:
    """The transitions that calls and time cause: without those of operators and of restoring."""
    for (state, trigger), to in TABLE.items():
        if trigger not in OVERRIDE_BEGINS | OVERRIDE_ENDS | RESTORES:
            yield state, trigger, to
