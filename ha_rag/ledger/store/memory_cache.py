"""MemoryCacheStore: a CacheStore inside the process, for lessons and programs without Redis."""

from __future__ import annotations

from ha_rag.clock import Clock, SystemClock
from ha_rag.ledger.store.cache import CachedValue


class MemoryCacheStore:
    """CacheStore in memory. `ttl_s`: after which a value is a miss. It has as many values as keys were kept: who gives
    it many keys should bound them. Belongs to one event loop.
    """

    def __init__(self, *, ttl_s: float = 86_400.0, clock: Clock | None = None) -> None:
        self._now_s = (clock or SystemClock()).monotonic_s
        self._ttl_s = ttl_s
        self._kept: dict[str, tuple[str, float]] = {}

    async def get(self, digest: str) -> CachedValue | None:
        body, at_s = self._kept.get(digest, ("", 0.0))
        age_s = self._now_s() - at_s
        return CachedValue(body, age_s) if body and age_s < self._ttl_s else None

    async def put(self, digest: str, body: str) -> None:
        self._kept[digest] = (body, self._now_s())
