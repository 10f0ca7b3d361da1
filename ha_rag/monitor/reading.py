"""Reading: the raw result of one poll of the fleet."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.breaker.report import CircuitReport, ReplicaReport
from ha_rag.messages import Quality
from ha_rag.monitor.snapshot import Freshness, LostReplica, RedisPicture, TimelineEvent
from ha_rag.telemetry.satisfaction import Satisfaction

NO_REDIS = RedisPicture(configured=False, reachable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of one poll. `at`: this process's clock, in Unix seconds. `timeline`: newest first. Immutable.

    `lost`: replicas whose heartbeats stopped although they did not leave.

    `ledger_ms`: the ledger's clock at that moment; 0 if it was unreachable. `hidden`: how many more circuits there are.
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
    hidden: int = 0
    satisfaction: tuple[Satisfaction, ...] = ()
    quality: Quality | None = None
    lost: tuple[LostReplica, ...] = ()
