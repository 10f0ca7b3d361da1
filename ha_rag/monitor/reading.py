"""Reading: what one look at the fleet found, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.breaker.report import CircuitReport, ReplicaReport
from ha_rag.monitor.snapshot import Freshness, RedisPicture, TimelineEvent

NO_REDIS = RedisPicture(configured=False, reachable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look. `at`: Unix seconds of this process. `timeline`: newest first. Immutable.

    `ledger_ms`: the shared clock at that moment; 0 where it was not heard.
    """

    at: float
    told_by: str
    shared_state: Freshness
    reason: str = ""
    circuits: tuple[CircuitReport, ...] = ()
    replicas: tuple[ReplicaReport, ...] = ()
    ledger_ms: int = 0
    timeline: tuple[TimelineEvent, ...] = ()
    redis: RedisPicture = NO_REDIS
