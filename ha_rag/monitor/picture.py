"""Builds the FleetSnapshot: pure functions of a reading and the history."""

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

BY_SEVERITY = ("closed", "half_open", "open")


def fleet_snapshot(reading: Reading, history: History) -> FleetSnapshot:
    """The fleet as of `reading`. `history` includes this reading."""
    recent = history.recent()
    return FleetSnapshot(
        at=round(reading.at, 3),
        told_by=reading.told_by,
        shared_state=reading.shared_state,
        reason=reading.reason,
        circuits=tuple(circuit_pictures(reading, history)),
        replicas=tuple(replica_pictures(reading.replicas, recent, history.window_s, reading.ledger_ms)),
        traffic=traffic(recent.values(), history),
        timeline=reading.timeline,
        redis=reading.redis,
        warnings=(*reading.redis.warnings, *fleet_warnings(reading.replicas)),
    )


# ---- circuits -------------------------------------------------------------------------------------------------------


def circuit_pictures(reading: Reading, history: History) -> Iterable[CircuitPicture]:
    """One picture per circuit, sorted by name."""
    reported = _reported_by_replicas(reading.replicas)
    for report in sorted(reading.circuits, key=lambda c: c.name):
        yield _circuit_picture(report, reported.get(report.name, ()), reading, history)


def _circuit_picture(
    report: CircuitReport, reported: Sequence[Differing], reading: Reading, history: History
) -> CircuitPicture:
    differing = tuple(d for d in reported if d.state != report.state or report.scope == "replica")
    worst = max((report.state.value, *(d.state for d in differing)), key=BY_SEVERITY.index)
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


def _override(report: OverrideReport | None) -> Override | None:
    if report is None:
        return None
    mode = OverrideMode(report.mode)
    return Override(mode=mode.value, reason=report.reason, by=report.by, ends_in_s=report.left_s)


def _reported_by_replicas(replicas: Iterable[ReplicaReport]) -> dict[str, list[Differing]]:
    """Circuit -> the replicas whose heartbeat reports it as open or half-open for their own calls."""
    reported: dict[str, list[Differing]] = {}
    for replica in replicas:
        circuits = replica.told.get("circuits")
        for circuit in circuits if isinstance(circuits, list) else ():
            if isinstance(circuit, dict) and circuit.get("state") in BY_SEVERITY[1:]:
                differing = Differing(replica=replica.name, state=circuit["state"])
                reported.setdefault(str(circuit.get("name")), []).append(differing)
    return reported


# ---- replicas and traffic -------------------------------------------------------------------------------------------


def replica_pictures(
    replicas: Sequence[ReplicaReport], recent: Mapping[str, Totals], seconds: float, ledger_ms: int
) -> Iterable[ReplicaPicture]:
    """One picture per replica, sorted by name. `ledger_ms`: the clock that stamped their heartbeats."""
    newest_ms = max((replica.at_ms for replica in replicas), default=ledger_ms)
    for replica in sorted(replicas, key=lambda r: (r.name, r.incarnation)):
        yield _replica_picture(replica, recent.get(replica.incarnation, Totals()), seconds, max(newest_ms, ledger_ms))


def _replica_picture(replica: ReplicaReport, recent: Totals, seconds: float, newest_ms: int) -> ReplicaPicture:
    body = replica.told
    in_flight, limit = count(body.get("in_flight")), count(body.get("max_concurrent"))
    return ReplicaPicture(
        name=replica.name,
        incarnation=replica.incarnation,
        version=str(body.get("version", ""))[:50],
        shared_state=freshness(body.get("shared_state")),
        # The ledger stamps heartbeats, so their age does not depend on the clock of this machine.
        behind_s=round((newest_ms - replica.at_ms) / 1000, 3),
        load=round(min(1.0, in_flight / limit), 3) if limit else 0.0,
        in_flight=in_flight,
        per_s=_per_s(recent.questions, seconds),
        degraded_share=_share(recent.degraded, recent.questions),
        p50_ms=quantile(recent.latencies, 0.5),
        p99_ms=quantile(recent.latencies, 0.99),
    )


def traffic(recent: Iterable[Totals], history: History) -> Traffic:
    """The traffic of all replicas together."""
    totals = list(recent)
    questions = sum(each.questions for each in totals)
    latencies = histogram.added(each.latencies for each in totals)
    return Traffic(
        per_s=_per_s(questions, history.window_s),
        degraded_share=_share(sum(each.degraded for each in totals), questions),
        p50_ms=quantile(latencies, 0.5),
        p99_ms=quantile(latencies, 0.99),
        history=history.traffic,
    )


def _per_s(number: int, seconds: float) -> float:
    return round(number / seconds, 2) if seconds > 0 else 0.0


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
