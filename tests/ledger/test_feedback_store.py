"""The fleet's feedback: each rating is counted once, and what is read is read as if a stranger had written it."""

from __future__ import annotations

import hashlib

import pytest

from ha_rag.ledger.store.feedback import (
    MAX_COMMENTS,
    FeedbackStore,
    MemoryFeedbackStore,
    Rating,
    RedisFeedbackStore,
    Verdict,
)
from tests.ledger.bench import RedisBench

GROUPS = ("degradation:none", "tier:generator.primary", "all")


def rating(of: str, verdict: Verdict, comment: str = "", groups: tuple[str, ...] = GROUPS) -> Rating:
    return Rating(hashlib.sha256(of.encode()).hexdigest(), verdict, groups, comment)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def in_redis(redis_bench: RedisBench, told: list[str]) -> RedisFeedbackStore:
    return RedisFeedbackStore(redis_bench.client, redis_bench.namespace, told.append)


def key(bench: RedisBench, part: str) -> str:
    return f"{bench.namespace}:{{:feedback}}:{part}"


async def checked(store: FeedbackStore) -> None:
    assert await store.counts() == {}
    assert await store.give(rating("a", "up"))
    assert not await store.give(rating("a", "up")), "the same again adds nothing"
    assert await store.give(rating("b", "down"))
    counts = await store.counts()
    assert set(counts) == set(GROUPS)
    assert counts["all"] == {"up": 1, "neutral": 0, "down": 1}
    assert await store.give(rating("a", "neutral")), "another rating of the same answer replaces the first"
    assert (await store.counts())["degradation:none"] == {"up": 0, "neutral": 1, "down": 1}
    assert not await store.give(rating("a", "neutral", "too long")), "a comment may follow"
    assert await store.give(rating("a", "down", "much too long"))
    assert [(c.verdict, c.about, c.text) for c in await store.comments(10)] == [
        ("neutral", "degradation:none", "too long")
    ]
    assert (await store.counts())["all"] == {"up": 0, "neutral": 0, "down": 2}


async def test_each_answer_and_rater_counts_once_in_memory() -> None:
    await checked(MemoryFeedbackStore())


async def test_each_answer_and_rater_counts_once_in_redis(in_redis: RedisFeedbackStore) -> None:
    await checked(in_redis)


async def test_all_replicas_have_one_secret_and_another_one_after_redis_lost_it(
    in_redis: RedisFeedbackStore, redis_bench: RedisBench
) -> None:
    first = await in_redis.secret()
    other = RedisFeedbackStore(redis_bench.client, redis_bench.namespace)
    assert await other.secret() == first == await in_redis.secret()
    await redis_bench.client.delete(key(redis_bench, "secret"))
    assert await other.secret() == await in_redis.secret() != first


async def test_a_secret_that_is_none_is_replaced_and_told(
    in_redis: RedisFeedbackStore, redis_bench: RedisBench, told: list[str]
) -> None:
    await redis_bench.client.set(key(redis_bench, "secret"), "let me in")
    assert len(await in_redis.secret()) == 64
    assert len(told) == 1
    assert await in_redis.secret() == await in_redis.secret()


async def test_counts_that_no_replica_can_have_written_are_left_out_and_told(
    in_redis: RedisFeedbackStore, redis_bench: RedisBench, told: list[str]
) -> None:
    await in_redis.give(rating("a", "up"))
    forged = {
        "degradation:none up": "-5",
        "all up": "many",
        "all sideways": "1",
        "<b> up": "1",
        "tier:x down": "9" * 30,
    }
    for name, number in forged.items():
        await redis_bench.client.hset(key(redis_bench, "counts"), name, number)
    assert await in_redis.counts() == {"tier:generator.primary": {"up": 1, "neutral": 0, "down": 0}}
    assert len(told) == len(forged)


async def test_a_forged_count_does_not_keep_ratings_from_being_counted(
    in_redis: RedisFeedbackStore, redis_bench: RedisBench
) -> None:
    await redis_bench.client.hset(key(redis_bench, "counts"), "all up", "many")
    assert await in_redis.give(rating("a", "up"))
    assert (await in_redis.counts())["all"]["up"] == 1


async def test_there_are_never_more_than_so_many_comments(
    in_redis: RedisFeedbackStore, redis_bench: RedisBench
) -> None:
    for n in range(MAX_COMMENTS + 5):
        await in_redis.give(rating(str(n), "up", f"comment {n}"))
    assert await redis_bench.client.xlen(key(redis_bench, "comments")) == MAX_COMMENTS
    assert (await in_redis.comments(1))[0].text == f"comment {MAX_COMMENTS + 4}"


async def test_a_forged_comment_is_left_out(
    in_redis: RedisFeedbackStore, redis_bench: RedisBench, told: list[str]
) -> None:
    await redis_bench.client.xadd(key(redis_bench, "comments"), {"verdict": "sideways", "comment": "x"})
    await redis_bench.client.xadd(key(redis_bench, "comments"), {"comment": "x" * 5_000, "verdict": "up"})
    assert await in_redis.comments(10) == []
    assert len(told) == 2
