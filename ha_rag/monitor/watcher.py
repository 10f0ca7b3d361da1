"""Watcher: polls the fleet, keeps its history, and provides the latest snapshot.

It polls once a second while there are readers, at once when a circuit changes, and less often otherwise, so that a page
opened during an outage shows how it began. It only reads, and answering questions never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from ha_rag.breaker.report import CircuitReport, FleetReport, ReplicaReport
from ha_rag.cancellation import end
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerError
from ha_rag.events import CircuitChanged, Event, LedgerBack, LedgerLost, OverrideChanged, Sink
from ha_rag.ledger.store.ledger import Ledger, StoreHealth
from ha_rag.ledger.store.timeline import Place, events_after, latest_events
from ha_rag.monitor.heartbeats import freshness
from ha_rag.monitor.history import History
from ha_rag.monitor.membership import membership_events
from ha_rag.monitor.picture import fleet_snapshot
from ha_rag.monitor.reading import NO_REDIS, Reading
from ha_rag.monitor.snapshot import FleetSnapshot, RedisPicture, TimelineEvent
from ha_rag.monitor.timeline import Timeline, own_event, shared_event

POLL_S = 1.0
"""Poll interval while there are readers."""

IDLE_POLL_S = 5.0
"""Poll interval without readers, for up to fifty replicas; grows with the fleet."""

COALESCE_S = 0.05
"""Delay after a change before polling, so that simultaneous changes take one poll."""

SETTLE_S = 10.0
"""After an outage of Redis: until every replica has had time to send a heartbeat again."""

_POLL_AT_ONCE = (CircuitChanged, OverrideChanged, LedgerLost, LedgerBack)

log = logging.getLogger(__name__)


class Source(Protocol):
    """What is polled, such as a CircuitRegistry. `ledger`: the shared ledger; None without Redis."""

    @property
    def replica(self) -> str: ...
    @property
    def shared_state(self) -> str: ...
    @property
    def ledger(self) -> Ledger | None: ...
    async def circuits(self) -> Sequence[CircuitReport]: ...
    async def fleet(self) -> FleetReport: ...
    def add_sink(self, sink: Sink) -> None: ...


class Watcher:
    """Polls one fleet. Used on one event loop; `snapshot` may be read from any thread."""

    def __init__(self, source: Source, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()
        self._history = History()
        self.timeline = Timeline()
        self._replicas: tuple[ReplicaReport, ...] | None = None
        self._settled_at_s = self._clock.monotonic_s()
        self._poll_now = asyncio.Event()
        self._updated = asyncio.Condition()
        self._poll_lock = asyncio.Lock()
        self._readers = 0
        self._number = 0
        self._snapshot = fleet_snapshot(self._reading((), FleetReport((), "local"), NO_REDIS), self._history)
        source.add_sink(self.on_event)

    @property
    def snapshot(self) -> FleetSnapshot:
        """The latest snapshot."""
        return self._snapshot

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Watcher]:
        """Polls until the block is left."""
        polling = asyncio.create_task(self._poll_forever())
        try:
            yield self
        finally:
            await end(polling)

    async def snapshots(self) -> AsyncGenerator[FleetSnapshot]:
        """A fresh snapshot at once, and then every new one. Close the generator after use."""
        self._readers += 1
        self._poll_now.set()
        known = self._number
        try:
            while True:
                known = await self._newer_than(known)
                yield self._snapshot
        finally:
            self._readers -= 1

    async def events_between(self, place: Place, last: Place | None) -> list[TimelineEvent]:
        """The events of the streams after `place` up to `last`, as far as Redis still has them and is reachable."""
        ledger, found = self._source.ledger, list[TimelineEvent]()
        if ledger is None or last is None:
            return found
        names = [c.name for c in self._snapshot.circuits if c.scope == "fleet"]
        with contextlib.suppress(LedgerError):
            while place < last and (events := await events_after(ledger, names, place)):
                place = Place.of(events[-1])
                found += [shared_event(event) for event in events if Place.of(event) <= last]
        return found

    async def poll(self) -> FleetSnapshot:
        """Polls now. One poll at a time: concurrent ones would read the same events twice."""
        async with self._poll_lock:
            return await self._poll()

    async def _poll(self) -> FleetSnapshot:
        circuits, fleet, redis = await asyncio.gather(self._source.circuits(), self._source.fleet(), self._redis())
        if redis.reachable:
            await self._read_streams([c.name for c in circuits if c.scope == "fleet"])
        self._update_membership(fleet, reachable=redis.reachable)
        reading = self._reading(circuits, fleet, redis)
        self._history = self._history.after(reading)
        async with self._updated:
            self._snapshot = fleet_snapshot(reading, self._history)
            self._number += 1
            self._updated.notify_all()
        return self._snapshot

    async def recent(self, max_age_s: float) -> FleetSnapshot:
        """The latest snapshot; polls if it is older than `max_age_s` seconds, once for all concurrent callers."""
        if self._is_recent(max_age_s):
            return self._snapshot
        async with self._poll_lock:
            return self._snapshot if self._is_recent(max_age_s) else await self._poll()

    def _is_recent(self, max_age_s: float) -> bool:
        age_s = self._clock.unix_ms() / 1000 - self._snapshot.at
        return self._number > 0 and 0 <= age_s <= max_age_s

    def on_event(self, event: Event, /) -> None:
        """An event sink: records events that only this process sees, and polls at once after changes."""
        own = own_event(event)
        if own is not None:
            self.timeline.add(own)
        if isinstance(event, _POLL_AT_ONCE):
            self._poll_now.set()

    async def _newer_than(self, number: int) -> int:
        async with self._updated:
            await self._updated.wait_for(lambda: self._number != number)
            return self._number

    async def _poll_forever(self) -> None:
        while True:
            try:
                await self.poll()
            except Exception:
                # Keep polling after any error: a stopped dashboard would show an old state.
                log.exception("polling the fleet failed; it will be polled again")
            await self._wait()

    async def _wait(self) -> None:
        pause_s = POLL_S if self._readers else max(IDLE_POLL_S, len(self._replicas or ()) * IDLE_POLL_S / 50)
        try:
            async with asyncio.timeout(pause_s):
                await self._poll_now.wait()
                await asyncio.sleep(COALESCE_S)
        except TimeoutError:
            pass
        self._poll_now.clear()

    async def _redis(self) -> RedisPicture:
        ledger = self._source.ledger
        if ledger is None:
            return NO_REDIS
        try:
            return _redis_picture(await ledger.health())
        except LedgerError as error:
            return RedisPicture(configured=True, reachable=False, problem=str(error))

    async def _read_streams(self, circuits: Sequence[str]) -> None:
        """Reads new events from the streams into the timeline."""
        ledger = self._source.ledger
        if ledger is None:
            return
        try:
            place = self.timeline.place
            if place is None:
                self.timeline.add_shared(await latest_events(ledger, circuits))
            else:
                self.timeline.add_shared(await events_after(ledger, circuits, place))
        except LedgerError as error:
            log.debug("reading the timeline failed, and is retried at the next poll: %s", error)

    def _update_membership(self, fleet: FleetReport, *, reachable: bool) -> None:
        """Records joins and losses; not while Redis is unreachable, nor until heartbeats had time to resume."""
        now_s = self._clock.monotonic_s()
        if not reachable or not fleet.now_ms:
            self._settled_at_s = now_s + SETTLE_S
            return
        if self._replicas is not None and now_s >= self._settled_at_s:
            for event in membership_events(self._replicas, fleet.replicas, fleet.now_ms, self._clock.unix_ms() / 1000):
                self.timeline.add(event)
        self._replicas = fleet.replicas

    def _reading(self, circuits: Sequence[CircuitReport], fleet: FleetReport, redis: RedisPicture) -> Reading:
        return Reading(
            at=self._clock.unix_ms() / 1000,
            told_by=self._source.replica,
            shared_state=freshness(self._source.shared_state),
            reason=fleet.reason,
            circuits=tuple(circuits),
            replicas=fleet.replicas,
            ledger_ms=fleet.now_ms,
            timeline=self.timeline.newest_first(),
            redis=redis,
        )


def _redis_picture(health: StoreHealth) -> RedisPicture:
    return RedisPicture(
        configured=True,
        reachable=True,
        version=health.version,
        round_trip_ms=health.round_trip_ms,
        used_bytes=health.used_bytes,
        limit_bytes=health.limit_bytes,
        clients=health.clients,
        commands_per_s=health.commands_per_s,
        role=health.role,
        warnings=health.warnings,
    )
