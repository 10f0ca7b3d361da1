"""Merges the event streams of all circuits into one ordered timeline with resumable positions.

Each circuit has its own stream, because a script may write to one hash tag only. Redis stamps the entries, so the
streams are complete up to the time just before they were read, and only that part is returned: a later read never
finds an older event. A reader only has to remember the position of its last event, `<ms>-<n>@<circuit>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ha_rag.cancellation import gathered
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.circuit_names import escaped, unescaped
from ha_rag.ledger.store.ledger import Ledger, StreamEntry

_PLACE = re.compile(r"([0-9]{1,16})-([0-9]{1,16})@([A-Za-z0-9._%-]{1,1600})")
_LAST = 2**53


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """The position of an event in the timeline; sorts in timeline order."""

    ms: int
    number: int
    circuit: str

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}@{escaped(self.circuit)}"

    @classmethod
    def of(cls, event: StreamEntry) -> Place:
        """The position of `event`."""
        ms, _, number = event.id.partition("-")
        return cls(int(ms), int(number), event.circuit)

    @classmethod
    def parse(cls, text: str) -> Place:
        """Parses the text form of a position. Raises ConfigurationError for anything else.

        The circuit need not exist, nor be one of ours: it only orders events of the same millisecond.
        """
        found = _PLACE.fullmatch(text)
        if found is None:
            raise ConfigurationError(f"{text[:100]!r} is not an event id: use the id of an event you received")
        return cls(int(found[1]), int(found[2]), unescaped(found[3]) or found[3])

    def before(self, circuit: str) -> str:
        """The id in `circuit`'s stream after which the events following this position begin."""
        if circuit <= self.circuit:
            return f"{self.ms}-{self.number}"
        # Events with equal ids are ordered by circuit name, so a later name's entry with the same id still follows.
        if self.number:
            return f"{self.ms}-{self.number - 1}"
        return f"{self.ms - 1}-{_LAST}" if self.ms else "0-0"


async def events_after(ledger: Ledger, circuits: Iterable[str], place: Place, limit: int = 100) -> list[StreamEntry]:
    """At most `limit` events after `place`, oldest first. Raises LedgerError."""
    names = sorted(circuits)
    complete_to_ms = await ledger.now_ms()
    streams = await gathered(*(ledger.events(name, place.before(name), limit) for name in names))
    return merged(streams, complete_to_ms, limit)


async def latest_events(ledger: Ledger, circuits: Iterable[str], limit: int = 100) -> list[StreamEntry]:
    """The last `limit` events, oldest first. Raises LedgerError."""
    complete_to_ms = await ledger.now_ms()
    streams = await gathered(*(ledger.latest(name, limit) for name in sorted(circuits)))
    complete = (event for stream in streams for event in stream if Place.of(event).ms < complete_to_ms)
    return sorted(complete, key=Place.of)[-limit:]


def merged(streams: Sequence[Sequence[StreamEntry]], complete_to_ms: int, limit: int) -> list[StreamEntry]:
    """The first `limit` events of all streams. Each stream may be cut off after `limit` events: those come later."""
    events = sorted((event for stream in streams for event in stream), key=Place.of)
    return [event for event in events if Place.of(event).ms < complete_to_ms][:limit]
