"""How a circuit changes, whatever the reason: a new epoch, an empty window, and a rest where it opens."""

from __future__ import annotations

from dataclasses import replace

from ha_rag.circuit.rules.model import Decision, Transition
from ha_rag.circuit.state import NOTHING, Circuit, CircuitState, Counts
from ha_rag.circuit.streak import EMPTY
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import TABLE, Trigger

JITTER_SHARE = 0.1
"""A rest after a failed recovery is stretched by up to this share, so that circuits do not recover in step."""


def change(
    circuit: Circuit, trigger: Trigger, now_ms: int, reason: str, by: str, *, above: int = 0, counts: Counts = Counts()
) -> tuple[Circuit, Transition]:
    """The circuit after a transition, and the event that tells of it. `above`: an epoch the new one must exceed."""
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
    """Opens it, for `open_ms`. `step`: by how much this makes its next rest longer; 0 where a service asked for one."""
    openings = recent_openings(circuit, now_ms, terms) + step
    changed, event = change(circuit, trigger, now_ms, reason, by, counts=counts)
    opened = replace(changed, opened_at_ms=now_ms, open_until_ms=now_ms + open_ms, open_count=openings, opened_by=by)
    return Decision(opened, (event,), publish=True)


def recent_openings(circuit: Circuit, now_ms: int, terms: Terms) -> int:
    """How many times it opened lately: after a whole window closed, the past is forgiven."""
    calm = circuit.state is CircuitState.CLOSED and now_ms - circuit.changed_at_ms >= terms.window_ms
    return 0 if calm else circuit.open_count


def next_open_ms(circuit: Circuit, terms: Terms, now_ms: int, jitter: float) -> int:
    """How long it rests if it fails now: longer each time that it failed lately, up to a limit."""
    times = recent_openings(circuit, now_ms, terms)
    grown = min(terms.open_ms * terms.backoff ** min(times, 64), terms.open_max_ms)
    return int(grown * (1 + JITTER_SHARE * jitter) if times else grown)


def capped_open_ms(asked_ms: int, terms: Terms) -> int:
    """The rest that a service asked for, as far as the policy goes along."""
    return min(asked_ms, terms.throttle_max_ms)
