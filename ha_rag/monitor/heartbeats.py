"""Parses the totals in heartbeats. Their content is untrusted: any process with access to Redis can write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ha_rag.breaker.report import ReplicaReport
from ha_rag.telemetry import histogram

MAX_TIERS = 64
"""Tiers read from one heartbeat; more are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A replica's counters since it started. `served`: `<stage>.<tier>` -> answers."""

    questions: int = 0
    degraded: int = 0
    broken: int = 0
    served: Mapping[str, int] = field(default_factory=dict)
    latencies: histogram.Counts = field(default_factory=dict)

    def since(self, before: Totals) -> Totals:
        """The increase since `before`. Counters that went down were reset, and count from zero."""
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
    """The totals in one heartbeat; zero where missing."""
    body = report.told
    latencies = {int(n): c for n, c in counts(body.get("latencies")).items() if n.isdecimal() and len(n) < 4}
    return Totals(
        questions=count(body.get("questions")),
        degraded=count(body.get("degraded")),
        broken=count(body.get("broken")),
        served=counts(body.get("served")),
        latencies={n: c for n, c in latencies.items() if n < histogram.BUCKETS},
    )


def count(value: Any) -> int:
    """`value` if it is an integer of at least 0; else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def counts(value: Any) -> dict[str, int]:
    """The positive counts in `value`, by name; empty if it is no object."""
    if not isinstance(value, dict):
        return {}
    named = {str(name)[:100]: count(number) for name, number in list(value.items())[:MAX_TIERS]}
    return {name: number for name, number in named.items() if number}


def freshness(value: Any) -> Any:
    """The freshness that a replica reports; "local" for any other value."""
    return value if value in ("fresh", "stale") else "local"
