"""The timeline of a dashboard: the fleet's events from the shared streams, and those that only this process saw."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ha_rag.breaker.report import replica_name
from ha_rag.circuit.rules import WOULD_OPEN
from ha_rag.circuit.transitions import Trigger
from ha_rag.events import CircuitChanged, Event, LedgerBack, LedgerLost, PolicyMismatch, ReplicaNameTaken
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.snapshot import TimelineEvent

KEPT = 200

_MANUAL = {Trigger.FORCED_OPEN, Trigger.FORCED_CLOSED, Trigger.FORCED_OPEN_ENDED, Trigger.OVERRIDE_ENDED}


class Timeline:
    """The last events. `place`: position of the last event from the streams; None before the first.

    `number`: how many events were added so far; readers use it to get the new ones.
    """

    def __init__(self) -> None:
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
        self._events.append((self.number, event))

    def since(self, number: int) -> list[TimelineEvent]:
        """The events added after the first `number`, in order."""
        return [event for n, event in self._events if n > number]

    def newest_first(self, limit: int = 100) -> tuple[TimelineEvent, ...]:
        """The last events. Those of the streams have times of Redis, the others of this machine."""
        return tuple(sorted((event for _, event in self._events), key=lambda event: event.at, reverse=True)[:limit])


def shared_event(event: StreamEntry) -> TimelineEvent:
    """An entry of a circuit's stream as a timeline event."""
    place = Place.of(event)
    return TimelineEvent(
        id=str(place),
        at=place.ms / 1000,
        kind=_kind(event),
        circuit=event.circuit,
        before=event.before,
        after=event.after,
        reason=event.reason or event.trigger,
        by=replica_name(event.by),
        samples=event.ok + event.failed,
        failed=event.failed,
        slow=event.slow,
    )


def _kind(event: StreamEntry) -> str:
    if event.trigger == WOULD_OPEN:
        return "would_open"
    return "override" if event.trigger in _MANUAL else "circuit"


def own_event(event: Event) -> TimelineEvent | None:
    """The timeline event of an event that is not in the streams; None if it is, or if it is not shown."""
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
