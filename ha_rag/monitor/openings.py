"""How a circuit opened, for as long as it is not closed: each transition empties the window that opened it.

Read from the timeline and, where this has no entry, from the reason; a history keeps it when the entry is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ha_rag.breaker.report import CircuitReport
from ha_rag.circuit.state import CircuitState
from ha_rag.monitor.snapshot import CircuitPicture, Opening, TimelineEvent

CLOSED = CircuitState.CLOSED

_COUNTS = re.compile(r"([0-9]{1,9}) of ([0-9]{1,9}) (?:calls )?(failed|were slow)(?:.*?, ([0-9]{1,9}) slow)?")

Openings = Mapping[str, Opening]
"""Circuit -> how it opened; only circuits that are not closed, and that no operator has opened."""


def openings(
    before: Openings, circuits: Iterable[CircuitReport], timeline: Sequence[TimelineEvent], at: float
) -> dict[str, Opening]:
    """The openings as of a poll at `at`. `before`: those of the last poll; `timeline`: newest first."""
    found = {}
    for circuit in circuits:
        if circuit.override is None and _state(circuit) is not CLOSED:
            told = _last(timeline, circuit.name) or before.get(circuit.name) or _by_reason(circuit, at)
            found[circuit.name] = told
    return found


def shown_rates(circuit: CircuitPicture) -> tuple[float, float, int]:
    """Failed, slow and calls to show: of the window, or as it opened while the window of an open circuit is empty."""
    opened = circuit.opened
    if circuit.state == "closed" or circuit.samples or opened is None or not opened.samples:
        return circuit.failure_rate, circuit.slow_rate, circuit.samples
    return opened.failed / opened.samples, opened.slow / opened.samples, opened.samples


def _state(circuit: CircuitReport) -> CircuitState:
    """The fleet's state or, while that is closed, the one that this replica applies."""
    return circuit.here.state if circuit.state is CLOSED and circuit.here is not None else circuit.state


def _last(timeline: Sequence[TimelineEvent], circuit: str) -> Opening | None:
    """How it last went from closed to open; None if the timeline does not say, or an operator did it."""
    for event in timeline:
        if event.circuit != circuit or event.after == event.before:
            continue
        if event.kind == "override":
            return None
        if event.kind in ("circuit", "restored") and event.before == CLOSED:
            return _opening(event.at, event.reason, event.by, event.samples, event.failed, event.slow)
    return None


def _by_reason(circuit: CircuitReport, at: float) -> Opening:
    return _opening(circuit.changed_at or at, circuit.reason, circuit.opened_by)


def _opening(at: float, reason: str, by: str, samples: int = 0, failed: int = 0, slow: int = 0) -> Opening:
    counted = _COUNTS.match(reason)
    if not samples and counted is not None:
        bad, samples = int(counted[1]), int(counted[2])
        failed, slow = (bad, int(counted[4] or 0)) if counted[3] == "failed" else (0, bad)
    failed, slow = min(failed, samples), min(slow, samples)
    return Opening(at=round(at, 3), reason=reason, by=by, samples=samples, failed=failed, slow=slow)
