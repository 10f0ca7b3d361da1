"""Which replicas joined, left and were lost from poll to poll.

A clean stop takes a replica off the list; of one that is killed or cut off the list keeps the last heartbeat. So a
replica is reported as lost only if it is: how often somebody looks makes no difference.

A replica that is missing is reported only after it had time to send another heartbeat: a Redis that restarts or is
flushed between two polls lists no replica for a moment, although all of them run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ha_rag.breaker.report import ReplicaReport, replica_name
from ha_rag.ledger.sync.pace import Pace
from ha_rag.monitor.snapshot import LostReplica, TimelineEvent

MISSED_BEATS = 2.5
"""A replica is reported once it has been missing for this many heartbeats."""

MAX_LOST = 100
"""Lost replicas listed, at most."""

MAX_EVENTS = 200
"""As many as a timeline keeps."""

Silent = Mapping[str, int]
"""Incarnations that did not leave and send no heartbeats -> the last one, by the ledger's clock in ms."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A replica that is not listed as live. `since_s`: monotonic."""

    incarnation: str
    name: str
    since_s: float


def lost_replicas(silent: Silent, live: Iterable[ReplicaReport], now_ms: int) -> tuple[LostReplica, ...]:
    """The silent replicas, by name, except those of a name that is live again. `now_ms`: the ledger's clock."""
    names = {replica.name for replica in live}
    last: dict[str, int] = {}
    for incarnation, at_ms in silent.items():
        name = replica_name(incarnation)
        last[name] = max(at_ms, last.get(name, 0))
    lost = [(name, at_ms) for name, at_ms in sorted(last.items()) if name not in names]
    return tuple(LostReplica(name=name, silent_s=max(0.0, now_ms - at_ms) / 1000) for name, at_ms in lost[:MAX_LOST])


class Attendance:
    """The replicas of one fleet, as seen by one process.

    It keeps names, not reports: ten thousand of them would be freed in the same step in which they are compared.
    """

    def __init__(self) -> None:
        self._there: dict[str, str] | None = None
        """Incarnation -> name."""
        self._missing: dict[str, _Missing] = {}

    def after(
        self, now: Sequence[ReplicaReport], silent: Silent, now_ms: int, now_s: float, at: float
    ) -> list[TimelineEvent]:
        """The events up to this poll; none for the first. `now_ms`: the ledger's clock; `at`: our clock, in Unix s.

        At most `MAX_EVENTS` of each kind: any client of Redis can make ten thousand replicas join.
        """
        before, self._there = self._there, {replica.incarnation: replica.name for replica in now}
        if before is None:
            return []
        new = (replica for replica in now if replica.incarnation not in before)
        joined = [replica for replica in new if replica.incarnation not in self._missing]
        for incarnation, name in before.items():
            if incarnation not in self._there:
                self._missing.setdefault(incarnation, _Missing(incarnation, name, now_s))
        missed_s = MISSED_BEATS * Pace(max(1, len(before))).beat_s
        self._missing = {name: gone for name, gone in self._missing.items() if name not in self._there}
        gone = [one for one in self._missing.values() if now_s - one.since_s >= missed_s]
        for one in gone:
            del self._missing[one.incarnation]
        return [*_joined(joined[-MAX_EVENTS:], at), *_gone(gone[-MAX_EVENTS:], silent, now_ms, at)]


def _joined(replicas: Iterable[ReplicaReport], at: float) -> Iterator[TimelineEvent]:
    for replica in replicas:
        yield TimelineEvent(id="", at=at, kind="replica_joined", by=replica.name, reason="joined the fleet")


def _gone(replicas: Iterable[_Missing], silent: Silent, now_ms: int, at: float) -> Iterator[TimelineEvent]:
    for one in replicas:
        last_ms = silent.get(one.incarnation)
        if last_ms is not None:
            reason = f"no heartbeat for {(now_ms - last_ms) / 1000:.0f} s"
            yield TimelineEvent(id="", at=at, kind="replica_lost", by=one.name, reason=reason)
        else:
            yield TimelineEvent(id="", at=at, kind="replica_left", by=one.name, reason="stopped")
