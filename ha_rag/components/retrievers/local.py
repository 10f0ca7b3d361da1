"""The retrievers of the embedded index: hybrid search, and lexical search."""

from __future__ import annotations

from functools import partial

from ha_rag.components.retrievers.placement import Placement
from ha_rag.components.retrievers.searching import found_in, search_hybrid, search_lexical
from ha_rag.components.script import Script
from ha_rag.errors import ConfigurationError
from ha_rag.index.index import Index
from ha_rag.messages import Embedding, Passage

REDUCED_DOCS = 2


class LocalRetriever:
    """Hybrid search in the embedded index: by vectors and by words (BM25), merged by their normalised scores.

    Only vectors in the embedding's space are compared; without any, or with a zero vector, it searches by words alone.
    How much the vectors decide is the embedding's `weight`. Scores: 1.0 for a passage that both searches rank first;
    BM25 scores if only words are used. `script`: makes calls fail. Safe across tasks. Raises ComponentError if the
    index cannot be searched.
    """

    in_process = True

    def __init__(self, index: Index, *, script: Script | None = None) -> None:
        self._index = index
        self._script = script
        self._placement = Placement()

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        if self._script is not None:
            self._script.play()
        if top_k < 1:
            return []
        return await found_in(
            self._index,
            partial(search_hybrid, question=question, embedding=embedding),
            top_k,
            self._placement,
        )


class ReducedLocalRetriever(LocalRetriever):
    """The same search with at most `max_docs` passages (default 2), for a smaller prompt. Raises ConfigurationError."""

    def __init__(self, index: Index, *, max_docs: int = REDUCED_DOCS, script: Script | None = None) -> None:
        if not 1 <= max_docs <= 100:
            raise ConfigurationError(f"max_docs = {max_docs!r}: must be between 1 and 100")
        super().__init__(index, script=script)
        self._max_docs = max_docs

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        return await super().retrieve(question, embedding, min(top_k, self._max_docs))


class LexicalRetriever:
    """Search by words (BM25) in the embedded index; needs no embedding. `script`: makes calls fail.

    Safe across tasks. Raises ComponentError if the index cannot be searched.
    """

    in_process = True

    def __init__(self, index: Index, *, script: Script | None = None) -> None:
        self._index = index
        self._script = script
        self._placement = Placement()

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        if self._script is not None:
            self._script.play()
        if top_k < 1:
            return []
        return await found_in(
            self._index,
            partial(search_lexical, question=question),
            top_k,
            self._placement,
        )
