"""Searches the embedded index: by words, or by words and vectors, and never compares vectors of two spaces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ha_rag.components.retrievers.fusion import Ranking, reciprocal_rank_fusion
from ha_rag.components.retrievers.placement import Placement
from ha_rag.errors import ComponentError, IndexStoreError
from ha_rag.index.index import Index
from ha_rag.messages import Embedding, Passage

DEPTH = 50
"""How many results of each ranking are merged at least; lower ones do not affect the first ten."""

Ranked = list[tuple[int, float]]


def search_lexical(index: Index, question: str, limit: int) -> Ranked:
    """(row, score) pairs by BM25, best first; empty if no word of the question occurs."""
    return index.snapshot.search_words(question, limit)


def search_hybrid(index: Index, question: str, embedding: Embedding, limit: int) -> Ranked:
    """(row, score) pairs by words and vectors; by words alone if the index has no vectors in the embedding's space."""
    column = index.column(embedding)
    if column is None:
        return search_lexical(index, question, limit)
    depth = max(DEPTH, limit)
    rankings: list[Ranking] = [column.search(embedding.vector, depth), search_lexical(index, question, depth)]
    return reciprocal_rank_fusion(rankings, limit)


async def found_in(index: Index, search: Callable[[], Ranked], placement: Placement) -> list[Passage]:
    """The passages that `search` ranks. Polls the index for a newer generation first.

    `placement` decides where it runs. Raises ComponentError if the index cannot be searched.
    """
    try:
        index.poll()
        snapshot = index.snapshot
        generation = f"{snapshot.identity}.{snapshot.generation}"
        return await placement.run(generation, partial(_passages, index, search))
    except IndexStoreError as error:
        raise ComponentError(str(error)) from error


def _passages(index: Index, search: Callable[[], Ranked]) -> list[Passage]:
    hits = search()
    passages = index.passages_of(hits)
    if len(passages) < len(hits):
        # An ingest has replaced some of them since the last refresh.
        index.refresh()
        passages = index.passages_of(search())
    return passages
