"""Caches in a fleet of real processes: what one replica has answered, another gives again when every service is out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import redis

from tests.fleet.crew import Yard
from tests.fleet.processes import Fleet, Replica, StandingFleet
from tests.fleet.redis_trouble import flush, mend

pytestmark = pytest.mark.faults

UNKNOWN = "Which tier answers when a service is out?"
CACHE = "\n[cache]\nanswer_ttl_s = 600\n"


@pytest.fixture(scope="module")
def _caching(_yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingFleet]:
    (proxy,) = _yard.proxies.take(1)
    fleet = StandingFleet(tmp_path_factory.mktemp("caching"), _yard.provider, proxy, size=2, more=CACHE)
    fleet.start()
    yield fleet
    fleet.stop()
    proxy.stop()


@pytest.fixture
async def caching(_caching: StandingFleet) -> AsyncIterator[Fleet]:
    """Two replicas with caches; their Redis and the provider may be broken at will."""
    async with _caching.well() as well:
        try:
            yield well
        finally:
            await mend(well)


def keys(fleet: Fleet, kind: str) -> list[bytes]:
    with redis.Redis(port=fleet.redis.port) as client:
        return list(client.scan_iter(f"test:cache:{kind}:*"))


async def ask_until(
    replica: Replica, question: str, met: Callable[[dict[str, Any]], bool | Awaitable[bool]]
) -> dict[str, Any]:
    """Asks until an answer meets the condition: on a busy machine Redis may take longer than the cache's 20 ms."""
    async with asyncio.timeout(60):
        while True:
            answer = await replica.ask(question)
            is_met = met(answer)
            if is_met if isinstance(is_met, bool) else await is_met:
                return answer
            await asyncio.sleep(0.1)


async def ask_and_keep(fleet: Fleet, question: str) -> dict[str, Any]:
    """A good answer of the first replica to a question that was not asked before, once it is kept."""
    before = len(keys(fleet, "answers"))
    answer = await ask_until(fleet.replicas[0], question, lambda _: len(keys(fleet, "answers")) > before)
    assert answer["answered"], answer
    assert not answer["degraded"], answer
    return answer


def is_cached(answer: dict[str, Any]) -> bool:
    return bool(answer["served_by"]["generator"] == "cached")


def forge(fleet: Fleet) -> None:
    """Overwrites everything in the caches."""
    with redis.Redis(port=fleet.redis.port) as client:
        for key in client.scan_iter("test:cache:*"):
            client.set(key, "forged", px=60_000)


async def counted(replica: Replica, sample: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"{replica.url}/metrics") as reply:
        lines = (await reply.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample))


async def all_services_out(fleet: Fleet) -> None:
    await fleet.provider.fail("embeddings")
    await fleet.provider.fail("chat")


async def test_with_all_services_out_any_replica_gives_the_last_good_answer_of_any_other(caching: Fleet) -> None:
    question, other = "How does a circuit recover from an outage?", caching.replicas[1]
    good = await ask_and_keep(caching, question)
    await all_services_out(caching)

    answer = await ask_until(other, question, lambda a: is_cached(a) and a["degraded_stages"] == ["generator"])
    assert answer["answer"].endswith(good["answer"])
    assert answer["citations"] == good["citations"]
    assert 0 <= answer["age_s"] < 60
    assert (await other.ask(UNKNOWN))["served_by"]["generator"] == "extractive"
    assert await counted(other, 'ha_rag_cache_total{cache="answers",result="hit"}') >= 1
    assert await counted(other, 'ha_rag_cache_total{cache="embeddings",result="hit"}') >= 1


async def test_an_embedding_that_one_replica_asked_for_is_not_asked_for_again_by_another(caching: Fleet) -> None:
    question = "What is a tier, and what is a circuit?"
    await ask_and_keep(caching, question)
    await ask_until(caching.replicas[1], question, lambda a: a["attempts"][0]["circuit"] == "embedder.cached")


@pytest.mark.parametrize("stop", ["killed", "paused"])
async def test_the_cache_is_gone_with_redis_and_every_question_is_answered(caching: Fleet, stop: str) -> None:
    question = f"How does a circuit recover by a probe, {stop} or not?"
    await ask_and_keep(caching, question)
    caching.redis.kill() if stop == "killed" else caching.redis.pause()
    for _ in range(5):
        for replica in caching.replicas:
            assert not (await replica.ask(question))["degraded"]
    await caching.provider.fail("chat")
    for replica in caching.replicas:
        assert (await replica.ask(question))["served_by"]["generator"] == "extractive"


async def test_after_redis_was_emptied_answers_are_kept_anew(caching: Fleet) -> None:
    await flush(caching)
    await ask_and_keep(caching, "How does a circuit recover after its timeout?")


async def test_forged_values_are_misses_that_are_counted(caching: Fleet) -> None:
    question, other = "How is one call let through to recover?", caching.replicas[1]
    await ask_and_keep(caching, question)
    before = await counted(other, 'ha_rag_redis_refused_values_total{source="cache"}')
    forge(caching)
    await caching.provider.fail("chat")

    async def is_counted() -> bool:
        return await counted(other, 'ha_rag_redis_refused_values_total{source="cache"}') > before

    answer = await ask_until(other, question, lambda _: is_counted())
    assert answer["served_by"]["generator"] == "extractive"
