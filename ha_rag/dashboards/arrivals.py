"""Who came and who went between two looks at the heartbeats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ha_rag.breaker.report import ReplicaReport
from ha_rag.dashboards.snapshot import TimelineEvent

MISSED_S = 2.5
"""Who vanishes with a heartbeat this old did not say goodbye: a clean stop strikes itself off at once."""


def arrivals(before: Sequence[ReplicaReport], now: Sequence[ReplicaReport], at: float) -> Iterable[TimelineEvent]:
    """What to tell of. `before`: the heartbeats of the last look that found any."""
    if not before:
        return
    known, living = {r.incarnation for r in before}, {r.incarnation for r in now}
    newest_ms = max(r.at_ms for r in (*before, *now))
    for replica in now:
        if replica.incarnation not in known:
            yield TimelineEvent(id="", at=at, kind="replica_joined", by=replica.name, reason="joined the fleet")
    for replica in before:
        if replica.incarnation in living:
            continue
        silent_s = (newest_ms - replica.at_ms) / 1000
        if silent_s > MISSED_S:
            reason = f"no heartbeat for {silent_s:.0f} s"
            yield TimelineEvent(id="", at=at, kind="replica_lost", by=replica.name, reason=reason)
        else:
            yield TimelineEvent(id="", at=at, kind="replica_left", by=replica.name, reason="stopped")
