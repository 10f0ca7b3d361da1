"""The retrievers of the embedded index, from the best to the one that needs least."""

from __future__ import annotations

from functools import partial

from ha_rag.components.retrievers.placement import Placement
from ha_rag.components.retrievers.searching import by_words, by_words_and_meaning, found_in
from ha_rag.components.script import Script
from ha_rag.errors import ConfigurationError
from ha_rag.index.index import Index
from ha_rag.messages import Embedding, Passage

REDUCED_DOCS = 2


class LocalRetriever:
    """Hybrid search in the embedded index: vectors and words (BM25), fused by reciprocal rank.

    Searches the column of the embedding's space only; by words alone where the index holds none, or the vector is
    zero. Scores: 1.0 for what both rank first; BM25's own where words decide alone. `script`: fails on purpose.
    Safe across tasks. Raises ComponentError where the index cannot be searched.
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
        search = partial(by_words_and_meaning, self._index, question, embedding, top_k)
        return await found_in(self._index, search, self._placement)


class ReducedLocalRetriever(LocalRetriever):
    """The same search, at most `max_docs` passages (default 2): less to read for a generator that is in trouble."""

    def __init__(self, index: Index, *, max_docs: int = REDUCED_DOCS, script: Script | None = None) -> None:
        if not 1 <= max_docs <= 100:
            raise ConfigurationError(f"max_docs = {max_docs!r}: must be between 1 and 100")
        super().__init__(index, script=script)
        self._max_docs = max_docs

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        return await super().retrieve(question, embedding, min(top_k, self._max_docs))


class LexicalRetriever:
    """Search by words (BM25) in the embedded index; needs no embedding. An empty list where no word occurs.

    Safe across tasks. Raises ComponentError where the index cannot be searched.
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
        return await found_in(self._index, partial(by_words, self._index, question, top_k), self._placement)


class NoRetriever:
    """The last resort, which cannot fail: no passages."""

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        return []
