"""What answers when every tier of a chain is out. No circuit, no waiting, nothing that can fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from ha_rag.messages import ComponentType, Embedding, Generation, Passage

NAMES: Final = {ComponentType.EMBEDDER: "zero", ComponentType.RETRIEVER: "none", ComponentType.GENERATOR: "plain"}

EXCERPT = 300
"""Characters shown of each passage in the plain sentence."""


class Embeds(Protocol):
    """What a question needs of an embedder; the rest of `Embedder` is for ingesting."""

    async def embed(self, text: str) -> Embedding:
        """The embedding of one question."""
        ...


class ZeroVector:
    """The zero vector, `dimension` wide. It lives in no space, so retrievers search by words."""

    def __init__(self, dimension: int) -> None:
        vector = np.zeros(dimension, dtype=np.float32)
        vector.setflags(write=False)
        self._embedding = Embedding(vector, None)

    async def embed(self, text: str) -> Embedding:
        return self._embedding


class NoPassages:
    """No passages."""

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        return []


class PlainSentence:
    """Says that no generator is available, and lists the passages found, by their numbers."""

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        if not passages:
            return Generation("No answer can be written now: every generator is out, and no passages were found.")
        lines = [f"[{n}] {_excerpt(passage)}" for n, passage in enumerate(passages, 1)]
        text = "No answer can be written now: every generator is out. These passages were found:\n" + "\n".join(lines)
        return Generation(text, tuple(range(1, len(passages) + 1)))


def _excerpt(passage: Passage) -> str:
    text = " ".join(passage.text.split())
    named = f"{passage.title or passage.document}: {text}"
    return named if len(named) <= EXCERPT else named[: EXCERPT - 1].rstrip() + "…"
