"""A cache inside the process: values say how old they are, and are misses once their time is over."""

from __future__ import annotations

from ha_rag.clock import ManualClock
from ha_rag.ledger.store.cache import CachedValue
from ha_rag.ledger.store.memory_cache import MemoryCacheStore


async def test_a_value_is_found_with_its_age_until_its_time_is_over() -> None:
    clock = ManualClock()
    store = MemoryCacheStore(ttl_s=60.0, clock=clock)
    assert await store.get("a") is None
    await store.put("a", "because")
    clock.advance(59.0)
    assert await store.get("a") == CachedValue("because", 59.0)
    clock.advance(1.0)
    assert await store.get("a") is None
    await store.put("a", "again")
    assert await store.get("a") == CachedValue("again", 0.0)
    assert await store.get("b") is None
