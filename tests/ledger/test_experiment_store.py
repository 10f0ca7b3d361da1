"""The fleet's experiments: the script counts as the rules in Python do, and what is read is read with distrust."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from redis import asyncio as aioredis

from ha_rag.ledger.store.experiment import (
    MAX_LISTED,
    Batch,
    ExperimentStore,
    MemoryExperimentStore,
    RedisExperimentStore,
)
from ha_rag.ledger.store.experiment_counts import (
    BLOCK,
    LIKED,
    PLACES,
    ExperimentKey,
    Seen,
    Tally,
    difference,
    latency,
    observed,
    share,
    total,
    units,
)
from ha_rag.ledger.store.experiment_scripts import BITS
from tests.ledger.bench import RedisBench
from tests.redis_servers import RedisProcess

KEY = ExperimentKey("bigger-model", "0123abcd", (1, 3))
CLOCK_FIELDS = ("started", "changed")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def in_redis(redis_bench: RedisBench, told: list[str]) -> RedisExperimentStore:
    return RedisExperimentStore(redis_bench.client, redis_bench.namespace, told.append)


def in_memory() -> MemoryExperimentStore:
    return MemoryExperimentStore(lambda: 1)


def counts_key(bench: RedisBench) -> str:
    return f"{bench.namespace}:{{:experiment:bigger-model:0123abcd}}:counts"


def batch(number: int, draw: random.Random, owner: str = "one") -> Batch:
    totals = {total(draw.randrange(2), "questions"): draw.randrange(9), latency(1, draw.randrange(300)): 2}
    places = (None, *range(5), PLACES - 1, 47, 48, 49)
    seen = [
        Seen(draw.randrange(2), draw.choice(places), {"answered": draw.randrange(2), "in_time": draw.randrange(2)})
        for _ in range(40)
    ]
    return Batch(owner, number, totals, seen)


async def counts(store: ExperimentStore) -> Mapping[str, float]:
    read = (await store.told(KEY)).counts
    return {name: number for name, number in read.items() if number and name not in CLOCK_FIELDS}


@pytest.mark.parametrize("seed", range(5))
async def test_redis_and_memory_count_alike(in_redis: RedisExperimentStore, seed: int) -> None:
    draw, memory = random.Random(seed), in_memory()
    for number in range(12):
        sent = batch(number, draw)
        for store in (in_redis, memory):
            await store.count(KEY, sent)
        for _ in range(15):
            rating = draw.randrange(2), draw.randrange(150), draw.random() < 0.7
            assert await in_redis.rate(KEY, *rating) == await memory.rate(KEY, *rating)
    assert await counts(in_redis) == pytest.approx(await counts(memory))
    assert (await counts(in_redis))[difference(LIKED, "blocks")] >= 1


async def test_a_batch_that_is_sent_again_is_counted_once(in_redis: RedisExperimentStore) -> None:
    sent = batch(1, random.Random(1))
    await in_redis.count(KEY, sent)
    before = await counts(in_redis)
    await in_redis.count(KEY, sent)
    assert await counts(in_redis) == before
    await in_redis.count(KEY, batch(1, random.Random(1), owner="another"))
    assert await counts(in_redis) != before


async def test_a_person_is_counted_once_and_one_without_a_name_each_time(in_redis: RedisExperimentStore) -> None:
    for store in (in_redis, in_memory()):
        known, nobody = Seen(0, 77, {"answered": 1}), Seen(1, None, {"answered": 0})
        for number in range(3):
            await store.count(KEY, Batch("one", number, {}, [known, nobody]))
        read = (await store.told(KEY)).counts
        assert (read[units("1:3", 0)], read[units("1:3", 1)]) == (1, 3)
        assert list(observed(read, "answered")) == [(1, 1), (0, 3)]


async def test_only_the_first_rating_of_a_person_counts(in_redis: RedisExperimentStore) -> None:
    for store in (in_redis, in_memory()):
        assert await store.rate(KEY, 1, 5, True)
        assert not await store.rate(KEY, 1, 5, False)
        assert list(observed((await store.told(KEY)).counts, LIKED)) == [(0, 0), (1, 1)]


def test_a_block_is_compared_when_both_arms_have_enough() -> None:
    tally = Tally()
    for n in range(BLOCK):
        tally.observe("1:1", LIKED, 0, int(n < 4))
    for n in range(BLOCK - 1):
        tally.observe("1:1", LIKED, 1, int(n < 8))
    assert difference(LIKED, "blocks") not in tally.fields
    tally.observe("1:1", LIKED, 1, 0)
    information = tally.fields[difference(LIKED, "information")]
    assert information == pytest.approx(1 / (0.25 / BLOCK + 0.25 / BLOCK))
    assert tally.fields[difference(LIKED, "sum")] / information == pytest.approx(0.8 - 0.4)


def test_blocks_of_other_weights_are_filled_apart() -> None:
    tally = Tally()
    for split, arm in (("1:1", 0), ("9:1", 1)):
        for _ in range(2 * BLOCK):
            tally.observe(split, LIKED, arm, 1)
    assert difference(LIKED, "blocks") not in tally.fields


async def test_an_operators_end_is_known_to_all_and_can_be_taken_back(in_redis: RedisExperimentStore) -> None:
    for store in (in_redis, in_memory()):
        await store.end(KEY, "large")
        assert (await store.told(KEY)).ended == "large"
        await store.end(KEY, "")
        assert (await store.told(KEY)).ended == ""


async def test_what_no_replica_can_have_written_is_left_out_and_told(
    in_redis: RedisExperimentStore, redis_bench: RedisBench, told: list[str]
) -> None:
    await in_redis.rate(KEY, 0, 1, True)
    foreign = {
        "share liked 0 n": "many", "share liked 1 n": "-4", "total 0 questions": "9" * 40, "\x1b[31m": "1",
        "total 1 questions": "nan", "difference liked sum": "-1.5", "ended": "\x1b[31mlarge",
    }  # fmt: skip
    await redis_bench.client.hset(counts_key(redis_bench), mapping=foreign)
    read = await in_redis.told(KEY)
    assert read.ended == ""
    assert read.counts["difference liked sum"] == -1.5
    assert not {"share liked 0 n", "share liked 1 n", "total 0 questions", "total 1 questions"} & set(read.counts)
    assert len(told) == 6
    assert not any("\x1b" in why for why in told)


async def test_garbage_in_a_field_does_not_keep_it_from_counting(
    in_redis: RedisExperimentStore, redis_bench: RedisBench
) -> None:
    await redis_bench.client.hset(counts_key(redis_bench), share(LIKED, 0, "n"), "garbage")
    assert await in_redis.rate(KEY, 0, 1, True)
    assert (await in_redis.told(KEY)).counts[share(LIKED, 0, "n")] == 1


async def test_everything_expires(in_redis: RedisExperimentStore, redis_bench: RedisBench) -> None:
    await in_redis.count(KEY, batch(1, random.Random(3)))
    await in_redis.rate(KEY, 0, 1, True)
    await in_redis.describe(KEY, {"name": "bigger-model"})
    names = [name async for name in redis_bench.client.scan_iter(match=f"{redis_bench.namespace}:*")]
    names = [name for name in names if not name.endswith(":now")]  # the bench's clock
    assert {name.rpartition(":")[2] for name in names} == {"counts", "asked", "rated", "one", "experiments"}
    assert all([await redis_bench.client.pttl(name) > 0 for name in names])


async def test_the_list_of_experiments_is_bounded_and_read_with_distrust(
    in_redis: RedisExperimentStore, redis_bench: RedisBench, told: list[str]
) -> None:
    for n in range(MAX_LISTED + 10):
        await in_redis.describe(ExperimentKey(f"x{n}", "0", (1, 1)), {"name": f"x{n}"})
    assert len(await in_redis.described()) == MAX_LISTED
    await redis_bench.client.hset(
        f"{redis_bench.namespace}:experiments", mapping={"a": "[1]", "b": "{", "c": "x" * 9999}
    )
    assert len(await in_redis.described()) == MAX_LISTED
    assert len(told) == 3


async def test_who_was_seen_takes_less_than_four_megabytes(redis_server: RedisProcess) -> None:
    fields = {str(word): str(2**BITS - 1) for word in range(PLACES // BITS + 1)}
    async with aioredis.Redis.from_url(redis_server.url) as client:
        await client.hset("asked", mapping=fields)
        assert await client.memory_usage("asked", samples=0) < 4_000_000
