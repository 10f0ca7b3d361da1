"""Caches on a Redis Cluster: their values lie on all nodes, and those of a node that is gone are misses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.errors import LedgerError
from ha_rag.ledger.store.cache import CachedValue, RedisCacheStore, place_of
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.feedback import Rating, RedisFeedbackStore
from ha_rag.ledger.store.keys import Keys
from ha_rag.strategy.cache_access import CacheAccess
from tests.ledger.clusters import HALF, two_halves
from tests.ledger.test_other_topologies import decoded
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis
PLACES = 4096
DIGESTS = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(40)]


@pytest.fixture
def halves(tmp_path: Path, redis_server: RedisProcess) -> Iterator[tuple[RedisProcess, RedisProcess]]:
    del redis_server  # only requested so that this skips, or fails, without a redis-server
    with two_halves(tmp_path) as nodes:
        yield nodes


def lies_on_the_first(node: RedisProcess, digest: str) -> bool:
    key = Keys("ha_rag").cached("answers", place_of(digest, PLACES))
    with decoded(node) as client:
        return int(client.execute_command("CLUSTER KEYSLOT", key)) < HALF


def body_of(value: CachedValue) -> str:
    return value.body


@pytest.mark.parametrize("protocol", [2, 3])
async def test_values_on_every_node_are_kept_and_found(
    halves: tuple[RedisProcess, RedisProcess], protocol: int
) -> None:
    client = connect(f"redis+cluster://127.0.0.1:{halves[0].port}", protocol=protocol, timeout_s=2.0)
    store = RedisCacheStore(client, "ha_rag", "answers", places=PLACES, max_bytes=1_000, ttl_ms=60_000)
    for digest in DIGESTS:
        await store.put(digest, f"of {digest}")
    found = [await store.get(digest) for digest in DIGESTS]
    await close(client)

    assert [value and value.body for value in found] == [f"of {digest}" for digest in DIGESTS]
    assert all(value is not None and 0 <= value.age_s < 30 for value in found)
    assert {lies_on_the_first(halves[0], digest) for digest in DIGESTS} == {True, False}


async def test_with_one_node_gone_its_values_are_misses_and_the_others_are_found(
    halves: tuple[RedisProcess, RedisProcess],
) -> None:
    client = connect(f"redis+cluster://127.0.0.1:{halves[0].port}", timeout_s=0.5)
    store = RedisCacheStore(client, "ha_rag", "answers", places=PLACES, max_bytes=1_000, ttl_ms=60_000)
    here = next(digest for digest in DIGESTS if lies_on_the_first(halves[0], digest))
    there = next(digest for digest in DIGESTS if not lies_on_the_first(halves[0], digest))
    for digest in (here, there):
        await store.put(digest, "because")
    halves[1].kill()

    with pytest.raises(LedgerError):
        await store.get(there)
    found = await store.get(here)
    access = CacheAccess(store, max_bytes=1_000)
    missed = await access.find(there, body_of)
    await access.aclose()
    await close(client)

    assert found is not None
    assert found.body == "because"
    assert missed is None
    assert access.counts["hit"] == 0


async def test_feedback_is_counted_on_a_cluster(halves: tuple[RedisProcess, RedisProcess]) -> None:
    client = connect(f"redis+cluster://127.0.0.1:{halves[0].port}", timeout_s=2.0)
    store = RedisFeedbackStore(client, "ha_rag", lambda why: None)
    for digest in DIGESTS:
        assert await store.give(Rating(digest, "up", ("all",), "good"))
    counts, comments = await store.counts(), await store.comments(100)
    await close(client)

    assert counts["all"]["up"] == len(DIGESTS)
    assert len(comments) == len(DIGESTS)
