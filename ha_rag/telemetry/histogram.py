"""Latency histogram whose buckets grow by 25 %: small enough for a heartbeat, and additive over a fleet.

The error of a quantile is at most 25 % (the idea of HdrHistogram, with far fewer buckets).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

GROWTH = 1.25
SMALLEST_MS = 0.25
BUCKETS = 64
"""Covers 0.25 ms to 0.25 * 1.25^63 ms, which is more than five minutes."""

K = TypeVar("K")

Counts = Mapping[int, int]
"""Bucket -> count. Empty buckets are left out."""


def bucket(ms: float) -> int:
    """The bucket of one latency."""
    if ms <= SMALLEST_MS:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(ms / SMALLEST_MS, GROWTH)))


def upper_ms(number: int) -> float:
    """The upper bound of a bucket, in ms."""
    return SMALLEST_MS * GROWTH**number


def quantile_ms(counts: Counts, share: float) -> float | None:
    """The upper bound of the bucket that holds the quantile `share` (0 to 1), in ms; None if there are no counts."""
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen = share * total, 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= wanted:
            return upper_ms(number)
    return upper_ms(max(counts))


def added(many: Iterable[Counts]) -> dict[int, int]:
    """The sum of several histograms."""
    total: dict[int, int] = {}
    for counts in many:
        for number, count in counts.items():
            total[number] = total.get(number, 0) + count
    return total


def since(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, int]:
    """The counts added between `before` and `after`."""
    return {name: more for name, count in after.items() if (more := count - before.get(name, 0)) > 0}
