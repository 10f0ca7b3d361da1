"""CachedEmbeddings: embeddings that any replica made before, asked before a service embeds a question."""

from __future__ import annotations

from collections.abc import Iterable

from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock, SystemClock
from ha_rag.messages import ComponentType, Embedding, Space
from ha_rag.strategy.cache_access import CacheAccess
from ha_rag.strategy.cached_forms import digest_of, read_embedding, written_embedding
from ha_rag.strategy.chain import Served
from ha_rag.strategy.recall import Recalled, is_service, recalled
from ha_rag.strategy.tier import C, GuardedTier


class CachedEmbeddings:
    """The cache of embeddings. The key is a space and an exact text; the text cannot be read from it.

    Only what a service made is kept: a model inside the process is faster than a cache.
    """

    def __init__(self, access: CacheAccess, clock: Clock | None = None) -> None:
        self.access = access
        self.now_s = (clock or SystemClock()).monotonic_s

    def of(self, text: str) -> EmbeddingRecall:
        """The access for one text."""
        return EmbeddingRecall(self, text)


class EmbeddingRecall:
    """Recall of one text's embedding. Belongs to one question.

    A cached vector is the very one that its tier would make, so the tier serves it, and it is not degraded. While the
    tier's circuit is half-open the service is asked first: its recovery is tried with questions.
    """

    def __init__(self, cache: CachedEmbeddings, text: str) -> None:
        self._cache = cache
        self._text = text
        self._looked_up: set[str] = set()

    async def before(self, tier: GuardedTier[C]) -> Recalled[Embedding] | None:
        if tier.breaker.state is CircuitState.HALF_OPEN:
            return None
        return await self._find(tier)

    async def after(self, tier: GuardedTier[C]) -> Recalled[Embedding] | None:
        return None if tier.circuit in self._looked_up else await self._find(tier)

    def keep(self, served: Served[Embedding], tiers: Iterable[GuardedTier[C]]) -> None:
        """Keeps an embedding that a service has made now."""
        made_by = next((tier for tier in tiers if tier.circuit == served.attempts[-1].circuit), None)
        if made_by is not None and is_service(made_by) and served.reply.space is not None:
            self._cache.access.keep(_key(self._text, served.reply.space), written_embedding(served.reply))

    async def _find(self, tier: GuardedTier[C]) -> Recalled[Embedding] | None:
        space = getattr(tier.component, "space", None)
        if not is_service(tier) or not isinstance(space, Space):
            return None
        self._looked_up.add(tier.circuit)
        began_s = self._cache.now_s()
        found = await self._cache.access.find(_key(self._text, space), lambda value: read_embedding(value, space))
        if found is None:
            return None
        return recalled(ComponentType.EMBEDDER, found, tier.name, self._cache.now_s() - began_s)


def _key(text: str, space: Space) -> str:
    return digest_of("embedding", space.model, space.revision, str(space.dimension), text)
