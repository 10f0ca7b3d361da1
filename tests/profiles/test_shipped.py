"""The shipped figures: every configuration has some, and a kind that was not measured says what stands in for it."""

from __future__ import annotations

from itertools import product

import pytest

from ha_rag.assembly.kinds import EMBEDDERS, RERANKERS, RETRIEVERS
from ha_rag.profiles.profile import ComponentMark
from ha_rag.profiles.shipped import shipped_profile, shipped_table

KINDS = [list(kinds.listed().tables) for kinds in (EMBEDDERS, RETRIEVERS, RERANKERS)]


@pytest.mark.parametrize(("embedder", "retriever", "reranker"), list(product(*KINDS)))
def test_every_plan_of_the_kinds_that_ha_rag_knows_has_a_figure(embedder, retriever, reranker):
    marks = {
        "embedder.e": ComponentMark(embedder),
        "retriever.r": ComponentMark(retriever),
        "reranker.k": ComponentMark(reranker),
    }
    table = shipped_table(marks)

    assert table.figures.keys() == set(product(("e", "zero"), ("r", "none"), ("k", "none")))
    assert table.source == "shipped"
    assert all(0 < figure <= 1 for plan, figure in table.figures.items() if plan[1] != "none")


def test_the_default_configuration_needs_no_stand_ins():
    marks = {
        "embedder.primary": ComponentMark("local"),
        "embedder.secondary": ComponentMark("hashing"),
        "retriever.primary": ComponentMark("local"),
        "retriever.lexical": ComponentMark("lexical"),
    }

    assert shipped_table(marks).measured_on == "XQuAD (en)"
    assert shipped_table(marks).figures["primary", "none", "none"] == 0


def test_what_stands_in_for_a_kind_is_said():
    table = shipped_table({"embedder.cloud": ComponentMark("openai"), "retriever.own": ComponentMark("notes")})

    assert table.measured_on == "XQuAD (en), onnx in place of embedder openai; lexical in place of retriever notes"
    (words,) = (
        p.ndcg for p in shipped_profile().plans if (p.embedder, p.retriever, p.reranker) == ("zero", "lexical", "none")
    )
    assert table.figures["zero", "own", "none"] == words


def test_the_file_is_of_no_index_and_whole():
    profile = shipped_profile()

    assert profile.corpus.sketch == ()
    assert profile.questions >= 100
    assert {plan.embedder for plan in profile.plans} == {"onnx", "local", "hashing", "zero"}
