"""QualityTable: the best measured plan among those that are up."""

from __future__ import annotations

import json

import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.messages import AnswerQuality, Quality
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
    assert CRANFIELD.best_plan(["primary", "small", "zero"], ["hybrid", "words"]) == ("primary", "hybrid", "none")
    assert CRANFIELD.best_plan(["small", "zero"], ["hybrid"]) == ("zero", "hybrid", "none")


def test_a_tie_goes_to_the_first_listed() -> None:
    assert CRANFIELD.best_plan(["small", "zero"], ["words"]) == ("small", "words", "none")


def test_without_figures_for_what_is_up_there_is_no_best_plan() -> None:
    assert CRANFIELD.best_plan(["unmeasured"], ["hybrid"]) is None
    assert CRANFIELD.best_plan(["primary"], []) is None


RERANKED = QualityTable(
    "ndcg@10",
    {("small", "hybrid", "none"): 0.34, ("small", "hybrid", "cross"): 0.41, ("zero", "hybrid"): 0.36},
    answers={("small", "hybrid", "cross", "model"): 0.8, ("small", "hybrid", "cross", "quotes"): 0.9},
    seconds={"embedder.small": 0.1, "reranker.cross": 0.5, "generator.quotes": 0.2, "generator.model": 0.1},
)


def test_a_plan_that_takes_longer_than_there_is_time_is_not_the_best() -> None:
    lists = (["small", "zero"], ["hybrid"], ["cross", "none"])
    assert RERANKED.best_plan(*lists) == ("small", "hybrid", "cross")
    assert RERANKED.best_plan(*lists, within_s=0.59) == ("zero", "hybrid", "none")


def test_generators_are_ranked_by_the_gold_words_in_their_answers_and_slow_ones_last() -> None:
    plan, names = ("small", "hybrid", "cross"), ["model", "unmeasured", "quotes"]
    assert RERANKED.rank_generators(plan, names) == ["quotes", "model", "unmeasured"]
    assert RERANKED.rank_generators(plan, names, within_s=0.15) == ["model", "unmeasured", "quotes"]
    assert RERANKED.rank_generators(("zero", "hybrid", "none"), names) == names


def test_the_quality_of_the_texts_is_given_where_it_was_measured() -> None:
    plan = ("small", "hybrid", "cross")
    quality = RERANKED.expected_quality(plan, plan, "model")
    assert quality is not None
    assert quality.answers == AnswerQuality(0.8, 0.9, "gold")
    assert RERANKED.expected_quality(plan, plan, "unmeasured") == Quality(0.41, 0.41, "ndcg@10")


def test_without_passages_no_answer_is_expected_of_any_generator() -> None:
    table = QualityTable(
        "ndcg@10",
        {("small", "hybrid", "none"): 0.34, ("small", "none", "none"): 0.0},
        {("small", "hybrid", "none", "model"): 0.8},
    )
    nothing = table.expected_quality(("small", "none", "none"), ("small", "hybrid", "none"), "other")
    assert nothing is not None
    assert nothing.answers == AnswerQuality(0.0, 0.8, "gold")


def test_a_list_of_passages_is_not_the_best_answer_but_may_be_the_expected_one() -> None:
    plan = ("small", "hybrid", "none")
    table = QualityTable("ndcg@10", {plan: 0.34}, {(*plan, "model"): 0.6, (*plan, "plain"): 0.7})
    told = [table.expected_quality(plan, plan, name) for name in ("model", "plain")]
    assert [each and each.answers for each in told] == [AnswerQuality(x, x, "gold") for x in (0.6, 0.7)]


def test_expected_quality_is_given_together_with_the_best() -> None:
    best = ("primary", "hybrid", "none")
    assert CRANFIELD.expected_quality(("zero", "words", "none"), best) == Quality(0.37, 0.38, "ndcg@10")
    assert CRANFIELD.expected_quality(("unmeasured", "words", "none"), best) is None
    assert CRANFIELD.expected_quality(("zero", "words", "none"), None) is None


def test_the_table_survives_a_round_trip_through_json() -> None:
    rows = json.loads(json.dumps(CRANFIELD.rows()))
    assert QualityTable.from_rows("ndcg@10", rows) == CRANFIELD
    assert rows[0] == {"embedder": "primary", "retriever": "hybrid", "reranker": "none", "figure": 0.38}


def test_rows_of_an_earlier_version_have_no_reranker() -> None:
    rows = [{"embedder": "a", "retriever": "b", "figure": 0.3}]
    assert QualityTable.from_rows("ndcg@10", rows).figures == {("a", "b", "none"): 0.3}


@pytest.mark.parametrize("figure", [-0.1, 1.1, float("nan"), True, "good", None])
def test_an_invalid_figure_is_refused(figure: object) -> None:
    with pytest.raises(ConfigurationError, match=r"figure|must be"):
        QualityTable.from_rows("ndcg@10", [{"embedder": "a", "retriever": "b", "figure": figure}])


def test_a_row_without_a_column_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="retriever"):
        QualityTable.from_rows("ndcg@10", [{"embedder": "a", "figure": 0.3}])
