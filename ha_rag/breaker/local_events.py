"""Events for the transitions of circuits that belong to one replica."""

from __future__ import annotations

from collections.abc import Iterator

from ha_rag.circuit.rules import WOULD_OPEN, Decision, Transition
from ha_rag.circuit.state import OperatorOverride
from ha_rag.circuit.transitions import OVERRIDE_BEGINS, OVERRIDE_ENDS
from ha_rag.events import CircuitChanged, Event, OverrideChanged, WouldOpen


def local_events(decision: Decision, *, circuit: str, replica: str, at_ms: int) -> Iterator[Event]:
    """The events of one decision on a circuit local to `replica`. `at_ms`: Unix time."""
    for number, transition in enumerate(decision.events, start=1):
        manual = transition.trigger in OVERRIDE_BEGINS | OVERRIDE_ENDS
        if manual:
            is_last = number == len(decision.events)
            override = decision.circuit.override if is_last else None
            began_ms = decision.circuit.changed_at_ms
            yield _override_changed(transition, override, began_ms, circuit, replica, at_ms)
        if not manual or transition.before != transition.after:
            yield _local_event(transition, circuit=circuit, replica=replica, at_ms=at_ms)


def _override_changed(
    transition: Transition, override: OperatorOverride | None, began_ms: int, circuit: str, replica: str, at_ms: int
) -> OverrideChanged:
    """`began_ms`: when, on the clock of the circuit, which is not Unix time."""
    begins = transition.trigger in OVERRIDE_BEGINS and override is not None
    until_ms = override.until_ms if override is not None and begins else None
    return OverrideChanged(
        at_ms=at_ms,
        replica=replica,
        circuit=circuit,
        mode=override.mode if override is not None and begins else None,
        reason=override.reason if override is not None and begins else transition.reason,
        by=transition.by,
        until_ms=None if until_ms is None else at_ms + until_ms - began_ms,
        epoch=transition.epoch,
    )


def _local_event(transition: Transition, *, circuit: str, replica: str, at_ms: int) -> Event:
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
        by=t.by if t.trigger in OVERRIDE_BEGINS | OVERRIDE_ENDS else replica,
        samples=counts.samples,
        failed=counts.failed,
        slow=counts.slow,
    )
