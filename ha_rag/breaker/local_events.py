"""Events for the transitions of circuits that belong to one replica."""

from __future__ import annotations

from ha_rag.circuit.rules import WOULD_OPEN, Transition
from ha_rag.events import CircuitChanged, Event, WouldOpen


def local_event(transition: Transition, *, circuit: str, replica: str, at_ms: int) -> Event:
    """The event for one transition of a circuit local to `replica`. `at_ms`: Unix time."""
    t, counts = transition, transition.counts
    if t.trigger == WOULD_OPEN:
        return WouldOpen(
            at_ms=at_ms,
            replica=replica,
            circuit=circuit,
            reason=t.reason,
            by=replica,
            samples=counts.samples,
            failed=counts.failed,
            slow=counts.slow,
            epoch=t.epoch,
        )
    return CircuitChanged(
        at_ms=at_ms,
        replica=replica,
        circuit=circuit,
        scope="replica",
        previous_epoch=t.previous_epoch,
        epoch=t.epoch,
        from_state=t.before,
        to_state=t.after,
        reason=t.reason,
        by=replica,
        samples=counts.samples,
        failed=counts.failed,
        slow=counts.slow,
    )
