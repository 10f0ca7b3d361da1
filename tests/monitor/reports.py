"""Builders of circuit reports, heartbeats and readings for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ha_rag.breaker.report import CircuitReport, ReplicaReport
from ha_rag.circuit.state import CircuitState
from ha_rag.monitor.reading import Reading

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

PAYMENTS = CircuitReport(
    name="payments", state=CLOSED, override=None, epoch=1, failure_rate=0.0, slow_rate=0.0, samples=0,
    recovers_in_s=None, reason="", opened_by="", voters=(), open_count=0, changed_at=None, scope="fleet",
)  # fmt: skip


def report(state: CircuitState = CLOSED, **fields: Any) -> CircuitReport:
    return replace(PAYMENTS, state=state, **fields)


def beat(name: str, body: dict[str, Any] | None = None, *, at_ms: int = 10_000) -> ReplicaReport:
    return ReplicaReport(name if "~" in name else f"{name}~1", name.partition("~")[0], at_ms, body or {})


def totals(questions: int, *, degraded: int = 0, served: dict[str, int] | None = None, **fields: Any) -> dict[str, Any]:
    return {"questions": questions, "degraded": degraded, "broken": 0, "served": served or {}, **fields}


def reading(at: float, *replicas: ReplicaReport, circuits: tuple[CircuitReport, ...] = (PAYMENTS,)) -> Reading:
    return Reading(
        at=at, told_by="observer", shared_state="fresh", circuits=circuits, replicas=replicas, ledger_ms=10_000
    )
