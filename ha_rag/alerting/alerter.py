"""Alerter: watches the fleet and sends alerts. Any number can run: together they report each incident once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from ha_rag.alerting.conditions import (
    ConditionTimes,
    current_incidents,
    opening_incident,
    redis_incident,
    resolution,
    unreported,
)
from ha_rag.alerting.incident import Incident
from ha_rag.alerting.notifier import CLAIM_MS, Notifier
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.errors import LedgerError, LedgerRefusedError
from ha_rag.ledger.store.alerts import AlertStore
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.monitor.snapshot import FleetSnapshot
from ha_rag.monitor.watcher import Watcher

log = logging.getLogger(__name__)


class Alerter:
    """Used on one event loop. `consumer`: this alerter's name among the others."""

    def __init__(
        self, watcher: Watcher, store: AlertStore, notifier: Notifier, policy: AlertPolicy, *, consumer: str
    ) -> None:
        self._watcher = watcher
        self._store = store
        self._notifier = notifier
        self._policy = policy
        self._consumer = consumer
        self._times = ConditionTimes()
        self._redis_reported: Incident | None = None
        self._pending: dict[tuple[str, str], StreamEntry] = {}

    async def run(self) -> None:
        """Watches until cancelled."""
        async with aclosing(self._watcher.snapshots()) as snapshots:
            async for snapshot in snapshots:
                try:
                    await self.check(snapshot)
                except LedgerRefusedError as error:
                    # Often lasting, such as a missing permission: no alert is sent until it is fixed.
                    log.warning("alerts are delayed because Redis refuses a command: %s", error)
                except LedgerError as error:
                    log.info("alerts are delayed: %s", error)
                except Exception:
                    # One unexpected snapshot must not end the alerter.
                    log.exception("checking for alerts failed; it is retried with the next snapshot")

    async def check(self, snapshot: FleetSnapshot) -> None:
        """Reports new and resolved incidents of this snapshot and of new events. Raises LedgerError."""
        self._times = self._times.after(snapshot, self._policy)
        await self._report_redis(snapshot)
        if not snapshot.redis.reachable:
            return
        opened = await self._report_openings([c.name for c in snapshot.circuits if c.scope == "fleet"])
        active = await self._notifier.active()
        new = unreported(current_incidents(snapshot, self._times, self._policy, active), active)
        if new:
            await self._notifier.report(new)
        # The snapshot may be older than an event that was taken after it: the next one says whether that is over.
        judged = [incident for key, incident in active.items() if key not in opened]
        resolved = [(i, why) for i in judged if (why := resolution(i, snapshot, self._times, self._policy))]
        if resolved:
            await self._notifier.resolve(resolved)

    async def _report_openings(self, circuits: Sequence[str]) -> set[str]:
        """Acknowledges events once they are reported or are no incidents; the others are retried by later checks.

        Returns the keys of the incidents that the events are.
        """
        if any(opening_incident(event) for event in await self._take(circuits)):
            await asyncio.sleep(self._policy.group_s)
            await self._take(circuits)
        events, active = list(self._pending.values()), await self._notifier.active()
        openings = {incident.key: incident for event in events if (incident := opening_incident(event))}
        new = unreported(openings.values(), active)
        if not new or await self._notifier.report(new):
            await self._acknowledge(events)
        return set(openings)

    async def _take(self, circuits: Sequence[str]) -> list[StreamEntry]:
        events = await self._store.take(circuits, self._consumer, CLAIM_MS)
        self._pending |= {(event.circuit, event.id): event for event in events}
        return events

    async def _acknowledge(self, events: Sequence[StreamEntry]) -> None:
        for event in events:
            await self._store.acknowledge(event)
            self._pending.pop((event.circuit, event.id), None)

    async def _report_redis(self, snapshot: FleetSnapshot) -> None:
        lost, reported = redis_incident(snapshot, self._times, self._policy), self._redis_reported
        if lost is not None and reported is None and await self._notifier.report_directly(lost):
            self._redis_reported = lost
        back = self._times.redis_lost_since is None
        if reported is not None and back and await self._notifier.report_directly(reported, resolved=True):
            self._redis_reported = None
