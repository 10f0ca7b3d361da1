"""The timeline of a dashboard: the fleet's events from the shared streams, and those that only this process saw."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from ha_rag.breaker.report import replica_name
from ha_rag.circuit.rules import WOULD_OPEN
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.transitions import OVERRIDE_BEGINS, OVERRIDE_ENDS, RESTORES
from ha_rag.events import (
    CircuitChanged,
    Event,
    LedgerBack,
    LedgerLost,
    OverrideChanged,
    PolicyMismatch,
    ReplicaNameTaken,
)
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor import words
from ha_rag.monitor.circuit_words import ordered
from ha_rag.monitor.snapshot import TimelineEvent
from ha_rag.redaction import NOTHING_KNOWN, Redactor

CLOSED = CircuitState.CLOSED

KEPT = 200


class Timeline:
    """The last events. `place`: position of the last event from the streams; None before the first.

    `number`: how many events were added so far; readers use it to get the new ones. `redactor`: as of the watcher.
    """

    def __init__(self, redactor: Redactor = NOTHING_KNOWN) -> None:
        self._redactor = redactor
        self.place: Place | None = None
        self.number = 0
        self._events: deque[tuple[int, TimelineEvent]] = deque(maxlen=KEPT)

    def add_shared(self, events: Iterable[StreamEntry]) -> None:
        """Adds events of the streams, in order."""
        for event in events:
            self.place = Place.of(event)
            self.add(shared_event(event))

    def add(self, event: TimelineEvent) -> None:
        """Adds one event."""
        self.number += 1
        self._events.append((self.number, self._redactor.redacted_in(event)))

    def since(self, number: int) -> list[TimelineEvent]:
        """The events added after the first `number`, in order."""
        return [event for n, event in self._events if n > number]

    def newest_first(self, limit: int = 100) -> tuple[TimelineEvent, ...]:
        """The last events. Those of the streams have times of Redis, the others of this machine."""
        last_first = (event for _, event in reversed(self._events))  # of one moment, too
        return tuple(sorted(last_first, key=lambda event: event.at, reverse=True)[:limit])


def shared_event(event: StreamEntry) -> TimelineEvent:
    """An entry of a circuit's stream as a timeline event."""
    place, kind, restored = Place.of(event), _kind(event), words.is_restored(event)
    reason = event.reason or event.trigger
    made = TimelineEvent(
        id=str(place),
        at=place.ms / 1000,
        kind=kind,
        circuit=event.circuit,
        before=event.before,
        after=event.after,
        reason=f"{words.LOST}; {reason}" if restored and event.after != CLOSED else words.LOST if restored else reason,
        by="" if words.ended_by_itself(event) else replica_name(event.by),
        samples=event.ok + event.failed,
        failed=event.failed,
        slow=event.slow,
        until=None if event.until_ms is None else event.until_ms / 1000,
    )
    return replace(made, text=words.override_text(event) if kind == "override" else words.text(made))


def _kind(event: StreamEntry) -> str:
    if event.trigger == WOULD_OPEN:
        return "would_open"
    if event.trigger in OVERRIDE_BEGINS | OVERRIDE_ENDS:
        return "override"
    return "restored" if event.trigger in RESTORES else "circuit"


def own_override(event: OverrideChanged) -> TimelineEvent:
    """An override in a process without Redis, which has no streams."""
    at, until = event.at_ms / 1000, None if event.until_ms is None else event.until_ms / 1000
    ended = f"{event.circuit}: override ended"
    text = words.began(event.circuit, event.mode, ordered(event.reason, event.by, until, at)) if event.mode else ended
    return TimelineEvent(
        id="", at=at, kind="override", circuit=event.circuit, reason=event.reason, by=event.by, until=until, text=text
    )


def own_event(event: Event) -> TimelineEvent | None:
    """The timeline event of an event that is not in the streams; None if it is, or if it is not shown."""
    made = _own_event(event)
    return None if made is None else replace(made, text=words.text(made))


def _own_event(event: Event) -> TimelineEvent | None:
    at = event.at_ms / 1000
    match event:
        case LedgerLost():
            return TimelineEvent(id="", at=at, kind="redis_lost", circuit=event.circuit, reason=event.reason)
        case LedgerBack():
            reason = f"was unreachable for {event.away_s:.1f} s"
            return TimelineEvent(id="", at=at, kind="redis_back", circuit=event.circuit, reason=reason)
        case PolicyMismatch():
            reason = "different rules in " + ", ".join(event.others)
            return TimelineEvent(id="", at=at, kind="policy_mismatch", circuit=event.circuit, reason=reason)
        case ReplicaNameTaken():
            return TimelineEvent(id="", at=at, kind="name_taken", reason=f"another replica is called {event.replica}")
        case CircuitChanged(scope="replica"):
            return TimelineEvent(
                id="",
                at=at,
                kind="circuit",
                circuit=event.circuit,
                before=event.from_state,
                after=event.to_state,
                reason=f"{event.reason} (this replica only)",
                by=replica_name(event.by or event.replica),
                samples=event.samples,
                failed=event.failed,
                slow=event.slow,
            )
        case _:
            return None
