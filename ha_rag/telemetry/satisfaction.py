"""Satisfaction: the share of answers that people liked, by degradation and by tier, each with its interval.

Source of the interval: E. B. Wilson, "Probable inference", J. Amer. Statist. Assoc. 22 (1927) 209; of that of a
difference: R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
Medicine 17 (1998) 873, method 10.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ha_rag.ledger.store.feedback import Verdict

Z_95 = 1.959964
NONE, ANY = "none", "any"
"""Degradations: of no stage, and of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfaction:
    """What people thought of the answers of one group.

    `by`: "all", "degradation" or "tier". `of`: which: "none", "any" or the degraded stages joined by "+"; a circuit.
    `share`: of up among up and down, with its 95 % interval `low` to `high`; None without ratings.
    """

    by: str
    of: str
    up: int
    neutral: int
    down: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What degrading costs: the satisfaction without, less that with any degraded stage; 95 % `low` to `high`."""

    points: float
    low: float
    high: float


def wilson(up: int, ratings: int) -> tuple[float, float]:
    """The 95 % interval of a share of `up` in `ratings`; 0 to 1 without any."""
    if ratings == 0:
        return 0.0, 1.0
    share, spread = up / ratings, Z_95**2 / ratings
    middle = share + spread / 2
    half = Z_95 * math.sqrt((share * (1 - share) + spread / 4) / ratings)
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def table(counts: Mapping[str, Mapping[Verdict, int]]) -> tuple[Satisfaction, ...]:
    """The satisfaction of each group, in the order of their names."""
    return tuple(_row(group, counted) for group, counted in sorted(counts.items()))


def cost_of_degrading(rows: tuple[Satisfaction, ...]) -> Cost | None:
    """What degrading costs; None until answers of both kinds were rated."""
    found = {row.of: row for row in rows if row.by == "degradation"}
    full, less = found.get(NONE), found.get(ANY)
    if full is None or less is None or full.share is None or less.share is None:
        return None
    points = full.share - less.share
    low = points - math.hypot(full.share - full.low, less.high - less.share)
    high = points + math.hypot(full.high - full.share, less.share - less.low)
    return Cost(points=points, low=low, high=high)


def _row(group: str, counted: Mapping[Verdict, int]) -> Satisfaction:
    by, _, of = group.partition(":")
    up, neutral, down = counted.get("up", 0), counted.get("neutral", 0), counted.get("down", 0)
    low, high = wilson(up, up + down)
    share = up / (up + down) if up + down else None
    return Satisfaction(by=by, of=of, up=up, neutral=neutral, down=down, share=share, low=low, high=high)
