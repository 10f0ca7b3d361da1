"""Conditions for alerts: pure functions from snapshots and events to incidents. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ha_rag.alerting.incident import Incident
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.circuit.transitions import Trigger
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot

_MEMBERSHIP_KINDS = ("replica_joined", "replica_left", "replica_lost")

MAX_LOST_S = 3600.0
"""A replica lost for longer than this is taken to be removed on purpose; the incident is resolved."""


@dataclass(frozen=True, slots=True)
class ConditionTimes:
    """Since when answers are degraded and Redis is unreachable; kept between snapshots. Immutable."""

    degraded_since: float | None = None
    redis_lost_since: float | None = None

    def after(self, snapshot: FleetSnapshot, policy: AlertPolicy) -> ConditionTimes:
        """The times including this snapshot."""
        degraded = snapshot.traffic.per_s > 0 and snapshot.traffic.degraded_share >= policy.degraded_share
        lost = snapshot.redis.configured and not snapshot.redis.reachable
        return ConditionTimes(
            _since(self.degraded_since, degraded, snapshot.at), _since(self.redis_lost_since, lost, snapshot.at)
        )


def _since(before: float | None, holds: bool, at: float) -> float | None:
    if not holds:
        return None
    return at if before is None else before


def opening_incident(event: StreamEntry) -> Incident | None:
    """The incident of a stream entry, if it is an opening: from closed to open, and not by an override."""
    if (event.before, event.after) != ("closed", "open") or event.trigger == "forced open":
        return None
    restored = event.trigger == Trigger.RESTORED_OPEN
    seen = f"{event.failed} of {event.ok + event.failed} calls failed" if event.failed else ""
    return Incident(
        key=f"open:{event.circuit}",
        kind="open",
        subject=event.circuit,
        title=f"circuit {event.circuit} {'is open' if restored else 'opened'}",
        text=_joined(
            "Redis had lost it" if restored else "",
            event.reason,
            seen,
            f"{'restored' if restored else 'seen'} by {event.by.partition('~')[0]}" if event.by else "",
        ),
        since_ms=int(event.id.partition("-")[0]),
    )


def current_incidents(
    snapshot: FleetSnapshot, times: ConditionTimes, policy: AlertPolicy, active: Mapping[str, Incident]
) -> list[Incident]:
    """The incidents of this snapshot; openings come from events instead. `active`: reported, unresolved incidents."""
    return [
        *_long_open(snapshot, policy, active),
        *_flapping(snapshot, policy),
        *_replicas_lost(snapshot),
        *_degraded(snapshot, times, policy),
    ]


def resolution(incident: Incident, snapshot: FleetSnapshot, times: ConditionTimes, policy: AlertPolicy) -> str:
    """Why an incident is resolved; "" while it is not."""
    match incident.kind:
        case "open" | "long_open":
            return _circuit_resolution(_circuit(snapshot, incident.subject))
        case "flapping":
            return "" if _openings(snapshot, incident.subject, policy) else "it has not opened again"
        case "replica_lost":
            if any(replica.name == incident.subject for replica in snapshot.replicas):
                return "it is back"
            return "it has not come back" if snapshot.at - incident.since_ms / 1000 > MAX_LOST_S else ""
        case "degraded":
            return "" if times.degraded_since is not None else "answers are no longer degraded, or there is no traffic"
        case "redis_lost":
            return "" if times.redis_lost_since is not None else "it is reachable again"


def redis_incident(snapshot: FleetSnapshot, times: ConditionTimes, policy: AlertPolicy) -> Incident | None:
    """The loss of Redis. Alerters cannot coordinate without it: each reports it, under the same key."""
    if times.redis_lost_since is None or snapshot.at - times.redis_lost_since < policy.redis_after_s:
        return None
    return Incident(
        key="redis_lost",
        kind="redis_lost",
        subject="redis",
        title="Redis is unreachable",
        text=_joined(snapshot.redis.problem, "each replica runs alone; questions are still answered"),
        since_ms=round(times.redis_lost_since * 1000),
        critical=True,
    )


def _circuit(snapshot: FleetSnapshot, name: str) -> CircuitPicture | None:
    return next((circuit for circuit in snapshot.circuits if circuit.name == name), None)


def _circuit_resolution(circuit: CircuitPicture | None) -> str:
    if circuit is None:
        return "it is no longer in use"
    if circuit.state == "closed":
        return "it has closed"
    # Its state shows only with the next question.
    return "it is waiting for traffic" if circuit.waiting else ""


def _long_open(snapshot: FleetSnapshot, policy: AlertPolicy, active: Mapping[str, Incident]) -> Iterator[Incident]:
    for circuit in snapshot.circuits:
        opening = active.get(f"open:{circuit.name}")
        if opening is None or _circuit_resolution(circuit) or circuit.override is not None:
            continue
        open_s = snapshot.at - opening.since_ms / 1000
        if open_s >= policy.alert_after_s:
            yield Incident(
                key=f"long_open:{circuit.name}",
                kind="long_open",
                subject=circuit.name,
                title=f"circuit {circuit.name} has not closed for {policy.alert_after_s:.0f} s",
                text=_joined(circuit.reason, f"opened {circuit.open_count} times in a row"),
                since_ms=opening.since_ms,
                critical=True,
            )


def _openings(snapshot: FleetSnapshot, circuit: str, policy: AlertPolicy) -> int:
    since = snapshot.at - policy.flap_window_s
    return sum(
        event.kind == "circuit" and event.circuit == circuit and bool(event.id) and event.at >= since
        and (event.before, event.after) == ("closed", "open")
        for event in snapshot.timeline
    )  # fmt: skip


def _flapping(snapshot: FleetSnapshot, policy: AlertPolicy) -> Iterator[Incident]:
    for name in sorted({circuit.name for circuit in snapshot.circuits}):
        openings = _openings(snapshot, name, policy)
        if openings >= policy.flap_opens:
            yield Incident(
                key=f"flapping:{name}",
                kind="flapping",
                subject=name,
                title=f"circuit {name} is flapping",
                text=f"it opened {openings} times within {policy.flap_window_s:.0f} s",
                since_ms=round(snapshot.at * 1000),
            )


def _replicas_lost(snapshot: FleetSnapshot) -> Iterator[Incident]:
    alive = {replica.name for replica in snapshot.replicas}
    changes = [event for event in reversed(snapshot.timeline) if event.kind in _MEMBERSHIP_KINDS]
    for event in {event.by: event for event in changes}.values():  # the last one of each replica
        if event.kind == "replica_lost" and event.by not in alive and snapshot.at - event.at < MAX_LOST_S:
            yield Incident(
                key=f"replica_lost:{event.by}",
                kind="replica_lost",
                subject=event.by,
                title=f"replica {event.by} is lost",
                text=event.reason,
                since_ms=round(event.at * 1000),
            )


def _degraded(snapshot: FleetSnapshot, times: ConditionTimes, policy: AlertPolicy) -> Iterator[Incident]:
    since = times.degraded_since
    if since is not None and snapshot.at - since >= policy.degraded_for_s:
        yield Incident(
            key="degraded",
            kind="degraded",
            subject="answers",
            title=f"{snapshot.traffic.degraded_share:.0%} of answers are degraded",
            text=f"for {snapshot.at - since:.0f} s, at {snapshot.traffic.per_s:.1f} questions per second",
            since_ms=round(since * 1000),
            critical=True,
        )


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def unreported(incidents: Iterable[Incident], active: Mapping[str, Incident]) -> list[Incident]:
    """Those not reported yet. Openings of a flapping circuit are not reported separately."""
    return [
        incident
        for incident in incidents
        if incident.key not in active and not (incident.kind == "open" and f"flapping:{incident.subject}" in active)
    ]
