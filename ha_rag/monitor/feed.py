"""The updates sent to one client: first the whole snapshot, then what is new."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.snapshot import FleetSnapshot, TimelineEvent
from ha_rag.monitor.watcher import Watcher


@dataclass(frozen=True, slots=True)
class FleetUpdate:
    """A snapshot and the events since the last one. After the first update, histories hold new points only."""

    snapshot: FleetSnapshot
    events: list[TimelineEvent]


async def feed(watcher: Watcher, place: Place | None = None) -> AsyncGenerator[FleetUpdate]:
    """Updates without end. `place`: the last event that the client knows; None: it wants events from now on.

    Events that only this process saw have no id and are sent to connected clients only. Close the generator after use.
    """
    timeline = watcher.timeline
    if place is None:
        await watcher.poll()  # events up to here are old
    number, latest = timeline.number, timeline.place
    missed = await watcher.events_between(place, latest) if place is not None else []
    sent_at = 0.0
    async with aclosing(watcher.snapshots()) as snapshots:
        async for snapshot in snapshots:
            new = [event for event in timeline.since(number) if not _known(event, place)]
            number = timeline.number
            yield FleetUpdate(delta(snapshot, sent_at), [*missed, *new])
            missed, sent_at = [], snapshot.at


def _known(event: TimelineEvent, place: Place | None) -> bool:
    """The client may already have it: another process may have sent later events than this one had read."""
    try:
        return place is not None and bool(event.id) and Place.parse(event.id) <= place
    except ConfigurationError:  # a secret was struck out of it
        return False


def delta(snapshot: FleetSnapshot, at: float) -> FleetSnapshot:
    """The snapshot with only the history points after `at`, and without its timeline; clients merge it."""
    if not at:
        return snapshot
    after = round(at, 1)
    circuits = tuple(
        replace(circuit, history=tuple(rate for rate in circuit.history if rate.at > after))
        for circuit in snapshot.circuits
    )
    points = tuple(point for point in snapshot.traffic.history if point.at > after)
    return replace(snapshot, circuits=circuits, traffic=replace(snapshot.traffic, history=points), timeline=())
