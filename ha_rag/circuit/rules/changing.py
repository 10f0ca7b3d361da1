"""Transitions: a new epoch with an empty window, and an open duration if the circuit opens."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.rules.model import Decision, Transition
from ha_rag.circuit.state import NOTHING, Circuit, CircuitState, Counts
from ha_rag.circuit.streak import EMPTY
from ha_rag.circuit.terms import JITTER_SHARE, Terms
from ha_rag.circuit.transitions import TABLE, Trigger


def change(
    circuit: Circuit, trigger: Trigger, now_ms: int, reason: str, by: str, *, above: int = 0, counts: Counts = Counts()
) -> tuple[Circuit, Transition]:
    """The circuit after a transition, and the event. `above`: the new epoch must be higher than this."""
    after = TABLE[circuit.state, trigger]
    epoch = max(circuit.epoch + 1, above + 1, now_ms)
    event = Transition(circuit.epoch, epoch, circuit.state, after, trigger, reason, by, counts)
    changed = replace(
        circuit,
        state=after,
        epoch=epoch,
        changed_at_ms=now_ms,
        reason=reason,
        probe_successes=0,
        probe_slow=0,
        missed_after=0,
        missed_before=0,
        streak=EMPTY,
        slow_streak=EMPTY,
        slowest_probe_ms=0,
        judges_from_ms=0,
        window=NOTHING,
        voters=NOTHING,
        batches=NOTHING,
    )
    return changed, event


def trip(
    circuit: Circuit,
    trigger: Trigger,
    now_ms: int,
    open_ms: int,
    step: int,
    reason: str,
    by: str,
    terms: Terms,
    counts: Counts = Counts(),
) -> Decision:
    """Opens the circuit for `open_ms`. `step`: added to `open_count`; 0 if the service asked for the pause."""
    openings = recent_openings(circuit, now_ms, terms) + step
    changed, event = change(circuit, trigger, now_ms, reason, by, counts=counts)
    opened = replace(changed, opened_at_ms=now_ms, open_until_ms=now_ms + open_ms, open_count=openings, opened_by=by)
    return Decision(opened, (event,), publish=True)


def recent_openings(circuit: Circuit, now_ms: int, terms: Terms) -> int:
    """The number of recent openings: 0 after a whole window closed."""
    long_closed = circuit.state is CircuitState.CLOSED and now_ms - circuit.changed_at_ms >= terms.window_ms
    return 0 if long_closed else circuit.open_count


def next_open_ms(circuit: Circuit, terms: Terms, now_ms: int, jitter: float) -> int:
    """The open duration if it opens now: grows with each recent opening, up to a limit."""
    openings = recent_openings(circuit, now_ms, terms)
    grown = min(terms.open_ms * terms.backoff ** min(openings, 64), terms.open_max_ms)
    return int(grown * (1 + JITTER_SHARE * jitter) if openings else grown)


def capped_open_ms(asked_ms: int, terms: Terms) -> int:
    """The pause that a service asked for, at most what the policy allows."""
    return min(asked_ms, terms.throttle_max_ms)
