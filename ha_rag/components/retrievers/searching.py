"""Searches the embedded index: by words, or by words and vectors, and never compares vectors of two spaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ha_rag.components.retrievers.context import in_context
from ha_rag.components.retrievers.duplicates import distinct
from ha_rag.components.retrievers.fusion import DEPTH, convex_fusion
from ha_rag.components.retrievers.placement import Placement
from ha_rag.errors import ComponentError, IndexStoreError
from ha_rag.index.index import Index
from ha_rag.index.snapshot import IndexSnapshot
from ha_rag.messages import Embedding, Passage

MOST_REPEATED = 500
"""How many results are looked at, at most, for passages whose texts differ."""

Ranked = list[tuple[int, float]]
Search = Callable[[IndexSnapshot, int], Ranked]
"""(row, score) pairs of at most so many passages, best first."""


def search_lexical(snapshot: IndexSnapshot, limit: int, question: str) -> Ranked:
    """(row, score) pairs by BM25, best first; empty if no word of the question occurs."""
    return snapshot.search_words(question, limit)


def search_hybrid(snapshot: IndexSnapshot, limit: int, question: str, embedding: Embedding) -> Ranked:
    """(row, score) pairs by words and vectors, as the embedding's weight says.

    By words alone if it is 0 and words find something, or if the index has no vectors in the embedding's space.
    """
    column = snapshot.column(embedding)
    if column is None:
        return search_lexical(snapshot, limit, question)
    depth = max(DEPTH, limit)
    words = search_lexical(snapshot, limit if embedding.weight == 0.0 else depth, question)
    if words and embedding.weight == 0.0:
        return words
    return convex_fusion(words, column.search(embedding.vector, depth), embedding.weight, depth)[:limit]


async def found_in(index: Index, search: Search, top_k: int, placement: Placement) -> list[Passage]:
    """At most `top_k` of the passages that `search` ranks, in their context. Polls the index for a newer generation.

    `placement` decides where it runs. Raises ComponentError if the index cannot be searched.
    """
    try:
        index.poll()
        snapshot = index.snapshot
        generation = f"{snapshot.identity}.{snapshot.generation}.{snapshot.history}"
        return await placement.run(generation, partial(_passages, index, search, top_k))
    except IndexStoreError as error:
        raise ComponentError(str(error)) from error


def _passages(index: Index, search: Search, top_k: int) -> list[Passage]:
    snapshot = index.snapshot
    found, complete = _best(snapshot, search, top_k)
    if not complete and index.changed_since(snapshot):
        # An ingest has replaced some of them since this search began.
        snapshot = index.snapshot
        found, _ = _best(snapshot, search, top_k)
    return in_context(found, partial(_at, snapshot))


def _best(snapshot: IndexSnapshot, search: Search, top_k: int) -> tuple[list[tuple[int, Passage]], bool]:
    """(row, passage) pairs of the best passages with different texts; whether every one that ranks is still there."""
    limit = top_k
    while True:
        hits = search(snapshot, limit)
        found = snapshot.passages_of(hits)
        kept = distinct(found)[:top_k]
        if len(kept) == top_k or len(hits) < limit or limit >= MOST_REPEATED:
            return kept, len(found) == len(hits)
        limit = min(MOST_REPEATED, 4 * limit)


def _at(snapshot: IndexSnapshot, rows: Sequence[int]) -> dict[int, Passage]:
    return dict(snapshot.passages_of([(row, 0.0) for row in rows]))
