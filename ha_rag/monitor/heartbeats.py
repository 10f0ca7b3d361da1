"""Parses the totals in heartbeats. Their content is untrusted: any process with access to Redis can write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ha_rag.breaker.report import ReplicaReport
from ha_rag.circuit.bounds import MAX_WHOLE
from ha_rag.ledger.store.circuit_names import is_circuit_name
from ha_rag.messages import ComponentType
from ha_rag.telemetry import sketch

MAX_TIERS = 64
"""Tiers read from one heartbeat; more are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A replica's counters since it started. `served`: `<stage>.<tier>` -> answers.

    `latencies`: the sketch of questions; `tiers`: circuit -> the sketch of its tier's successful attempts.
    `unanswered`: questions that it refused or failed to answer; they do not count as `questions`.
    """

    questions: int = 0
    degraded: int = 0
    broken: int = 0
    unanswered: int = 0
    served: Mapping[str, int] = field(default_factory=dict)
    latencies: sketch.Counts = field(default_factory=dict)
    tiers: Mapping[str, sketch.Counts] = field(default_factory=dict)

    def since(self, before: Totals) -> Totals:
        """The increase since `before`. Counters that went down were reset, and count from zero."""
        if self.questions < before.questions:
            return self
        return Totals(
            questions=self.questions - before.questions,
            degraded=max(0, self.degraded - before.degraded),
            broken=max(0, self.broken - before.broken),
            unanswered=max(0, self.unanswered - before.unanswered),
            served=sketch.since(before.served, self.served),
            latencies=sketch.since(before.latencies, self.latencies),
            tiers={name: sketch.since(before.tiers.get(name, {}), counts) for name, counts in self.tiers.items()},
        )


def totals(report: ReplicaReport) -> Totals:
    """The totals in one heartbeat; zero where missing."""
    body = report.told
    return Totals(
        questions=count(body.get("questions")),
        degraded=count(body.get("degraded")),
        broken=count(body.get("broken")),
        unanswered=count(body.get("unanswered")),
        served=counts(body.get("served")),
        latencies=latencies(body.get("sketch"), body.get("latencies")),
        tiers={name: latencies(each, None) for name, each in objects(body.get("tier_sketches")).items()},
    )


def latencies(told: Any, told_by_0_1_0: Any) -> sketch.Counts:
    """A sketch of latencies; one of the coarser buckets of 0.1.0 where there is no other."""
    if isinstance(told, dict):
        return buckets(told, sketch.BUCKETS)
    return sketch.from_0_1_0(buckets(told_by_0_1_0, sketch.OLD_BUCKETS))


def buckets(value: Any, most: int) -> dict[int, int]:
    """The positive counts of buckets from 0 to `most` - 1."""
    named = counts(value, most).items()
    return {int(n): c for n, c in named if n.isascii() and n.isdecimal() and len(n) < 4 and int(n) < most}


def objects(value: Any) -> dict[str, Any]:
    """The first `MAX_TIERS` items of an object whose names can be those of circuits."""
    items = list(value.items())[:MAX_TIERS] if isinstance(value, dict) else []
    return {str(name): each for name, each in items if is_circuit_name(str(name))}


def count(value: Any) -> int:
    """`value` if it is an integer from 0 to 2^53; else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_WHOLE else 0


def counts(value: Any, most: int = MAX_TIERS) -> dict[str, int]:
    """The positive counts among the first `most` items of `value`, by name; empty if it is no object."""
    if not isinstance(value, dict):
        return {}
    named = {str(name)[:100]: count(number) for name, number in list(value.items())[:most]}
    return {name: number for name, number in named.items() if number}


def tiers(reports: Iterable[ReplicaReport]) -> dict[str, tuple[str, ...]]:
    """Stage -> the names of its tiers in order of preference, over all replicas; those of 0.1.0 say none.

    Where replicas differ, as during a rollout, the first one's order comes first.
    """
    found: dict[str, dict[str, None]] = {}
    for report in reports:
        told = report.told.get("tiers")
        by_stage = told if isinstance(told, dict) else {}
        for stage in ComponentType:
            names = by_stage.get(stage)
            for name in names[:MAX_TIERS] if isinstance(names, list) else ():
                if isinstance(name, str) and name and is_circuit_name(f"{stage}.{name}"):
                    found.setdefault(str(stage), {})[name] = None
    return {stage: tuple(names)[:MAX_TIERS] for stage, names in found.items() if names}


def freshness(value: Any) -> Any:
    """The freshness that a replica reports; "local" for any other value."""
    return value if isinstance(value, str) and value in ("fresh", "stale") else "local"
