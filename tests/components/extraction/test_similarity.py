"""Similarity is compared by distinct tokens; the result is that of comparing every token with every other one."""

from __future__ import annotations

import numpy as np
import pytest

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.extraction import similarity
from ha_rag.components.extraction.parts import parts_of
from ha_rag.components.extraction.similarity import SAME, UNRELATED, TokenSimilarity
from ha_rag.messages import Passage

PASSAGES = [
    Passage("a", "a#0", "The circuit opens after five failures. Failures are counted for a minute.", title="Circuits"),
    Passage("b", "b#0", "วงจรเปิดหลังจากล้มเหลวห้าครั้ง และปิดอีกครั้งเมื่อการทดสอบสำเร็จ", heading="วงจร"),
    Passage("c", "c#0", "断路器在五次失败后打开。断路器。"),
]
QUESTIONS = "When does the circuit open, and which circuit?", "วงจรเปิดเมื่อใด วงจรใด", "断路器何时打开。", "?"


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_figures_are_those_of_all_pairs_of_tokens(question: str) -> None:
    embedder = LocalEmbedder()
    vectors, lengths = embedder.token_vectors, embedder.token_vectors.lengths()

    def tokens(text: str) -> list[int]:
        return [token for word in text.split() for token in embedder.token_ids(word)] or [0]

    def nearest(text: str) -> np.ndarray:
        """How near the nearest token of `text` is to each of the question."""
        ids = tokens(text)
        cosines = vectors[asked] @ vectors[ids].T / np.outer(lengths[asked], lengths[ids])
        return np.maximum(cosines.max(axis=1) - UNRELATED, 0) / (1 - UNRELATED)

    def unit(ids: list[int]) -> np.ndarray:
        whole = vectors[ids].sum(axis=0)
        return whole / np.linalg.norm(whole)

    asked = tokens(question)
    texts = [[part.unit.text for part in parts_of(each).parts] for each in PASSAGES]
    above = [each.heading for each in PASSAGES]
    texts = [[f"{heading} {text}" for text in each] for heading, each in zip(above, texts, strict=True)]
    tops = [f"{each.title} {each.heading}" for each in PASSAGES]
    units = np.array([nearest(text) for each in texts for text in each])
    weights = np.sqrt(lengths[asked]) * np.log(1 + len(units) / (0.5 + (units > SAME).sum(axis=0)))
    covered = [
        lengths[asked] @ np.max([nearest(text) for text in (*each, top)], axis=0) / lengths[asked].sum()
        for each, top in zip(texts, tops, strict=True)
    ]
    whole = [
        unit(asked) @ unit([token for text in (*each, top) for token in tokens(text)])
        for each, top in zip(texts, tops, strict=True)
    ]

    compared = TokenSimilarity(embedder).compared(question, PASSAGES)
    assert compared.units == pytest.approx((units @ weights / weights.sum()).tolist(), abs=1e-5)
    assert compared.covered == pytest.approx(covered, abs=1e-5)
    assert compared.passages == pytest.approx(whole, abs=1e-5)


def test_the_weight_of_a_word_does_not_depend_on_the_words_beside_it() -> None:
    embedder = LocalEmbedder()
    words = ["circuit", "the", "วง", "断路", "circuit"]
    together = TokenSimilarity(embedder).weights(words)
    alone = [TokenSimilarity(embedder).weights([word])[0] for word in words]
    assert together == pytest.approx(alone)
    assert together[1] < together[0] == together[4]
    assert TokenSimilarity(embedder).weights([]) == []


def test_what_is_kept_of_words_is_bounded_and_changes_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "KEPT_WORDS", 5)
    monkeypatch.setattr(similarity, "KEPT_WEIGHTS", 5)
    small, large = TokenSimilarity(LocalEmbedder()), TokenSimilarity(LocalEmbedder())
    for passage in PASSAGES:
        small.compared(QUESTIONS[0], [passage])
        small.weights(passage.text.split()[:3])
    assert len(small._words) <= 30
    assert len(small._weights) <= 5
    assert small.compared(QUESTIONS[0], PASSAGES) == large.compared(QUESTIONS[0], PASSAGES)
