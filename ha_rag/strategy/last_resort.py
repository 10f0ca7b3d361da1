"""What answers when every tier of a chain is out: no circuit, no waiting, nothing that can fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ha_rag.components.embedders.zero import ZeroEmbedder
from ha_rag.components.generators.plain import PlainGenerator
from ha_rag.interfaces import Embedder, Generator, Retriever
from ha_rag.messages import ComponentType, Embedding, Passage

NAMES: Final = {ComponentType.EMBEDDER: "zero", ComponentType.RETRIEVER: "none", ComponentType.GENERATOR: "plain"}


class NoPassages:
    """Finds nothing, whatever is asked."""

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        return []


def zero_like(embedders: Sequence[Embedder]) -> Embedder:
    """The zero vector, as wide as the first embedder's. It lives in no space, so retrievers search by words."""
    return ZeroEmbedder(embedders[0].dimension if embedders else 1)


def no_passages() -> Retriever:
    """No passages."""
    return NoPassages()


def plain_sentence() -> Generator:
    """A sentence that says what happened, and lists the passages found."""
    return PlainGenerator()
