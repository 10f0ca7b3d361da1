"""What the picture of a fleet needs from the ledger itself: its health, and the replicas that fell silent."""

from __future__ import annotations

import logging

from ha_rag.breaker.report import FleetReport
from ha_rag.errors import LedgerError
from ha_rag.ledger.store.ledger import Ledger, StoreHealth
from ha_rag.ledger.sync.pace import Pace
from ha_rag.monitor.membership import MISSED_BEATS, Silent
from ha_rag.monitor.reading import NO_REDIS
from ha_rag.monitor.snapshot import RedisPicture

log = logging.getLogger(__name__)


async def redis_picture(ledger: Ledger | None) -> RedisPicture:
    """Whether Redis answers, and how it does. Never fails."""
    if ledger is None:
        return NO_REDIS
    try:
        return _picture(await ledger.health())
    except LedgerError as error:
        return RedisPicture(configured=True, reachable=False, problem=str(error))


async def silent_replicas(ledger: Ledger | None, fleet: FleetReport) -> Silent:
    """The replicas that did not leave and have no heartbeat left; none where Redis does not say."""
    if ledger is None or not fleet.now_ms:
        return {}
    live = {replica.incarnation for replica in fleet.replicas}
    missed_ms = MISSED_BEATS * Pace(max(1, len(live))).beat_s * 1000
    try:
        silent = await ledger.fallen_silent(fleet.now_ms - int(missed_ms))
    except LedgerError as error:
        log.debug("reading the list of replicas failed, and is retried at the next poll: %s", error)
        return {}
    return {name: at_ms for name, at_ms in silent.items() if name not in live}


def _picture(health: StoreHealth) -> RedisPicture:
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
