"""A cache in Redis: bounded in number and in time, and read as if a stranger had written it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ha_rag.errors import LedgerError
from ha_rag.ledger.store.cache import RedisCacheStore, place_of
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.validation import ForeignValueError
from tests.ledger.bench import RedisBench

KIND, PLACES, LIFETIME_MS = "answers", 8, 60_000


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def store_of(bench: RedisBench, *, places: int = PLACES, max_bytes: int = 1_000) -> RedisCacheStore:
    return RedisCacheStore(bench.client, bench.namespace, KIND, places=places, max_bytes=max_bytes, ttl_ms=LIFETIME_MS)


@pytest.fixture
def store(redis_bench: RedisBench) -> RedisCacheStore:
    return store_of(redis_bench)


def key_of(bench: RedisBench, key: str) -> str:
    return f"{bench.namespace}:cache:{KIND}:{place_of(digest(key), PLACES)}"


async def kept(bench: RedisBench) -> list[Any]:
    return [key async for key in bench.client.scan_iter(f"{bench.namespace}:cache:*")]


async def test_a_value_is_found_by_its_key_alone_and_says_how_old_it_is(
    store: RedisCacheStore, redis_bench: RedisBench
) -> None:
    await store.put(digest("why?"), "because é")
    found = await store.get(digest("why?"))
    assert found is not None
    assert found.body == "because é"
    assert 0 <= found.age_s < 30
    assert await store.get(digest("how?")) is None
    await redis_bench.client.pexpire(key_of(redis_bench, "why?"), LIFETIME_MS - 20_000)
    older = await store.get(digest("why?"))
    assert older is not None
    assert 20 <= older.age_s < 50


async def test_however_many_values_are_kept_there_are_never_more_than_places(
    store: RedisCacheStore, redis_bench: RedisBench
) -> None:
    for n in range(50):
        await store.put(digest(str(n)), "x")
    keys = await kept(redis_bench)
    assert 1 <= len(keys) <= PLACES
    assert all([0 < await redis_bench.client.pttl(key) <= LIFETIME_MS for key in keys])


async def test_a_value_of_another_key_in_the_same_place_is_a_miss(redis_bench: RedisBench) -> None:
    store = store_of(redis_bench, places=1)
    await store.put(digest("a"), "of a")
    assert await store.get(digest("b")) is None
    await store.put(digest("b"), "of b")
    assert await store.get(digest("a")) is None


HOSTILE = {
    "nothing": "",
    "no head": "because",
    "another form": f"2 {digest('why?')} 60000\nbecause",
    "no digest": "1 why? 60000\nbecause",
    "no lifetime": f"1 {digest('why?')} soon\nbecause",
    "a negative lifetime": f"1 {digest('why?')} -5\nbecause",
    "a lifetime of a million years": f"1 {digest('why?')} {10**15}\nbecause",
    "too long": f"1 {digest('why?')} 60000\n" + "x" * 5_000,
    "control characters": "\x00\x01",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
async def test_what_no_replica_can_have_written_is_refused(
    store: RedisCacheStore, redis_bench: RedisBench, value: str
) -> None:
    await redis_bench.client.set(key_of(redis_bench, "why?"), value, px=LIFETIME_MS)
    with pytest.raises(ForeignValueError):
        await store.get(digest("why?"))


@pytest.mark.parametrize("left_ms", [None, LIFETIME_MS * 2], ids=["for ever", "for longer than it says"])
async def test_a_value_that_does_not_expire_as_it_says_is_refused(
    store: RedisCacheStore, redis_bench: RedisBench, left_ms: int | None
) -> None:
    await redis_bench.client.set(key_of(redis_bench, "why?"), f"1 {digest('why?')} {LIFETIME_MS}\nx", px=left_ms)
    with pytest.raises(ForeignValueError):
        await store.get(digest("why?"))


async def test_a_key_of_another_type_is_a_miss_and_is_overwritten(
    store: RedisCacheStore, redis_bench: RedisBench
) -> None:
    await redis_bench.client.hset(key_of(redis_bench, "why?"), "field", "value")
    assert await store.get(digest("why?")) is None
    await store.put(digest("why?"), "because")
    found = await store.get(digest("why?"))
    assert found is not None


async def test_a_redis_that_is_not_there_is_an_error_of_the_ledger(unused_port: int) -> None:
    client = connect(f"redis://127.0.0.1:{unused_port}/0")
    try:
        store = RedisCacheStore(client, "test", KIND, places=1, max_bytes=100, ttl_ms=1000)
        with pytest.raises(LedgerError):
            await store.get(digest("why?"))
        with pytest.raises(LedgerError):
            await store.put(digest("why?"), "because")
    finally:
        await close(client)
