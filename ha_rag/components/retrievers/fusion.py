"""Fusion: merges the rankings of two searches whose scores are not comparable, by their normalised scores.

Ranks alone would let a weak search move the results of a strong one as far as the other way round. Normalised scores
keep how much better one result is than the next, and a weight says how much each search decides.
Source: S. Bruch, S. Gai and A. Ingber, An Analysis of Fusion Functions for Hybrid Retrieval (TOIS 2023).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

DEPTH = 50
"""How many results of each ranking are merged. The scores of the first and the last of them become 1 and 0."""

Ranking = Sequence[tuple[int, float]]
"""(row, score) pairs, best first."""


def convex_fusion(words: Ranking, vectors: Ranking, weight: float, depth: int = DEPTH) -> list[tuple[int, float]]:
    """The rows of both rankings with (1 - weight) x words' score + weight x vectors' score, best first.

    Scores are normalised to 0 to 1 within the first `depth` of each ranking; a row that is missing there has 0. So a
    row that is first in both has 1.0. If one search found nothing, the other decides alone, whatever the weight. Ties
    keep the order of the words, then that of the vectors.
    """
    if not words or not vectors:
        weight = 0.0 if words else 1.0
    scores = {row: (1.0 - weight) * score for row, score in _normalised(words[:depth], depth)}
    for row, score in _normalised(vectors[:depth], depth):
        scores[row] = scores.get(row, 0.0) + weight * score
    return sorted(scores.items(), key=lambda scored: -scored[1])


def _normalised(ranking: Ranking, depth: int) -> Iterator[tuple[int, float]]:
    """Min-max normalisation. Equal scores are all 1: each of them is the best that this search has found.

    In a ranking that is not full, what is missing has nothing in common with the question: a BM25 score or a cosine of
    0. So the lowest is 0, unless a cosine is even lower.
    """
    if not ranking:
        return
    highest, last = ranking[0][1], ranking[-1][1]
    lowest = last if len(ranking) >= depth else min(0.0, last)
    span = highest - lowest
    for row, score in ranking:
        yield row, (score - lowest) / span if span > 0.0 else 1.0
