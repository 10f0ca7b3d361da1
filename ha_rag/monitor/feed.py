"""Feed: what one watcher of the fleet is sent: first the whole picture, then what is new to him."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.snapshot import FleetSnapshot, TimelineEvent
from ha_rag.monitor.watcher import Watcher


@dataclass(frozen=True, slots=True)
class News:
    """A picture, and what happened since the last one. After the first one histories hold new points only."""

    snapshot: FleetSnapshot
    events: list[TimelineEvent]


async def feed(watcher: Watcher, place: Place | None = None) -> AsyncGenerator[News]:
    """News without end. `place`: the last event that the reader knows; None: he wants what happens from now on.

    Events that only this process saw have no id, and are told to those who are there. Close it when you stop reading.
    """
    timeline = watcher.timeline
    if place is None:
        await watcher.look()  # what the streams tell until here was before
    number, known = timeline.number, timeline.place
    missed = await watcher.events_between(place, known) if place is not None else []
    shown_at = 0.0
    async with aclosing(watcher.snapshots()) as snapshots:
        async for snapshot in snapshots:
            new = [event for event in timeline.since(number) if not _known(event, place)]
            number = timeline.number
            yield News(newer(snapshot, shown_at), [*missed, *new])
            missed, shown_at = [], snapshot.at


def _known(event: TimelineEvent, place: Place | None) -> bool:
    """Another process may have told more than this one knew: what the reader has is not told again."""
    return place is not None and bool(event.id) and Place.parse(event.id) <= place


def newer(snapshot: FleetSnapshot, at: float) -> FleetSnapshot:
    """The picture with what is younger than `at` in its histories only, and without its timeline: a reader adds up."""
    if not at:
        return snapshot
    after = round(at, 1)
    circuits = tuple(
        replace(circuit, history=tuple(rate for rate in circuit.history if rate.at > after))
        for circuit in snapshot.circuits
    )
    points = tuple(point for point in snapshot.traffic.history if point.at > after)
    return replace(snapshot, circuits=circuits, traffic=replace(snapshot.traffic, history=points), timeline=())
