"""IndexSnapshot: one loaded generation of the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ha_rag.index.column import Column
from ha_rag.index.lexical import LexicalSearch
from ha_rag.index.passage_store import PassageStore
from ha_rag.messages import Embedding, Passage, Space

MAX_EXTRA = 1_000
"""How many more results to ask for, at most, in place of damaged passages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSnapshot:
    """One generation of the index, ready to be searched. Immutable; safe across threads.

    `identity`: of the database; differs after it was recreated. `history`: id of this generation; "" if unknown.
    `last_row`, `last_vector`: the newest ids included. `store`: the passages. `graphs`: graph file name per space.
    `damaged`: rows of passages that are left out, because they do not match their checksum. `problems`: what could not
    be loaded, as sentences.
    """

    identity: str = ""
    generation: int = 0
    history: str = ""
    last_row: int = 0
    last_vector: int = 0
    passages: int = 0
    documents: int = 0
    store: PassageStore | None = None
    lexical: LexicalSearch | None = None
    columns: dict[Space, Column] = field(default_factory=dict)
    graphs: dict[Space, str | None] = field(default_factory=dict)
    damaged: frozenset[int] = frozenset()
    problems: tuple[str, ...] = ()

    def search_words(self, question: str, limit: int) -> list[tuple[int, float]]:
        """At most `limit` (row, BM25 score) pairs, best first. Raises IndexStoreError."""
        if self.lexical is None:
            return []
        hits = self.lexical.search(question, limit + min(len(self.damaged), MAX_EXTRA))
        # The lexical index may be one commit ahead of this snapshot.
        return [hit for hit in hits if hit[0] <= self.last_row and hit[0] not in self.damaged][:limit]

    def column(self, embedding: Embedding) -> Column | None:
        """The column in the embedding's space; None if there is none or the embedding is all zeros."""
        if embedding.space is None:
            return None
        column = self.columns.get(embedding.space)
        if column is None or not len(column) or embedding.vector.shape != (embedding.space.dimension,):
            return None
        return column if embedding.vector.any() else None

    def passages_of(self, hits: Sequence[tuple[int, float]]) -> list[tuple[int, Passage]]:
        """(row, passage) pairs of (row, score) pairs, in the same order; those that have been deleted are left out."""
        return [] if self.store is None else self.store.passages_of(hits)
