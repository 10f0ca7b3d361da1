"""What is wrong with the fleet: pure functions from pictures of it to incidents. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ha_rag.alerting.incident import Incident
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot

_COMINGS = ("replica_joined", "replica_left", "replica_lost")

FORGOTTEN_S = 3600.0
"""A lost replica that has not come back by its name for so long was taken away on purpose."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What one alerter remembers between pictures: since when answers are degraded, and Redis not heard. Immutable."""

    degraded_since: float | None = None
    redis_since: float | None = None

    def after(self, snapshot: FleetSnapshot, policy: AlertPolicy) -> Watch:
        """What it remembers once it has seen this picture."""
        degraded = snapshot.traffic.per_s > 0 and snapshot.traffic.degraded_share >= policy.degraded_share
        lost = snapshot.redis.configured and not snapshot.redis.reachable
        return Watch(_since(self.degraded_since, degraded, snapshot.at), _since(self.redis_since, lost, snapshot.at))


def _since(before: float | None, holds: bool, at: float) -> float | None:
    if not holds:
        return None
    return at if before is None else before


def opened(event: StreamEntry) -> Incident | None:
    """The incident that an entry of a circuit's stream begins, if it does: from closed to open, not by hand."""
    if (event.before, event.after) != ("closed", "open") or event.trigger == "forced open":
        return None
    seen = f"{event.failed} of {event.ok + event.failed} calls failed" if event.failed else ""
    return Incident(
        key=f"open:{event.circuit}",
        kind="open",
        subject=event.circuit,
        title=f"circuit {event.circuit} opened",
        text=_joined(event.reason, seen, f"seen by {event.by.partition('~')[0]}" if event.by else ""),
        since_ms=int(event.id.partition("-")[0]),
    )


def standing(
    snapshot: FleetSnapshot, watch: Watch, policy: AlertPolicy, told: Mapping[str, Incident]
) -> list[Incident]:
    """What is wrong by this picture, beside openings, which events tell. `told`: incidents that are not over yet."""
    return [
        *_long_open(snapshot, policy, told),
        *_flapping(snapshot, policy),
        *_replicas_lost(snapshot),
        *_degraded(snapshot, watch, policy),
    ]


def over(incident: Incident, snapshot: FleetSnapshot, watch: Watch, policy: AlertPolicy) -> str:
    """Why an incident is over, in words; "" while it is not."""
    match incident.kind:
        case "open" | "long_open":
            return _calmed(_circuit(snapshot, incident.subject))
        case "flapping":
            return "" if _openings(snapshot, incident.subject, policy) else "it has not opened for a while"
        case "replica_lost":
            if any(replica.name == incident.subject for replica in snapshot.replicas):
                return "it is back"
            return "it has not come back" if snapshot.at - incident.since_ms / 1000 > FORGOTTEN_S else ""
        case "degraded":
            return "" if watch.degraded_since is not None else "answers are whole again, or nobody asks"
        case "redis_lost":
            return "" if watch.redis_since is not None else "it is heard again"


def redis_lost(snapshot: FleetSnapshot, watch: Watch, policy: AlertPolicy) -> Incident | None:
    """The one thing that alerters cannot agree on: each tells it, under the same key."""
    if watch.redis_since is None or snapshot.at - watch.redis_since < policy.redis_after_s:
        return None
    return Incident(
        key="redis_lost",
        kind="redis_lost",
        subject="redis",
        title="Redis is not heard",
        text=_joined(snapshot.redis.problem, "each replica goes on alone; answers go on"),
        since_ms=round(watch.redis_since * 1000),
        critical=True,
    )


def _circuit(snapshot: FleetSnapshot, name: str) -> CircuitPicture | None:
    return next((circuit for circuit in snapshot.circuits if circuit.name == name), None)


def _calmed(circuit: CircuitPicture | None) -> str:
    if circuit is None:
        return "nobody uses it any more"
    if circuit.state == "closed":
        return "it has closed"
    # Nothing is known to be wrong any more: the next question will show.
    return "it waits for traffic" if circuit.waiting else ""


def _long_open(snapshot: FleetSnapshot, policy: AlertPolicy, told: Mapping[str, Incident]) -> Iterator[Incident]:
    for circuit in snapshot.circuits:
        opening = told.get(f"open:{circuit.name}")
        if opening is None or _calmed(circuit) or circuit.override is not None:
            continue
        lasts_s = snapshot.at - opening.since_ms / 1000
        if lasts_s >= policy.alert_after_s:
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
    living = {replica.name for replica in snapshot.replicas}
    comings = [event for event in reversed(snapshot.timeline) if event.kind in _COMINGS]
    for event in {event.by: event for event in comings}.values():  # of each replica, the last one
        if event.kind == "replica_lost" and event.by not in living and snapshot.at - event.at < FORGOTTEN_S:
            yield Incident(
                key=f"replica_lost:{event.by}",
                kind="replica_lost",
                subject=event.by,
                title=f"replica {event.by} is lost",
                text=event.reason,
                since_ms=round(event.at * 1000),
            )


def _degraded(snapshot: FleetSnapshot, watch: Watch, policy: AlertPolicy) -> Iterator[Incident]:
    since = watch.degraded_since
    if since is not None and snapshot.at - since >= policy.degraded_for_s:
        yield Incident(
            key="degraded",
            kind="degraded",
            subject="answers",
            title=f"{snapshot.traffic.degraded_share:.0%} of answers are degraded",
            text=f"for {snapshot.at - since:.0f} s now, {snapshot.traffic.per_s:.1f} questions a second",
            since_ms=round(since * 1000),
            critical=True,
        )


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def only_new(incidents: Iterable[Incident], told: Mapping[str, Incident]) -> list[Incident]:
    """Those that nobody has told of. An opening within flapping is no news."""
    return [
        incident
        for incident in incidents
        if incident.key not in told and not (incident.kind == "open" and f"flapping:{incident.subject}" in told)
    ]
