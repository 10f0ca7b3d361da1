"""Retrieval quality on the Cranfield collection (public research data, kept outside the project)."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever
from ha_rag.index import Index, ingest
from ha_rag.interfaces import Retriever

CRANFIELD = Path(os.environ.get("HA_RAG_CRANFIELD", Path(__file__).parents[4] / "shared/data/cranfield"))
NEEDED = pytest.mark.skipif(
    not (CRANFIELD / "corpus.jsonl").exists(), reason=f"Cranfield is not at {CRANFIELD} (HA_RAG_CRANFIELD)"
)


def _gain(ranked: list[str], wanted: set[str]) -> float:
    found = sum(1 / math.log2(rank + 2) for rank, document in enumerate(ranked[:10]) if document in wanted)
    return found / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(wanted))))


async def _ndcg(retriever: Retriever, embedder: LocalEmbedder) -> float:
    wanted: dict[str, set[str]] = {}
    for line in (CRANFIELD / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        question, document, _ = line.split("\t")
        wanted.setdefault(question, set()).add(document)
    gains = []
    for line in (CRANFIELD / "queries.jsonl").read_text().splitlines():
        query = json.loads(line)
        if query["_id"] in wanted:
            passages = await retriever.retrieve(query["text"], await embedder.embed(query["text"]), 20)
            gains.append(_gain(list(dict.fromkeys(p.document for p in passages)), wanted[query["_id"]]))
    return sum(gains) / len(wanted)


@NEEDED
async def test_hybrid_search_beats_lexical_search_and_both_reach_their_reference(tmp_path: Path) -> None:
    embedder = LocalEmbedder()
    with Index(tmp_path) as index:
        report = await ingest([CRANFIELD / "corpus.jsonl"], index, {"local": embedder})
        assert report.added == 1398
        assert len(report.unreadable) == 2  # two abstracts have no text
        hybrid, lexical = await _ndcg(LocalRetriever(index), embedder), await _ndcg(LexicalRetriever(index), embedder)
    assert hybrid >= 0.405
    assert lexical >= 0.400
    assert hybrid > lexical
