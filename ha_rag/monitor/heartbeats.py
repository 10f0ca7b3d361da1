"""A heartbeat's running totals, read with care: any process with access to Redis may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ha_rag.breaker.report import ReplicaReport
from ha_rag.telemetry import histogram

MOST_TIERS = 64
"""More tiers than this in one heartbeat are nonsense, and would only grow the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a replica has answered since it started. `served`: `<stage>.<tier>` -> answers."""

    questions: int = 0
    degraded: int = 0
    broken: int = 0
    served: Mapping[str, int] = field(default_factory=dict)
    latencies: histogram.Counts = field(default_factory=dict)

    def since(self, before: Totals) -> Totals:
        """What came to `before`. A replica that started anew counts from zero."""
        if self.questions < before.questions:
            return self
        return Totals(
            questions=self.questions - before.questions,
            degraded=max(0, self.degraded - before.degraded),
            broken=max(0, self.broken - before.broken),
            served=histogram.since(before.served, self.served),
            latencies=histogram.since(before.latencies, self.latencies),
        )


def totals(report: ReplicaReport) -> Totals:
    """The totals of one heartbeat; zeros where it tells none."""
    told = report.told
    latencies = {int(n): c for n, c in counts(told.get("latencies")).items() if n.isdecimal() and len(n) < 4}
    return Totals(
        questions=count(told.get("questions")),
        degraded=count(told.get("degraded")),
        broken=count(told.get("broken")),
        served=counts(told.get("served")),
        latencies={n: c for n, c in latencies.items() if n < histogram.BUCKETS},
    )


def count(told: Any) -> int:
    """A whole number of at least 0; 0 for anything else."""
    return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else 0


def counts(told: Any) -> dict[str, int]:
    """Name -> number; without what is neither."""
    if not isinstance(told, dict):
        return {}
    named = {str(name)[:100]: count(value) for name, value in list(told.items())[:MOST_TIERS]}
    return {name: value for name, value in named.items() if value}


def freshness(told: Any) -> Any:
    """How fresh a replica says its belief is; what is no such word is taken for "local"."""
    return told if told in ("fresh", "stale") else "local"
