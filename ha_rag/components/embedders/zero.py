"""ZeroEmbedder: the last resort, which cannot fail. Retrievers search by words when they get a zero vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ha_rag.messages import Embedding, Space


class ZeroEmbedder:
    """Returns the zero vector for every text. `dimension`: that of the chain's first embedder. Safe across tasks.

    Its embeddings are in no space (`embedding.space` is None); `space` gives only the dimension.
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
