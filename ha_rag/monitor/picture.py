"""Builds the FleetSnapshot: pure functions of a reading and the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ha_rag.breaker.report import CircuitReport, OverrideReport, ReplicaReport
from ha_rag.breaker.told_by_replicas import ToldByReplicas
from ha_rag.circuit.state import BY_SEVERITY, OverrideMode
from ha_rag.messages import LAST_RESORTS, ComponentType
from ha_rag.monitor.heartbeats import Totals, count, freshness, tiers
from ha_rag.monitor.history import History
from ha_rag.monitor.impact import with_impact
from ha_rag.monitor.reading import Reading
from ha_rag.monitor.snapshot import (
    CircuitPicture,
    Differing,
    FleetSnapshot,
    Override,
    ReplicaPicture,
    Traffic,
)
from ha_rag.monitor.tier_pictures import quantile, stage_pictures
from ha_rag.monitor.warnings import fleet_warnings
from ha_rag.telemetry import sketch
from ha_rag.telemetry.satisfaction import cost_of_degrading

LAST_SENTENCE = f"{ComponentType.GENERATOR}.{LAST_RESORTS[ComponentType.GENERATOR]}"
"""What serves a question that no generator answered."""


def fleet_snapshot(reading: Reading, history: History) -> FleetSnapshot:
    """The fleet as of `reading`. `history` includes this reading."""
    recent = history.recent()
    snapshot = FleetSnapshot(
        at=round(reading.at, 3),
        told_by=reading.told_by,
        shared_state=reading.shared_state,
        reason=reading.reason,
        circuits=tuple(circuit_pictures(reading, history)),
        replicas=tuple(replica_pictures(reading.replicas, recent, history.window_s, reading.ledger_ms)),
        traffic=traffic(recent.values(), history),
        timeline=reading.timeline,
        redis=reading.redis,
        warnings=(*reading.redis.warnings, *_hidden(reading), *fleet_warnings(reading.replicas, reading.circuits)),
        satisfaction=reading.satisfaction,
        quality=reading.quality,
        cost_of_degrading=cost_of_degrading(reading.satisfaction),
        tiers=tiers(reading.replicas),
        lost=reading.lost,
    )
    return with_impact(replace(snapshot, stages=stage_pictures(snapshot, history.latencies())))


def _hidden(reading: Reading) -> Iterable[str]:
    if reading.hidden:
        yield f"{reading.hidden:,} more circuits are not shown; `ha-rag circuits` lists them"


# ---- circuits -------------------------------------------------------------------------------------------------------


def circuit_pictures(reading: Reading, history: History) -> Iterable[CircuitPicture]:
    """One picture per circuit, sorted by name."""
    told = ToldByReplicas(reading.replicas)
    for report in sorted(reading.circuits, key=lambda c: c.name):
        yield _circuit_picture(report, told, reading, history)


def _circuit_picture(report: CircuitReport, told: ToldByReplicas, reading: Reading, history: History) -> CircuitPicture:
    has_one_state = report.scope == "fleet" or report.override is not None
    if report.scope == "replica" and has_one_state:
        differing = told.differing(report.name, report.state)
    else:
        differing = told.not_closed(report.name)
    if has_one_state:
        differing = tuple(there for there in differing if there.state != report.state)
    worst = max((report.state, *(there.state for there in differing)), key=BY_SEVERITY.index)
    return CircuitPicture(
        name=report.name,
        scope=report.scope,
        state=report.state.value if has_one_state else worst.value,
        waiting=history.waiting(report.name, reading.at),
        override=_override(report.override),
        failure_rate=report.failure_rate,
        slow_rate=report.slow_rate,
        samples=report.samples,
        recovers_in_s=report.recovers_in_s,
        reason=report.reason,
        opened_by=report.opened_by,
        voters=report.voters,
        differing=tuple(Differing(replica=there.replica, state=there.state.value) for there in differing),
        open_count=report.open_count,
        epoch=report.epoch,
        changed_at=report.changed_at,
        history=history.rates.get(report.name, ()),
        unconfirmed=report.unconfirmed,
        opened=history.opened.get(report.name),
    )


def _override(report: OverrideReport | None) -> Override | None:
    if report is None:
        return None
    mode = OverrideMode(report.mode)
    return Override(mode=mode.value, reason=report.reason, by=report.by, ends_in_s=report.left_s)


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
    latencies = sketch.added(each.latencies for each in totals)
    return Traffic(
        per_s=_per_s(questions, history.window_s),
        degraded_share=_share(sum(each.degraded for each in totals), questions),
        p50_ms=quantile(latencies, 0.5),
        p99_ms=quantile(latencies, 0.99),
        history=history.traffic,
        lost_share=_lost_share(totals, questions),
    )


def _lost_share(totals: Sequence[Totals], answered: int) -> float:
    """Share of the questions that were refused, failed, broke off, or got only the last resort's sentence."""
    refused = sum(each.unanswered for each in totals)
    without = sum(each.broken + each.served.get(LAST_SENTENCE, 0) for each in totals)
    return _share(refused + min(answered, without), answered + refused)


def _per_s(number: int, seconds: float) -> float:
    return round(number / seconds, 2) if seconds > 0 else 0.0


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
