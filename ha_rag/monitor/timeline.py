"""The timeline that a dashboard shows: the fleet's events from the shared streams, and what only this process saw."""

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

_BY_HAND = {Trigger.FORCED_OPEN, Trigger.FORCED_CLOSED, Trigger.FORCED_OPEN_ENDED, Trigger.OVERRIDE_ENDED}


class Timeline:
    """The last events. `place`: that of the last one from the streams; None before there was one.

    `number`: how many it has taken in so far, by which a reader knows what is new to him.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self.number = 0
        self._events: deque[tuple[int, TimelineEvent]] = deque(maxlen=KEPT)

    def shared(self, events: Iterable[StreamEntry]) -> None:
        """Takes in events of the streams, which come in order."""
        for event in events:
            self.place = Place.of(event)
            self.seen(shared_event(event))

    def seen(self, event: TimelineEvent) -> None:
        """Takes in what only this process saw."""
        self.number += 1
        self._events.append((self.number, event))

    def since(self, number: int) -> list[TimelineEvent]:
        """What it has taken in after the first `number`, in the order in which it came."""
        return [event for n, event in self._events if n > number]

    def newest_first(self, limit: int = 100) -> tuple[TimelineEvent, ...]:
        """The last events. Those of the streams carry Redis's time, the others this machine's."""
        return tuple(sorted((event for _, event in self._events), key=lambda event: event.at, reverse=True)[:limit])


def shared_event(event: StreamEntry) -> TimelineEvent:
    """An entry of a circuit's stream, as the timeline has it."""
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
    return "override" if event.trigger in _BY_HAND else "circuit"


def own_event(event: Event) -> TimelineEvent | None:
    """What this process alone can tell of; None for what the streams tell, or nobody needs."""
    at = event.at_ms / 1000
    match event:
        case LedgerLost():
            return TimelineEvent(id="", at=at, kind="redis_lost", circuit=event.circuit, reason=event.reason)
        case LedgerBack():
            reason = f"away for {event.away_s:.1f} s"
            return TimelineEvent(id="", at=at, kind="redis_back", circuit=event.circuit, reason=reason)
        case PolicyMismatch():
            reason = "other rules at " + ", ".join(event.others)
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
                reason=f"{event.reason} (for itself alone)",
                by=replica_name(event.by or event.replica),
                samples=event.samples,
                failed=event.failed,
                slow=event.slow,
            )
        case _:
            return None
