"""The picture of the fleet: pure functions from a look and what is remembered to a FleetSnapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ha_rag.breaker.report import CircuitReport, OverrideReport, ReplicaReport
from ha_rag.circuit.state import OverrideMode
from ha_rag.monitor.heartbeats import Totals, count, freshness
from ha_rag.monitor.history import History, quantile
from ha_rag.monitor.reading import Reading
from ha_rag.monitor.snapshot import (
    CircuitPicture,
    Differing,
    FleetSnapshot,
    Override,
    ReplicaPicture,
    Traffic,
)
from ha_rag.monitor.warnings import fleet_warnings
from ha_rag.telemetry import histogram

BADNESS = ("closed", "half_open", "open")


def fleet_snapshot(reading: Reading, history: History) -> FleetSnapshot:
    """The fleet as `reading` found it. `past`: what is remembered, this reading included."""
    recent = history.recent()
    return FleetSnapshot(
        at=round(reading.at, 3),
        told_by=reading.told_by,
        shared_state=reading.shared_state,
        reason=reading.reason,
        circuits=tuple(circuit_pictures(reading, history)),
        replicas=tuple(replica_pictures(reading.replicas, recent, history.seconds, reading.ledger_ms)),
        traffic=traffic(recent.values(), history),
        timeline=reading.timeline,
        redis=reading.redis,
        warnings=(*reading.redis.warnings, *fleet_warnings(reading.replicas)),
    )


# ---- circuits -------------------------------------------------------------------------------------------------------


def circuit_pictures(reading: Reading, history: History) -> Iterable[CircuitPicture]:
    """One picture a circuit, by name."""
    elsewhere = _told_by_replicas(reading.replicas)
    for report in sorted(reading.circuits, key=lambda c: c.name):
        yield _circuit_picture(report, elsewhere.get(report.name, ()), reading, history)


def _circuit_picture(
    report: CircuitReport, told: Sequence[Differing], reading: Reading, history: History
) -> CircuitPicture:
    differing = tuple(d for d in told if d.state != report.state or report.scope == "replica")
    worst = max((report.state.value, *(d.state for d in differing)), key=BADNESS.index)
    return CircuitPicture(
        name=report.name,
        scope=report.scope,
        state=worst if report.scope == "replica" else report.state.value,
        waiting=history.waiting(report.name, reading.at),
        override=_override(report.override),
        failure_rate=report.failure_rate,
        slow_rate=report.slow_rate,
        samples=report.samples,
        recovers_in_s=report.recovers_in_s,
        reason=report.reason,
        opened_by=report.opened_by,
        voters=report.voters,
        differing=differing,
        open_count=report.open_count,
        epoch=report.epoch,
        changed_at=report.changed_at,
        history=history.rates.get(report.name, ()),
    )


def _override(word: OverrideReport | None) -> Override | None:
    if word is None:
        return None
    return Override(mode=OverrideMode(word.mode).value, reason=word.reason, by=word.by, ends_in_s=word.left_s)


def _told_by_replicas(replicas: Iterable[ReplicaReport]) -> dict[str, list[Differing]]:
    """Circuit -> the replicas whose heartbeat says that their own calls meet it open or half-open."""
    told: dict[str, list[Differing]] = {}
    for replica in replicas:
        circuits = replica.told.get("circuits")
        for circuit in circuits if isinstance(circuits, list) else ():
            if isinstance(circuit, dict) and circuit.get("state") in BADNESS[1:]:
                differing = Differing(replica=replica.name, state=circuit["state"])
                told.setdefault(str(circuit.get("name")), []).append(differing)
    return told


# ---- replicas and traffic -------------------------------------------------------------------------------------------


def replica_pictures(
    replicas: Sequence[ReplicaReport], recent: Mapping[str, Totals], seconds: float, ledger_ms: int
) -> Iterable[ReplicaPicture]:
    """One picture a replica, by name. `ledger_ms`: the clock that stamped their heartbeats."""
    newest_ms = max((replica.at_ms for replica in replicas), default=ledger_ms)
    for replica in sorted(replicas, key=lambda r: (r.name, r.incarnation)):
        yield _replica_picture(replica, recent.get(replica.incarnation, Totals()), seconds, max(newest_ms, ledger_ms))


def _replica_picture(replica: ReplicaReport, did: Totals, seconds: float, newest_ms: int) -> ReplicaPicture:
    told = replica.told
    in_flight, most = count(told.get("in_flight")), count(told.get("max_concurrent"))
    return ReplicaPicture(
        name=replica.name,
        incarnation=replica.incarnation,
        version=str(told.get("version", ""))[:50],
        shared_state=freshness(told.get("shared_state")),
        # The ledger stamps the beats, so their age needs no clock of this machine.
        behind_s=round((newest_ms - replica.at_ms) / 1000, 3),
        load=round(min(1.0, in_flight / most), 3) if most else 0.0,
        in_flight=in_flight,
        per_s=_per_s(did.questions, seconds),
        degraded_share=_share(did.degraded, did.questions),
        p50_ms=quantile(did.latencies, 0.5),
        p99_ms=quantile(did.latencies, 0.99),
    )


def traffic(recent: Iterable[Totals], history: History) -> Traffic:
    """What all replicas together answer."""
    did = list(recent)
    questions = sum(d.questions for d in did)
    latencies = histogram.added(d.latencies for d in did)
    return Traffic(
        per_s=_per_s(questions, history.seconds),
        degraded_share=_share(sum(d.degraded for d in did), questions),
        p50_ms=quantile(latencies, 0.5),
        p99_ms=quantile(latencies, 0.99),
        history=history.traffic,
    )


def _per_s(number: int, seconds: float) -> float:
    return round(number / seconds, 2) if seconds > 0 else 0.0


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
