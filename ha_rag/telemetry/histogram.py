"""Latencies as counts in buckets that grow by a quarter: small enough for a heartbeat, and they add up over a fleet.

A quantile read from them is at most a quarter off (HdrHistogram's idea, with far fewer buckets).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

GROWTH = 1.25
SMALLEST_MS = 0.25
BUCKETS = 64
"""From 0.25 ms to 0.25 * 1.25^63 ms, which is more than five minutes."""

K = TypeVar("K")

Counts = Mapping[int, int]
"""Bucket -> how many. Buckets without any are left out."""


def bucket(ms: float) -> int:
    """The bucket of one latency."""
    if ms <= SMALLEST_MS:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(ms / SMALLEST_MS, GROWTH)))


def upper_ms(number: int) -> float:
    """The longest latency of a bucket."""
    return SMALLEST_MS * GROWTH**number


def quantile_ms(counts: Counts, share: float) -> float | None:
    """The latency that `share` of all stayed below, to a quarter; None where there are none."""
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
    """All of them together."""
    total: dict[int, int] = {}
    for counts in many:
        for number, count in counts.items():
            total[number] = total.get(number, 0) + count
    return total


def since(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, int]:
    """What came to `before` to make `after`."""
    return {name: more for name, count in after.items() if (more := count - before.get(name, 0)) > 0}
