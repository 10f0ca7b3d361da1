"""Reading: the raw result of one poll of the fleet."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.breaker.report import CircuitReport, ReplicaReport
from ha_rag.monitor.snapshot import Freshness, RedisPicture, TimelineEvent

NO_REDIS = RedisPicture(configured=False, reachable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of one poll. `at`: this process's clock, in Unix seconds. `timeline`: newest first. Immutable.

    `ledger_ms`: the ledger's clock at that moment; 0 if it was unreachable.
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
