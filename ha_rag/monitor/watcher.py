"""Watcher: polls the fleet, keeps its history, and provides the latest snapshot.

It polls once a second while there are readers, at once when a circuit changes, and less often otherwise, so that a page
opened during an outage shows how it began. It only reads, and answering questions never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from ha_rag.breaker.report import CircuitReport, FleetReport
from ha_rag.cancellation import end, gathered
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerError
from ha_rag.events import CircuitChanged, Event, LedgerBack, LedgerLost, OverrideChanged, Sink
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.store.timeline import Place, events_after, latest_events
from ha_rag.messages import Quality
from ha_rag.monitor import words
from ha_rag.monitor.heartbeats import freshness
from ha_rag.monitor.history import History
from ha_rag.monitor.ledger_reads import redis_picture, silent_replicas
from ha_rag.monitor.membership import Attendance, Silent, lost_replicas
from ha_rag.monitor.picture import fleet_snapshot
from ha_rag.monitor.reading import NO_REDIS, Reading
from ha_rag.monitor.snapshot import FleetSnapshot, RedisPicture, TimelineEvent
from ha_rag.monitor.timeline import KEPT, Timeline, own_event, own_override, shared_event
from ha_rag.redaction import NOTHING_KNOWN, Redactor
from ha_rag.telemetry.satisfaction import Satisfaction

POLL_S = 1.0
"""Poll interval while there are readers."""

IDLE_POLL_S = 5.0
"""Poll interval without readers, for up to fifty replicas; grows with the fleet."""

COALESCE_S = 0.05
"""At least between two polls. The first change is polled at once, those of the next moment together."""

MAX_CIRCUITS = 2_000
"""Circuits whose history is kept and shown; those that were shown before come first."""

MANY = 200
"""Circuits and replicas from which on a snapshot is made in a thread."""

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
    """Polls one fleet. Used on one event loop; `snapshot` may be read from any thread.

    `satisfaction`: what the fleet's people thought of answers, as far as this process knows. `quality`: what this
    process expects of a question that is asked now.
    `redactor`: strikes this process's secrets out of what others have written to Redis.
    """

    def __init__(
        self,
        source: Source,
        clock: Clock | None = None,
        redactor: Redactor = NOTHING_KNOWN,
        satisfaction: Callable[[], tuple[Satisfaction, ...]] = tuple,
        quality: Callable[[], Quality | None] = lambda: None,
    ) -> None:
        self._satisfaction, self._quality = satisfaction, quality
        self._source = source
        self._redactor = redactor
        self._names: tuple[str, ...] = ()
        self._overridden: dict[str, int] = {}
        self._clock = clock or SystemClock()
        self._history = History()
        self.timeline = Timeline(redactor)
        self._attendance = Attendance()
        self._replicas = 0
        self._settled_at_s = self._clock.monotonic_s()
        self._poll_now = asyncio.Event()
        self._began_s = 0.0
        self._updated = asyncio.Condition()
        self._poll_lock = asyncio.Lock()
        self._readers = 0
        self._number = 0
        self._snapshot = fleet_snapshot(self._reading((), FleetReport((), "local"), NO_REDIS, {}), self._history)
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
        with contextlib.suppress(LedgerError):
            while place < last and (events := await events_after(ledger, self._names, place)):
                place = Place.of(events[-1])
                found += [shared_event(event) for event in events if Place.of(event) <= last]
        shown: list[TimelineEvent] = self._redactor.redacted_in(found)
        return shown

    async def poll(self) -> FleetSnapshot:
        """Polls now. One poll at a time: concurrent ones would read the same events twice."""
        async with self._poll_lock:
            return await self._poll()

    async def _poll(self) -> FleetSnapshot:
        every, fleet, redis = await gathered(
            self._source.circuits(), self._source.fleet(), redis_picture(self._source.ledger)
        )
        circuits = self._shown(every)
        silent: Silent = {}
        if redis.reachable:
            names = [c.name for c in circuits if c.scope == "fleet" or c.order_epoch]
            silent, _ = await gathered(silent_replicas(self._source.ledger, fleet), self._read_streams(names))
        self._update_membership(fleet, silent, reachable=redis.reachable)
        reading = replace(self._reading(circuits, fleet, redis, silent), hidden=len(every) - len(circuits))
        if len(circuits) + len(fleet.replicas) > MANY:
            history, snapshot = await asyncio.to_thread(self._next, reading, self._history)
        else:
            history, snapshot = self._next(reading, self._history)
        async with self._updated:
            self._history, self._snapshot = history, snapshot
            self._names = tuple(c.name for c in circuits)
            self._number += 1
            self._updated.notify_all()
        return self._snapshot

    def _shown(self, circuits: Sequence[CircuitReport]) -> Sequence[CircuitReport]:
        if len(circuits) <= MAX_CIRCUITS:
            return circuits
        before = frozenset(self._names)
        ordered = sorted(circuits, key=lambda circuit: (circuit.name not in before, circuit.name))
        return sorted(ordered[:MAX_CIRCUITS], key=lambda circuit: circuit.name)

    def _next(self, reading: Reading, before: History) -> tuple[History, FleetSnapshot]:
        history = before.after(reading)
        return history, self._redactor.redacted_in(fleet_snapshot(reading, history))

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
        if isinstance(event, LedgerLost | LedgerBack) and not event.circuit:
            self._settled_at_s = self._clock.monotonic_s() + SETTLE_S
        own = self._own_event(event)
        if own is not None:
            self.timeline.add(own)
        if isinstance(event, _POLL_AT_ONCE):
            self._poll_now.set()

    def _own_event(self, event: Event) -> TimelineEvent | None:
        """Without Redis overrides are events of this process; what an override does to the circuit is part of it."""
        if self._source.ledger is None and isinstance(event, OverrideChanged):
            self._overridden[event.circuit] = event.epoch
            return own_override(event)
        if isinstance(event, CircuitChanged) and self._overridden.get(event.circuit) == event.epoch:
            return None
        return own_event(event)

    async def _newer_than(self, number: int) -> int:
        async with self._updated:
            await self._updated.wait_for(lambda: self._number != number)
            return self._number

    async def _poll_forever(self) -> None:
        while True:
            self._began_s = self._clock.monotonic_s()
            try:
                await self.poll()
            except Exception:
                # Keep polling after any error: a stopped dashboard would show an old state.
                log.exception("polling the fleet failed; it will be polled again")
            await self._wait()

    async def _wait(self) -> None:
        pause_s = POLL_S if self._readers else max(IDLE_POLL_S, self._replicas * IDLE_POLL_S / 50)
        try:
            async with asyncio.timeout(pause_s):
                await self._poll_now.wait()
        except TimeoutError:
            pass
        await asyncio.sleep(max(0.0, self._began_s + COALESCE_S - self._clock.monotonic_s()))
        self._poll_now.clear()

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

    def _update_membership(self, fleet: FleetReport, silent: Silent, *, reachable: bool) -> None:
        """Records joins and losses; not while Redis is unreachable, nor until heartbeats had time to resume."""
        now_s = self._clock.monotonic_s()
        if not reachable or not fleet.now_ms:
            self._settled_at_s = now_s + SETTLE_S
            return
        events = self._attendance.after(fleet.replicas, silent, fleet.now_ms, now_s, self._clock.unix_ms() / 1000)
        if now_s >= self._settled_at_s:
            for event in events[-KEPT:]:  # no more are kept
                self.timeline.add(replace(event, text=words.text(event)))
        self._replicas = len(fleet.replicas)

    def _reading(
        self, circuits: Sequence[CircuitReport], fleet: FleetReport, redis: RedisPicture, silent: Silent
    ) -> Reading:
        return Reading(
            at=self._clock.unix_ms() / 1000,
            told_by=self._source.replica,
            shared_state=freshness(self._source.shared_state if fleet.was_read else "local"),
            reason=fleet.reason,
            circuits=tuple(circuits),
            replicas=fleet.replicas,
            ledger_ms=fleet.now_ms,
            timeline=self.timeline.newest_first(),
            redis=redis,
            satisfaction=self._satisfaction(),
            quality=self._quality(),
            lost=lost_replicas(silent, fleet.replicas, fleet.now_ms),
        )
