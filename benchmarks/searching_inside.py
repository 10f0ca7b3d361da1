"""What a search of one index costs inside this process: time, recall, the time to load it, and its size on disk."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.grown_index import nearest
from benchmarks.made_text import MadeText
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.retrievers import LocalRetriever
from ha_rag.components.retrievers.fusion import DEPTH
from ha_rag.index import Index

QUESTIONS = 300
WARM_UP = 50
TOP_K = 4


@dataclass(frozen=True, kw_only=True)
class Searching:
    """`search_ms`: of each hybrid search. `recall`: of the first ten of a search by vectors."""

    search_ms: list[float]
    recall: float
    load_s: float
    disk_bytes: int


async def searching(folder: Path) -> Searching:
    """Loads the index in `folder` and searches it."""
    began_s = time.perf_counter()
    with Index(folder) as index:
        load_s = time.perf_counter() - began_s
        return Searching(
            search_ms=await _search_ms(index),
            recall=await _recall(index),
            load_s=load_s,
            disk_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        )


async def _search_ms(index: Index) -> list[float]:
    embedder, retriever, took_ms = LocalEmbedder(), LocalRetriever(index), []
    for question in MadeText().questions(index.passages, WARM_UP + QUESTIONS):
        embedding = await embedder.embed(question)
        began_s = time.perf_counter()
        await retriever.retrieve(question, embedding, TOP_K)
        took_ms.append(1000 * (time.perf_counter() - began_s))
    return took_ms[WARM_UP:]


async def _recall(index: Index, limit: int = 10) -> float:
    """Of the nearest `limit` passages, the share that is among the first `limit` of the search."""
    embedder = LocalEmbedder()
    embeddings = [await embedder.embed(question) for question in MadeText().questions(index.passages, QUESTIONS)]
    exact = nearest(index.folder, np.array([embedding.vector for embedding in embeddings]), limit)
    column = index.column(embeddings[0])
    assert column is not None
    found = [{row for row, _ in column.search(embedding.vector, DEPTH)[:limit]} for embedding in embeddings]
    return statistics.fmean(len(one & other) / len(other) for one, other in zip(found, exact, strict=True))
