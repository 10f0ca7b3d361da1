"""Which replicas joined and left between two polls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ha_rag.breaker.report import ReplicaReport
from ha_rag.ledger.sync.pace import Pace
from ha_rag.monitor.snapshot import TimelineEvent

MISSED_BEATS = 2.5
"""A replica that is gone after missing this many heartbeats was lost: a clean stop removes its heartbeat at once."""


def membership_events(
    before: Sequence[ReplicaReport], now: Sequence[ReplicaReport], now_ms: int, at: float
) -> Iterable[TimelineEvent]:
    """Events for the changes from `before` to `now`. `now_ms`: the ledger's clock; `at`: our clock, in seconds."""
    missed_s = MISSED_BEATS * Pace(max(1, len(before))).beat_s
    known, alive = {r.incarnation for r in before}, {r.incarnation for r in now}
    for replica in now:
        if replica.incarnation not in known:
            yield TimelineEvent(id="", at=at, kind="replica_joined", by=replica.name, reason="joined the fleet")
    for replica in before:
        if replica.incarnation in alive:
            continue
        silent_s = (now_ms - replica.at_ms) / 1000
        if silent_s > missed_s:
            reason = f"no heartbeat for {silent_s:.0f} s"
            yield TimelineEvent(id="", at=at, kind="replica_lost", by=replica.name, reason=reason)
        else:
            yield TimelineEvent(id="", at=at, kind="replica_left", by=replica.name, reason="stopped")
