"""CachedEmbedder: answers from a cache of earlier embeddings; on a miss the next tier answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from ha_rag.components.embedders.scripted import PRIMARY_SPACE
from ha_rag.components.script import Script
from ha_rag.components.vectors import valid_weight
from ha_rag.errors import ConfigurationError, InvalidRequestError
from ha_rag.interfaces import Embedder
from ha_rag.messages import EVEN_WEIGHT, Embedding, Space, Vector


class EmbeddingCache(Protocol):
    """Caches vectors by space and text. May evict any of them at any time. Implementations are safe across tasks."""

    async def get(self, space: Space, text: str) -> Vector | None:
        """The cached vector of `text` in `space`, or None."""
        ...

    async def put(self, space: Space, text: str, vector: Vector) -> None:
        """Caches `vector`, and may evict others."""
        ...


class MemoryEmbeddingCache:
    """Caches the `max_entries` (default 10,000) most recently used vectors in this process."""

    def __init__(self, max_entries: int = 10_000) -> None:
        if max_entries < 1:
            raise ConfigurationError(f"max_entries = {max_entries!r}: must be at least 1")
        self._max_entries = max_entries
        self._kept: OrderedDict[tuple[Space, str], Vector] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, space: Space, text: str) -> Vector | None:
        key = (space, text)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    async def put(self, space: Space, text: str, vector: Vector) -> None:
        self._kept[space, text] = vector
        self._kept.move_to_end((space, text))
        if len(self._kept) > self._max_entries:
            self._kept.popitem(last=False)


class CachedEmbedder:
    """A tier that answers from `cache` alone (default: an empty one in memory). Safe across tasks.

    `space`: the space of its vectors (default: PrimaryEmbedder's). `weight`: that of the embedder whose vectors are
    cached, see Embedding (default 0.5). A text that is not cached raises
    InvalidRequestError, so the next tier answers and the circuit does not count a failure. The cache is filled by
    `remember`, or by a `RememberingEmbedder` around an earlier tier.
    """

    def __init__(
        self,
        cache: EmbeddingCache | None = None,
        *,
        space: Space = PRIMARY_SPACE,
        script: Script | None = None,
        weight: float = EVEN_WEIGHT,
    ) -> None:
        self.space = space
        self._weight = valid_weight(weight)
        self._cache = cache if cache is not None else MemoryEmbeddingCache()
        self._script = script or Script()

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        self._script.play()
        vector = await self._cache.get(self.space, text)
        if vector is None:
            raise InvalidRequestError("this text's embedding is not in the cache")
        return Embedding(vector, self.space, self._weight)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        return [await self.embed(text) for text in texts]

    async def remember(self, text: str, embedding: Embedding) -> None:
        """Caches the embedding of `text`, unless it is in another space or in none."""
        if embedding.space == self.space:
            await self._cache.put(self.space, text, embedding.vector)


class RememberingEmbedder:
    """Calls `embedder` and stores the vectors of questions in `cache`. Safe across tasks.

    Vectors of passages (`embed_many`) are not cached, because they are in the index.
    """

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self._embedder = embedder
        self._cache = cache
        self.space = embedder.space

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    async def embed(self, text: str) -> Embedding:
        embedding = await self._embedder.embed(text)
        if embedding.space is not None:
            await self._cache.put(embedding.space, text, embedding.vector)
        return embedding

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        return await self._embedder.embed_many(texts)
