"""The shipped figures: every configuration has some, and a kind that was not measured says what stands in for it."""

from __future__ import annotations

from itertools import product

import pytest

from ha_rag.assembly.kinds import EMBEDDERS, GENERATORS, RERANKERS, RETRIEVERS
from ha_rag.profiles.profile import ComponentMark
from ha_rag.profiles.shipped import shipped_profile, shipped_table
from ha_rag.strategy.quality import plan_of

KINDS = [list(kinds.listed().tables) for kinds in (EMBEDDERS, RETRIEVERS, RERANKERS, GENERATORS)]


@pytest.mark.parametrize(("embedder", "retriever", "reranker", "generator"), list(product(*KINDS)))
def test_every_plan_of_the_kinds_that_ha_rag_knows_has_a_figure(embedder, retriever, reranker, generator):
    marks = {
        "embedder.e": ComponentMark(embedder),
        "retriever.r": ComponentMark(retriever),
        "reranker.k": ComponentMark(reranker),
        "generator.g": ComponentMark(generator),
    }
    table = shipped_table(marks)

    assert table.figures.keys() == set(product(("e", "zero"), ("r", "none"), ("k", "none")))
    assert table.source == "shipped"
    assert all(0 < figure <= 1 for plan, figure in table.figures.items() if plan[1] != "none")
    for plan, generator in product(table.figures, ("g", "plain")):
        quality = table.expected_quality(plan_of(*plan), ("e", "r", "k"), generator)
        assert quality is not None
        assert quality.answers is not None
        assert (0 < quality.answers.expected <= 1) == (plan[1] != "none")


def test_the_default_configuration_needs_no_stand_ins():
    marks = {
        "embedder.primary": ComponentMark("local"),
        "embedder.secondary": ComponentMark("hashing"),
        "retriever.primary": ComponentMark("local"),
        "retriever.lexical": ComponentMark("lexical"),
        "generator.primary": ComponentMark("extractive"),
    }

    assert shipped_table(marks).measured_on == "XQuAD (en)"
    assert shipped_table(marks).figures["primary", "none", "none"] == 0


def test_what_stands_in_for_a_kind_is_said():
    kinds = {"embedder.cloud": "openai", "retriever.own": "notes", "generator.cloud": "openai", "generator.own": "poet"}
    table = shipped_table({circuit: ComponentMark(kind) for circuit, kind in kinds.items()})

    assert table.measured_on == (
        "XQuAD (en), onnx in place of embedder openai; lexical in place of retriever notes; "
        "extractive in place of generator openai; extractive in place of generator poet"
    )
    assert table.answers["cloud", "own", "none", "cloud"] == table.answers["cloud", "own", "none", "own"]
    (words,) = (
        p.ndcg for p in shipped_profile().plans if (p.embedder, p.retriever, p.reranker) == ("zero", "lexical", "none")
    )
    assert table.figures["zero", "own", "none"] == words


def test_the_file_is_of_no_index_and_whole():
    profile = shipped_profile()

    assert profile.corpus.sketch == ()
    assert profile.questions >= 100
    assert {plan.embedder for plan in profile.plans} == {"onnx", "local", "hashing", "zero"}
