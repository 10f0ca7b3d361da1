"""How long calls took, and whether they waited for anything but their service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def took_ms(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """In ms: p50 and p99 from a call's beginning to its end, and p99 until it was sent or refused, which is the
    circuit's own part of it."""
    whole = [1000 * (r["ended_s"] - r["begun_s"]) for r in records]
    own = [1000 * ((r["sent_s"] or r["ended_s"]) - r["begun_s"]) for r in records]
    return {"p50": percentile(whole, 0.5), "p99": percentile(whole, 0.99), "own p99": percentile(own, 0.99)}
