"""Measures: rankings as trec_eval judges them, and gold words in texts of any language."""

from __future__ import annotations

import math

import pytest

from ha_rag.evaluation.measures import has_gold, percentile, ranking_figures, word_count


def test_a_perfect_ranking_has_the_best_figures():
    figures = ranking_figures({"q": {"a": 2, "b": 1}}, {"q": ["a", "b", "c"]})

    assert figures == pytest.approx({"ndcg@10": 1, "mrr@10": 1, "recall@3": 1, "recall@10": 1})


def test_a_document_counts_by_its_relevance_and_its_rank():
    figures = ranking_figures({"q": {"a": 2, "b": 1}}, {"q": ["c", "b", "d", "a"]})

    best = 2 + 1 / math.log2(3)
    assert figures["ndcg@10"] == pytest.approx((1 / math.log2(3) + 2 / math.log2(5)) / best)
    assert (figures["mrr@10"], figures["recall@3"], figures["recall@10"]) == (0.5, 0.5, 1.0)


def test_what_is_found_after_the_tenth_place_does_not_count():
    figures = ranking_figures({"q": {"a": 1}}, {"q": [*map(str, range(10)), "a"]})

    assert set(figures.values()) == {0.0}


def test_a_question_for_which_nothing_is_found_counts_as_nothing():
    figures = ranking_figures({"q": {"a": 1}, "lost": {"a": 1}}, {"q": ["a"], "lost": []})

    assert set(figures.values()) == {0.5}
    assert set(ranking_figures({"lost": {"a": 1}}, {}).values()) == {0.0}


@pytest.mark.parametrize(
    ("answer", "gold", "found"),
    [
        ("It was built in 1894 [1].", "1894", True),
        ("Built by Rosa [1] Keller", "rosa keller", True),
        ("Der Turm misst 41\u00a0Meter.", "41 meter", True),
        ("在１９９９年", "1999年", True),
        ("It is old.", "1894", False),
    ],
)
def test_gold_words_are_found_whatever_case_spacing_and_citations(answer, gold, found):
    assert has_gold(answer, ["something else", gold]) is found


def test_an_answer_s_length_is_in_words_or_in_characters_without_spaces():
    assert word_count("It was built in 1894 [1].") == 5
    assert word_count("黑豹队的防守 [1]") == 6


def test_a_percentile_is_a_value_that_was_seen():
    assert percentile([3.0, 1.0, 2.0, 4.0], 0.5) == 3.0
    assert percentile([], 0.95) == 0
