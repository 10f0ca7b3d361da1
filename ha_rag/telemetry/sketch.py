"""Latency sketch with a bounded relative error: small enough for a heartbeat, and additive over time and over a fleet.

Buckets whose bounds grow by a constant factor: a quantile is at most 2 % above or below the true one, from 0.1 ms to
ten minutes; anything outside counts as the nearest of these. Counts only, so the difference of two sketches is the
sketch of what came between, and the sum of several is the sketch of all.

Source: Masson, Rim, Lee: DDSketch (VLDB 2019), https://arxiv.org/abs/1908.10693, section 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

ERROR = 0.02
"""The largest relative error of a quantile."""

SMALLEST_MS, LARGEST_MS = 0.1, 600_000.0

_GROWTH = (1 + ERROR) / (1 - ERROR)
_LOG_GROWTH = math.log(_GROWTH)

OLD_GROWTH, OLD_SMALLEST_MS, OLD_BUCKETS = 1.25, 0.25, 64
"""The buckets of 0.1.0."""

K = TypeVar("K")

Counts = Mapping[int, int]
"""Bucket -> count. Empty buckets are left out."""


def bucket(ms: float) -> int:
    """The bucket of one latency, from 0 to `BUCKETS - 1`."""
    return math.ceil(math.log(min(max(ms, SMALLEST_MS), LARGEST_MS) / SMALLEST_MS) / _LOG_GROWTH)


BUCKETS = bucket(LARGEST_MS) + 1


def middle_ms(number: int) -> float:
    """The value that differs from none in the bucket by more than `ERROR`."""
    return SMALLEST_MS * 2 * _GROWTH**number / (_GROWTH + 1)


def quantile_ms(counts: Counts, share: float) -> float | None:
    """The quantile `share` (0 to 1), in ms; None if there are no counts."""
    total = sum(counts.values())
    if not total:
        return None
    rank, seen = share * (total - 1), 0
    for number in sorted(counts):
        seen += counts[number]
        if seen > rank:
            return middle_ms(number)
    return middle_ms(max(counts))


def added(many: Iterable[Counts]) -> dict[int, int]:
    """The sum of several sketches."""
    total: dict[int, int] = {}
    for counts in many:
        for number, count in counts.items():
            total[number] = total.get(number, 0) + count
    return total


def since(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, int]:
    """The counts added between `before` and `after`."""
    return {name: more for name, count in after.items() if (more := count - before.get(name, 0)) > 0}


# ---- heartbeats of 0.1.0 --------------------------------------------------------------------------------------------


def as_0_1_0(counts: Counts) -> dict[int, int]:
    """The counts in the buckets of 0.1.0, whose pages read them."""
    return _moved(counts, lambda number: _old_bucket(middle_ms(number)))


def from_0_1_0(counts: Counts) -> dict[int, int]:
    """The sketch of counts in the buckets of 0.1.0: the error is up to 13 %."""
    return _moved(counts, lambda number: bucket(OLD_SMALLEST_MS * OLD_GROWTH ** (number - 0.5)))


def _old_bucket(ms: float) -> int:
    if ms <= OLD_SMALLEST_MS:
        return 0
    return min(OLD_BUCKETS - 1, math.ceil(math.log(ms / OLD_SMALLEST_MS, OLD_GROWTH)))


def _moved(counts: Counts, to: Callable[[int], int]) -> dict[int, int]:
    moved: dict[int, int] = {}
    for number, count in counts.items():
        moved[to(number)] = moved.get(to(number), 0) + count
    return moved
