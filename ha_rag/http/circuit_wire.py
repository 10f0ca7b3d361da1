"""Circuits and replicas in the form they have on the wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ha_rag.breaker.report import CircuitReport, FleetReport, ReplicaReport


def circuit_wire(report: CircuitReport) -> dict[str, Any]:
    """One circuit, as the fleet believes it, and where this replica's calls meet another state."""
    word, here = report.override, report.here
    return {
        "name": report.name,
        "state": report.state,
        "override": word and {"mode": word.mode, "reason": word.reason, "by": word.by, "ends_in_s": word.left_s},
        "epoch": report.epoch,
        "failure_rate": report.failure_rate,
        "slow_rate": report.slow_rate,
        "samples": report.samples,
        "recovers_in_s": report.recovers_in_s,
        "reason": report.reason,
        "opened_by": report.opened_by,
        "voters": report.voters,
        "open_count": report.open_count,
        "changed_at": report.changed_at,
        "scope": report.scope,
        "here": here and {"state": here.state, "why": here.why},
    }


def fleet_wire(report: FleetReport) -> dict[str, Any]:
    """The replicas by their heartbeats, and what they disagree on."""
    newest_ms = max((replica.at_ms for replica in report.replicas), default=0)
    return {
        "replicas": [_replica(replica, newest_ms) for replica in report.replicas],
        "warnings": [*_twins(report.replicas), *_disagreements(report.replicas)],
        "shared_state": report.shared_state,
        "reason": report.reason,
    }


def _replica(replica: ReplicaReport, newest_ms: int) -> dict[str, Any]:
    told = replica.told
    return {
        "name": replica.name,
        "incarnation": replica.incarnation,
        "version": str(told.get("version", "")),
        "shared_state": str(told.get("shared_state", "")),
        # The ledger stamps the beats, so their distance from the newest one needs no clock of this machine.
        "behind_s": round((newest_ms - replica.at_ms) / 1000, 3),
        "circuits": told.get("circuits", []),
    }


def _twins(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    by_name: dict[str, int] = defaultdict(int)
    for replica in replicas:
        by_name[replica.name] += 1
    for name, number in by_name.items():
        if number > 1:
            yield f"{number} replicas are called {name}; give each its own HA_RAG_REPLICA"


def _disagreements(replicas: Iterable[ReplicaReport]) -> Iterable[str]:
    policies: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for replica in replicas:
        told = replica.told.get("policies")
        for circuit, fingerprint in told.items() if isinstance(told, dict) else ():
            policies[circuit][str(fingerprint)].append(replica.name)
    for circuit, by_fingerprint in policies.items():
        if len(by_fingerprint) > 1:
            sides = " against ".join(", ".join(names) for names in by_fingerprint.values())
            yield f"replicas have different rules for circuit {circuit}: {sides}"
