"""Alerter: watches the fleet and tells people. Run as many as you like: together they tell each incident once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from ha_rag.alerting.conditions import Watch, only_new, opened, over, redis_lost, standing
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
        self._watch = Watch()
        self._alone: Incident | None = None
        self._held: dict[tuple[str, str], StreamEntry] = {}

    async def run(self) -> None:
        """Watches until cancelled."""
        async with aclosing(self._watcher.snapshots()) as snapshots:
            async for snapshot in snapshots:
                try:
                    await self.look(snapshot)
                except LedgerRefusedError as error:
                    # It may not pass by itself: a right is missing, say. Nobody is told of anything until it is mended.
                    log.warning("alerts wait, for Redis refuses them: %s", error)
                except LedgerError as error:
                    log.info("alerts wait: %s", error)
                except Exception:
                    # An alerter that died of one strange picture would be missed only when it is needed.
                    log.exception("a look for alerts failed")

    async def look(self, snapshot: FleetSnapshot) -> None:
        """Tells what this picture, and the events since the last one, have that is new. Raises LedgerError."""
        self._watch = self._watch.after(snapshot, self._policy)
        await self._tell_of_redis(snapshot)
        if not snapshot.redis.reachable:
            return
        await self._tell_of_events([circuit.name for circuit in snapshot.circuits if circuit.scope == "fleet"])
        told = await self._notifier.told()
        news = only_new(standing(snapshot, self._watch, self._policy, told), told)
        if news:
            await self._notifier.tell(news)
        ended = [(i, why) for i in told.values() if (why := over(i, snapshot, self._watch, self._policy))]
        if ended:
            await self._notifier.tell_over(ended)

    async def _tell_of_events(self, circuits: Sequence[str]) -> None:
        """An event is done with once it is told, or no incident; what could not be told is told by a later look."""
        if any(opened(event) for event in await self._taken(circuits)):
            await asyncio.sleep(self._policy.group_s)
            await self._taken(circuits)
        events, told = list(self._held.values()), await self._notifier.told()
        openings = {incident.key: incident for event in events if (incident := opened(event))}
        news = only_new(openings.values(), told)
        if not news or await self._notifier.tell(news):
            await self._done(events)

    async def _taken(self, circuits: Sequence[str]) -> list[StreamEntry]:
        events = await self._store.take(circuits, self._consumer, CLAIM_MS)
        self._held |= {(event.circuit, event.id): event for event in events}
        return events

    async def _done(self, events: Sequence[StreamEntry]) -> None:
        for event in events:
            await self._store.acknowledge(event)
            self._held.pop((event.circuit, event.id), None)

    async def _tell_of_redis(self, snapshot: FleetSnapshot) -> None:
        lost, told = redis_lost(snapshot, self._watch, self._policy), self._alone
        if lost is not None and told is None and await self._notifier.tell_alone(lost):
            self._alone = lost
        back = self._watch.redis_since is None
        if told is not None and back and await self._notifier.tell_alone(told, over=True):
            self._alone = None
