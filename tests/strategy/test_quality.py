"""QualityTable: the best measured plan among those that are up."""

from __future__ import annotations

import json

import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.messages import Quality
from ha_rag.strategy.quality import QualityTable

CRANFIELD = QualityTable(
    "ndcg@10",
    {
        ("primary", "hybrid"): 0.38,
        ("primary", "words"): 0.37,
        ("small", "hybrid"): 0.34,
        ("small", "words"): 0.37,
        ("zero", "hybrid"): 0.36,
        ("zero", "words"): 0.37,
    },
)
EMBEDDERS = ["primary", "small", "unmeasured", "zero"]


def test_the_best_plan_uses_only_tiers_that_are_up() -> None:
    assert CRANFIELD.best_plan(["primary", "small", "zero"], ["hybrid", "words"]) == ("primary", "hybrid")
    assert CRANFIELD.best_plan(["small", "zero"], ["hybrid"]) == ("zero", "hybrid")


def test_a_tie_goes_to_the_first_listed() -> None:
    assert CRANFIELD.best_plan(["small", "zero"], ["words"]) == ("small", "words")


def test_without_figures_for_what_is_up_there_is_no_best_plan() -> None:
    assert CRANFIELD.best_plan(["unmeasured"], ["hybrid"]) is None
    assert CRANFIELD.best_plan(["primary"], []) is None


def test_embedders_are_ranked_by_their_best_available_plan() -> None:
    assert CRANFIELD.rank_embedders(EMBEDDERS, ["hybrid", "words"]) == ["primary", "small", "zero", "unmeasured"]
    assert CRANFIELD.rank_embedders(EMBEDDERS, ["hybrid"]) == ["primary", "zero", "small", "unmeasured"]


def test_retrievers_are_ranked_by_their_quality_with_the_embedder() -> None:
    assert CRANFIELD.rank_retrievers("primary", ["words", "hybrid"]) == ["hybrid", "words"]
    assert CRANFIELD.rank_retrievers("small", ["hybrid", "words"]) == ["words", "hybrid"]
    assert CRANFIELD.rank_retrievers("unmeasured", ["hybrid", "words"]) == ["hybrid", "words"]


def test_expected_quality_is_given_together_with_the_best() -> None:
    assert CRANFIELD.expected_quality(("zero", "words"), ("primary", "hybrid")) == Quality(0.37, 0.38, "ndcg@10")
    assert CRANFIELD.expected_quality(("unmeasured", "words"), ("primary", "hybrid")) is None
    assert CRANFIELD.expected_quality(("zero", "words"), None) is None


def test_the_table_survives_a_round_trip_through_json() -> None:
    rows = json.loads(json.dumps(CRANFIELD.rows()))
    assert QualityTable.from_rows("ndcg@10", rows) == CRANFIELD
    assert rows[0] == {"embedder": "primary", "retriever": "hybrid", "figure": 0.38}


@pytest.mark.parametrize("figure", [-0.1, 1.1, float("nan"), True, "good", None])
def test_an_invalid_figure_is_refused(figure: object) -> None:
    with pytest.raises(ConfigurationError, match=r"figure|must be"):
        QualityTable.from_rows("ndcg@10", [{"embedder": "a", "retriever": "b", "figure": figure}])


def test_a_row_without_a_column_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="retriever"):
        QualityTable.from_rows("ndcg@10", [{"embedder": "a", "figure": 0.3}])
