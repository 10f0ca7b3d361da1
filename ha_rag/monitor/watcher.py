"""Watcher: looks at the fleet again and again, remembers, and hands the latest picture to whoever watches.

Once a second while somebody does, and at once when a circuit changes; now and then otherwise, so that a page opened in
the middle of an outage shows how it began. It only reads, and nothing that answers questions waits for it.
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
from ha_rag.monitor.arrivals import arrivals
from ha_rag.monitor.heartbeats import freshness
from ha_rag.monitor.history import History
from ha_rag.monitor.picture import fleet_snapshot
from ha_rag.monitor.reading import NO_REDIS, Reading
from ha_rag.monitor.snapshot import FleetSnapshot, RedisPicture, TimelineEvent
from ha_rag.monitor.timeline import Timeline, own_event, shared_event

LOOK_S = 1.0
"""Between two looks while somebody watches."""

IDLE_S = 5.0
"""Between two looks while nobody does, in a fleet of up to fifty; longer in a larger one."""

GATHER_S = 0.05
"""What changes together is shown together."""

SETTLE_S = 10.0
"""After Redis was away: until every replica can have told again that it lives."""

_AT_ONCE = (CircuitChanged, OverrideChanged, LedgerLost, LedgerBack)

log = logging.getLogger(__name__)


class Source(Protocol):
    """What is looked at; a CircuitRegistry is one. `ledger`: the shared one, None where this process is alone."""

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
    """Watches one fleet from one process. Used on one event loop; `snapshot` may be read from anywhere."""

    def __init__(self, source: Source, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()
        self._history = History()
        self.timeline = Timeline()
        self._replicas: tuple[ReplicaReport, ...] | None = None
        self._blind_until_s = self._clock.monotonic_s()
        self._stirred = asyncio.Event()
        self._news = asyncio.Condition()
        self._looking = asyncio.Lock()
        self._watching = 0
        self._number = 0
        self._snapshot = fleet_snapshot(self._reading((), FleetReport((), "local"), NO_REDIS), self._history)
        source.add_sink(self.hear)

    @property
    def snapshot(self) -> FleetSnapshot:
        """The latest picture."""
        return self._snapshot

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Watcher]:
        """Looks until the block is left."""
        looking = asyncio.create_task(self._look_on())
        try:
            yield self
        finally:
            await end(looking)

    async def snapshots(self) -> AsyncGenerator[FleetSnapshot]:
        """A fresh picture at once, and then each next one. Close the iterator when you stop watching."""
        self._watching += 1
        self._stirred.set()
        known = self._number
        try:
            while True:
                known = await self._later_than(known)
                yield self._snapshot
        finally:
            self._watching -= 1

    async def events_between(self, place: Place, last: Place | None) -> list[TimelineEvent]:
        """The events of the streams after `place`, up to `last`, as far as Redis still keeps and tells them."""
        ledger, told = self._source.ledger, list[TimelineEvent]()
        if ledger is None or last is None:
            return told
        names = [c.name for c in self._snapshot.circuits if c.scope == "fleet"]
        with contextlib.suppress(LedgerError):
            while place < last and (events := await events_after(ledger, names, place)):
                place = Place.of(events[-1])
                told += [shared_event(event) for event in events if Place.of(event) <= last]
        return told

    async def look(self) -> FleetSnapshot:
        """Looks now. One at a time: two that read the streams on from one place would tell of everything twice."""
        async with self._looking:
            return await self._look()

    async def _look(self) -> FleetSnapshot:
        circuits, fleet, redis = await asyncio.gather(self._source.circuits(), self._source.fleet(), self._redis())
        if redis.reachable:
            await self._read_on([c.name for c in circuits if c.scope == "fleet"])
        self._note_arrivals(fleet, heard=redis.reachable)
        reading = self._reading(circuits, fleet, redis)
        self._history = self._history.after(reading)
        async with self._news:
            self._snapshot = fleet_snapshot(reading, self._history)
            self._number += 1
            self._news.notify_all()
        return self._snapshot

    async def recent(self, at_most_s: float) -> FleetSnapshot:
        """The latest picture, made anew if it is older than that: once for all who ask meanwhile."""
        if self._is_recent(at_most_s):
            return self._snapshot
        async with self._looking:
            return self._snapshot if self._is_recent(at_most_s) else await self._look()

    def _is_recent(self, at_most_s: float) -> bool:
        age_s = self._clock.unix_ms() / 1000 - self._snapshot.at
        return self._number > 0 and 0 <= age_s <= at_most_s

    def hear(self, event: Event, /) -> None:
        """A sink: notes what only this process sees, and looks at once at what everybody should see."""
        told = own_event(event)
        if told is not None:
            self.timeline.seen(told)
        if isinstance(event, _AT_ONCE):
            self._stirred.set()

    async def _later_than(self, number: int) -> int:
        async with self._news:
            await self._news.wait_for(lambda: self._number != number)
            return self._number

    async def _look_on(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                # Whatever it is, a dashboard that stopped looking would go on showing what was.
                log.exception("a look at the fleet failed")
            await self._rest()

    async def _rest(self) -> None:
        pause_s = LOOK_S if self._watching else max(IDLE_S, len(self._replicas or ()) * IDLE_S / 50)
        try:
            async with asyncio.timeout(pause_s):
                await self._stirred.wait()
                await asyncio.sleep(GATHER_S)
        except TimeoutError:
            pass
        self._stirred.clear()

    async def _redis(self) -> RedisPicture:
        ledger = self._source.ledger
        if ledger is None:
            return NO_REDIS
        try:
            return _redis_picture(await ledger.health())
        except LedgerError as error:
            return RedisPicture(configured=True, reachable=False, problem=str(error))

    async def _read_on(self, circuits: Sequence[str]) -> None:
        """Reads the streams on from where the timeline stands."""
        ledger = self._source.ledger
        if ledger is None:
            return
        try:
            place = self.timeline.place
            if place is None:
                self.timeline.shared(await latest_events(ledger, circuits))
            else:
                self.timeline.shared(await events_after(ledger, circuits, place))
        except LedgerError as error:
            log.debug("the timeline is read on later: %s", error)

    def _note_arrivals(self, fleet: FleetReport, *, heard: bool) -> None:
        """Who came and went. While Redis is away, and until all can have beaten again, nobody can tell."""
        now_s = self._clock.monotonic_s()
        if not heard or not fleet.now_ms:
            self._blind_until_s = now_s + SETTLE_S
            return
        if self._replicas is not None and now_s >= self._blind_until_s:
            for event in arrivals(self._replicas, fleet.replicas, fleet.now_ms, self._clock.unix_ms() / 1000):
                self.timeline.seen(event)
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
