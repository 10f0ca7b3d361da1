"""Rank fusion: merges rankings whose scores are not comparable."""

from __future__ import annotations

from collections.abc import Sequence

K = 60
"""Reduces the weight of the first ranks. The value of the paper below; later work found hardly better ones."""

Ranking = Sequence[tuple[int, float]]


def reciprocal_rank_fusion(rankings: Sequence[Ranking], limit: int) -> list[tuple[int, float]]:
    """At most `limit` (row, score) pairs, best first. Only the order of the given rankings matters, not their scores.

    A row that is first in every ranking has score 1.0. Ties keep the order of the first ranking.
    Source: G. Cormack, C. Clarke and S. Büttcher, Reciprocal Rank Fusion (SIGIR 2009).
    """
    highest = len(rankings) / (K + 1)
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, (row, _) in enumerate(ranking, start=1):
            scores[row] = scores.get(row, 0.0) + 1.0 / (K + rank)
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:limit]
    return [(row, scores[row] / highest) for row in best]
