"""Last resorts: what answers when every tier of a chain failed. They need no circuit, do not wait and cannot fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ha_rag.components.embedders.zero import ZeroEmbedder
from ha_rag.components.generators.plain import PlainGenerator
from ha_rag.interfaces import Embedder, Generator, Retriever
from ha_rag.messages import LAST_RESORTS, Embedding, Passage

NAMES: Final = LAST_RESORTS


class NoPassages:
    """Always finds nothing."""

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        return []


def zero_like(embedders: Sequence[Embedder]) -> Embedder:
    """An embedder of zero vectors with the first embedder's dimension. They have no space: retrievers use keywords."""
    return ZeroEmbedder(embedders[0].dimension if embedders else 1)


def no_passages() -> Retriever:
    """A retriever that finds nothing."""
    return NoPassages()


def plain_sentence() -> Generator:
    """A generator of a plain sentence that lists the passages found."""
    return PlainGenerator()
