"""Fusion of two rankings by their normalised scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.components.retrievers.fusion import DEPTH, Ranking, convex_fusion

FULL_WORDS = [(row, 100.0 - row) for row in range(DEPTH)]
"""A full ranking: its last score is the lowest of many and becomes 0."""
FULL_VECTORS = [(DEPTH - row, 0.9 - row / 1000) for row in range(DEPTH)]


def _expect(fused: Ranking, expected: Ranking) -> None:
    assert [row for row, _ in fused] == [row for row, _ in expected]
    assert [score for _, score in fused] == pytest.approx([score for _, score in expected])


def test_a_row_that_is_first_in_both_rankings_scores_one() -> None:
    _expect(convex_fusion([(1, 900.0), (2, 100.0)], [(1, 0.2), (3, 0.1)], 0.2)[:1], [(1, 1.0)])


def test_scores_are_scaled_between_the_first_and_the_last_of_a_full_ranking() -> None:
    words, vectors = dict(convex_fusion(FULL_WORDS, [], 0.5)), dict(convex_fusion([], FULL_VECTORS, 0.5))
    assert words[0] == vectors[DEPTH] == pytest.approx(1.0)
    assert words[DEPTH - 1] == vectors[1] == pytest.approx(0.0)
    assert words[7] == pytest.approx(1.0 - 7 / (DEPTH - 1))


def test_the_weight_says_how_much_vectors_decide() -> None:
    words, vectors = [(1, 10.0), (2, 5.0)], [(2, 0.8), (1, 0.4)]
    _expect(convex_fusion(words, vectors, 0.2), [(1, 0.9), (2, 0.6)])
    _expect(convex_fusion(words, vectors, 0.8), [(2, 0.9), (1, 0.6)])


def test_a_row_of_one_ranking_has_zero_in_the_other() -> None:
    _expect(convex_fusion([(1, 10.0), (2, 9.0)], [(3, 0.8), (2, 0.7)], 0.5), [(2, 0.8875), (1, 0.5), (3, 0.5)])


@pytest.mark.parametrize(
    ("words", "vectors", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([(1, 3.0)], [], [(1, 1.0)], id="one hit by words"),
        pytest.param([], [(1, -0.3)], [(1, 1.0)], id="one hit by a negative cosine"),
        pytest.param([(1, 3.0), (2, 3.0)], [], [(1, 1.0), (2, 1.0)], id="equal scores"),
        pytest.param([], [(1, -0.2), (2, -0.4)], [(1, 1.0), (2, 0.0)], id="negative cosines"),
        pytest.param([], [(1, 0.4), (2, -0.4)], [(1, 1.0), (2, 0.0)], id="cosines of both signs"),
        pytest.param([], [(1, 0.0), (2, 0.0)], [(1, 1.0), (2, 1.0)], id="cosines of zero"),
        pytest.param([(1, 3.0), (2, 3.0)], [(2, 0.9)], [(2, 1.0), (1, 0.8)], id="vectors decide between equal words"),
        pytest.param([(4, 2.0), (3, 2.0)], [(3, 0.5), (4, 0.5)], [(4, 1.0), (3, 1.0)], id="a tie keeps words' order"),
    ],
)
def test_short_equal_and_negative_rankings(words: Ranking, vectors: Ranking, expected: Ranking) -> None:
    _expect(convex_fusion(words, vectors, 0.2), expected)


def test_what_lies_below_the_depth_changes_nothing() -> None:
    deeper = [*FULL_WORDS, (900, 1.0), (901, 0.5)]
    assert convex_fusion(deeper, FULL_VECTORS, 0.2) == convex_fusion(FULL_WORDS, FULL_VECTORS, 0.2)


def _rankings(lowest: float, highest: float) -> st.SearchStrategy[Ranking]:
    scores = st.dictionaries(st.integers(0, 90), st.floats(lowest, highest), max_size=70)
    return scores.map(lambda score_of: sorted(score_of.items(), key=lambda hit: -hit[1]))


@given(_rankings(0.0, 80.0), _rankings(-1.0, 1.0), st.floats(0.0, 1.0))
def test_any_rankings_fuse_to_each_row_once_with_scores_from_zero_to_one(
    words: Ranking, vectors: Ranking, weight: float
) -> None:
    fused = convex_fusion(words, vectors, weight)
    rows = [row for row, _ in fused]
    assert sorted(rows) == sorted({row for row, _ in [*words[:DEPTH], *vectors[:DEPTH]]})
    assert all(0.0 <= score <= 1.0 + 1e-9 for _, score in fused)
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
