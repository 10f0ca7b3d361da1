"""Circuits and replicas in the form they have on the wire."""

from __future__ import annotations

from typing import Any

from ha_rag.breaker.report import CircuitReport


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
