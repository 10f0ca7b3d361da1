"""The hybrid search with the local model on XQuAD (public research data, kept outside the project)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ha_rag.components.embedders.hashing import HashingEmbedder
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever
from ha_rag.index import Index, ingest
from ha_rag.interfaces import Embedder, Retriever

XQUAD = Path(os.environ.get("HA_RAG_XQUAD", Path(__file__).parents[4] / "shared/data/xquad"))
NEEDED = pytest.mark.skipif(not (XQUAD / "en").exists(), reason=f"XQuAD is not at {XQUAD} (HA_RAG_XQUAD)")
TOLERANCE = 0.003
"""How much worse than words alone a hybrid search may be."""


async def _recall(retriever: Retriever, embedder: Embedder, language: str) -> float:
    """The share of the questions whose paragraph is the first result."""
    questions = [json.loads(line) for line in (XQUAD / language / "questions.jsonl").read_text().splitlines()]
    right = 0
    for question in questions:
        found = await retriever.retrieve(question["text"], await embedder.embed(question["text"]), 1)
        right += [passage.document for passage in found] == [question["passage"]]
    return right / len(questions)


@NEEDED
@pytest.mark.parametrize(("language", "bar"), [("en", 0.935), ("de", 0.89), ("zh", 0.92), ("th", 0.88)])
async def test_the_default_plan_reaches_its_bar_and_no_embedder_spoils_what_words_find(
    tmp_path: Path, language: str, bar: float
) -> None:
    local, hashing = LocalEmbedder(), HashingEmbedder()
    with Index(tmp_path) as index:
        await ingest([XQUAD / language / "corpus.jsonl"], index, {"local": local, "hashing": hashing})
        hybrid, words = LocalRetriever(index), LexicalRetriever(index)
        by_default, by_words = await _recall(hybrid, local, language), await _recall(words, local, language)
        by_hashing = await _recall(hybrid, hashing, language)
    assert by_default >= bar
    assert min(by_default, by_hashing) >= by_words - TOLERANCE
