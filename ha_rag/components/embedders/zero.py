"""ZeroEmbedder: the last resort, which cannot fail. Its vector has no direction, so retrievers search by words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ha_rag.messages import Embedding, Space


class ZeroEmbedder:
    """Gives every text the zero vector, `dimension` wide (that of the chain's first embedder). Safe across tasks.

    Its embeddings live in no space (`embedding.space` is None); `space` only tells the width.
    """

    def __init__(self, dimension: int) -> None:
        self.space = Space("zero", "", dimension)
        self._zero = Embedding(np.zeros(dimension, dtype=np.float32), None)
        self._zero.vector.setflags(write=False)

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        return self._zero

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        return [self._zero] * len(texts)
