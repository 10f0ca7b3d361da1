"""Fusion: one ranking from several whose scores cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence

K = 60
"""Damps the first ranks' weight; the value of the source below, which later work found hard to better."""

Ranking = Sequence[tuple[int, float]]


def reciprocal_rank_fusion(rankings: Sequence[Ranking], limit: int) -> list[tuple[int, float]]:
    """At most `limit` (row, score), best first, from rankings of (row, score) whose order alone counts.

    The score is 1.0 for what stands first in all rankings. Equal ones keep the order of the first ranking.
    Source: G. Cormack, C. Clarke and S. Büttcher, Reciprocal Rank Fusion (SIGIR 2009).
    """
    highest = len(rankings) / (K + 1)
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, (row, _) in enumerate(ranking, start=1):
            scores[row] = scores.get(row, 0.0) + 1.0 / (K + rank)
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:limit]
    return [(row, scores[row] / highest) for row in best]
