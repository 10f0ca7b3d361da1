"""One timeline of many streams: every circuit's events in one order, each once, and a place to go on from.

Each circuit keeps its own stream, since a script may write to one hash tag only. Entries are stamped by Redis, so what
is older than the moment before the streams were read is complete, and only that is told: a later look can never find
anything before it. The place of an event, `<ms>-<n>@<circuit>`, is all that a reader has to remember.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.ledger import Ledger, StreamEntry

_PLACE = re.compile(r"([0-9]{1,16})-([0-9]{1,16})@([A-Za-z0-9._-]{1,200})")
_LAST = 2**53


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an event stands in the timeline: after everything that is smaller."""

    ms: int
    number: int
    circuit: str

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}@{self.circuit}"

    @classmethod
    def of(cls, event: StreamEntry) -> Place:
        """An event's place."""
        ms, _, number = event.id.partition("-")
        return cls(int(ms), int(number), event.circuit)

    @classmethod
    def parse(cls, text: str) -> Place:
        """A place as it was told. Raises ConfigurationError for anything else."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise ConfigurationError(f"{text[:100]!r} is no place in the timeline: give an event's id as it was told")
        return cls(int(found[1]), int(found[2]), found[3])

    def before(self, circuit: str) -> str:
        """The id in `circuit`'s stream after which this place's successors begin."""
        if circuit <= self.circuit:
            return f"{self.ms}-{self.number}"
        # Of a later name: an entry with the very same id comes after this place.
        if self.number:
            return f"{self.ms}-{self.number - 1}"
        return f"{self.ms - 1}-{_LAST}" if self.ms else "0-0"


async def events_after(ledger: Ledger, circuits: Iterable[str], place: Place, limit: int = 100) -> list[StreamEntry]:
    """At most `limit` events after `place`, oldest first. Raises what the ledger raises."""
    names = sorted(circuits)
    complete_to_ms = await ledger.now_ms()
    streams = await asyncio.gather(*(ledger.events(name, place.before(name), limit) for name in names))
    return merged(streams, complete_to_ms, limit)


async def latest_events(ledger: Ledger, circuits: Iterable[str], limit: int = 100) -> list[StreamEntry]:
    """The last `limit` events, oldest first. Raises what the ledger raises."""
    complete_to_ms = await ledger.now_ms()
    streams = await asyncio.gather(*(ledger.latest(name, limit) for name in sorted(circuits)))
    told = (event for stream in streams for event in stream if Place.of(event).ms < complete_to_ms)
    return sorted(told, key=Place.of)[-limit:]


def merged(streams: Sequence[Sequence[StreamEntry]], complete_to_ms: int, limit: int) -> list[StreamEntry]:
    """The first `limit` events of all streams, each of which may be cut off at `limit`: what it lacks comes later."""
    events = sorted((event for stream in streams for event in stream), key=Place.of)
    return [event for event in events if Place.of(event).ms < complete_to_ms][:limit]
