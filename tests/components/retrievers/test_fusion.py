"""Reciprocal rank fusion: order counts, scores do not."""

from __future__ import annotations

import pytest

from ha_rag.components.retrievers.fusion import reciprocal_rank_fusion


def test_a_row_that_is_first_in_both_rankings_scores_one() -> None:
    ((row, score),) = reciprocal_rank_fusion([[(1, 0.2)], [(1, 900.0)]], 5)
    assert row == 1
    assert score == pytest.approx(1.0)


def test_rows_in_both_rankings_come_before_rows_in_one() -> None:
    fused = reciprocal_rank_fusion([[(1, 9.0), (2, 8.0)], [(3, 0.9), (2, 0.8)]], 5)
    assert [row for row, _ in fused] == [2, 1, 3]


def test_scores_match_the_paper() -> None:
    fused = dict(reciprocal_rank_fusion([[(1, 9.0), (2, 8.0)], [(2, 0.9)]], 5))
    assert fused[2] == pytest.approx((1 / 62 + 1 / 61) / (2 / 61))
    assert fused[1] == pytest.approx((1 / 61) / (2 / 61))


@pytest.mark.parametrize("limit", [0, 1, 3, 100])
def test_the_limit_is_respected(limit: int) -> None:
    assert len(reciprocal_rank_fusion([[(n, 0.0) for n in range(10)]], limit)) == min(limit, 10)


def test_fusing_empty_rankings_returns_nothing() -> None:
    assert reciprocal_rank_fusion([[], []], 5) == []
