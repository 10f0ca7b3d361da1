"""Searching the embedded index: by words, or by words and meaning together, never with another space's vector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ha_rag.components.retrievers.fusion import Ranking, reciprocal_rank_fusion
from ha_rag.components.retrievers.placement import Placement
from ha_rag.errors import ComponentError, IndexStoreError
from ha_rag.index.index import Index
from ha_rag.messages import Embedding, Passage

DEPTH = 50
"""How many of each ranking are fused, at least: what stands below has no say in the first ten."""

Ranked = list[tuple[int, float]]


def by_words(index: Index, question: str, limit: int) -> Ranked:
    """(row, score) by BM25, best first; nothing where no word of the question occurs."""
    return index.snapshot.search_words(question, limit)


def by_words_and_meaning(index: Index, question: str, embedding: Embedding, limit: int) -> Ranked:
    """(row, score) by both, fused; by words alone where the index has no column of the embedding's space."""
    column = index.column(embedding)
    if column is None:
        return by_words(index, question, limit)
    depth = max(DEPTH, limit)
    rankings: list[Ranking] = [column.search(embedding.vector, depth), by_words(index, question, depth)]
    return reciprocal_rank_fusion(rankings, limit)


async def found_in(index: Index, search: Callable[[], Ranked], placement: Placement) -> list[Passage]:
    """The passages that `search` ranks, after the index had a chance to renew itself.

    `placement` says where it runs. Raises ComponentError where the index cannot be searched.
    """
    try:
        index.look()
        return await placement.run(index.corpus_version, partial(_passages, index, search))
    except IndexStoreError as error:
        raise ComponentError(str(error)) from error


def _passages(index: Index, search: Callable[[], Ranked]) -> list[Passage]:
    hits = search()
    passages = index.passages_of(hits)
    if len(passages) < len(hits):
        # An ingest replaced some of them since this process looked last: look now, and search what is there now.
        index.refresh()
        passages = index.passages_of(search())
    return passages
