"""A rerank service that fails, with real processes: its circuit opens for all, and every question is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.fleet.crew import Yard
from tests.fleet.processes import CIRCUIT as RESTS
from tests.fleet.processes import CONFIGURATION, Fleet, Replica, StandingFleet, until_ready
from tests.fleet.redis_trouble import mend
from tests.version_0_1_0 import Version010

RERANKERS = """
[[rerankers]]
name = "primary"
kind = "http"
base_url = "{provider}/v1"
model = "rerank-v3.5"
timeout_s = 0.8
"""
CIRCUIT = "reranker.primary"


@pytest.fixture(scope="module")
def standing(_yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingFleet]:
    (proxy,) = _yard.proxies.take(1)
    fleet = StandingFleet(tmp_path_factory.mktemp("reranking"), _yard.provider, proxy, more=RERANKERS)
    fleet.start()
    yield fleet
    fleet.stop()
    proxy.stop()


@pytest.fixture
async def reranking(standing: StandingFleet) -> AsyncIterator[Fleet]:
    """Three replicas that rerank with the provider, whose Redis and provider may be broken at will."""
    async with standing.well() as well:
        await well.close(CIRCUIT, within_s=20)
        await well.provider.forget()
        try:
            yield well
        finally:
            await mend(well)


async def test_every_replica_reranks_with_the_service(reranking: Fleet):
    for replica in reranking.replicas:
        answer = await replica.ask()
        assert (answer["degraded"], answer["served_by"]["reranker"]) == (False, "primary")
    assert await reranking.provider.calls("rerank") == 3


@pytest.mark.parametrize("mode", ["error", "garbage", "reset"])
async def test_one_replicas_failures_open_it_for_all_and_every_question_is_answered_in_the_order_found(
    reranking: Fleet, mode: str
):
    one, *others = reranking.replicas
    await reranking.provider.fail("rerank", mode=mode)
    for _ in range(3):
        answer = await one.ask()
        assert answer["answer"]
        assert answer["citations"]
        assert answer["degraded_stages"] == ["reranker"]
        assert answer["served_by"] | {"reranker": "none", "generator": "primary"} == answer["served_by"]
    await reranking.until_all("open", CIRCUIT, within_s=1)

    received = await reranking.provider.calls("rerank")
    for replica in others:
        answer = await replica.ask()
        assert answer["answer"]
        assert answer["citations"]
        refused = next(attempt for attempt in answer["attempts"] if attempt["circuit"] == CIRCUIT)
        assert (refused["outcome"], refused["state"]) == ("rejected", "open")
    assert await reranking.provider.calls("rerank") == received, "replicas that never failed still called the service"
    assert (await others[0].circuit(CIRCUIT))["opened_by"] == "rag-1"

    await reranking.provider.mend()
    await reranking.until_all("closed", CIRCUIT, within_s=15, ask=True)
    assert [(await replica.ask())["degraded"] for replica in reranking.replicas] == [False] * 3


async def test_a_service_that_hangs_delays_answers_only_until_its_circuit_opens_and_loses_none(reranking: Fleet):
    await reranking.provider.fail("rerank", mode="hang")
    for _ in range(4):
        answers = await asyncio.gather(*(replica.ask() for replica in reranking.replicas))
        assert all(answer["answer"] and answer["served_by"]["generator"] == "primary" for answer in answers)
    await reranking.until_all("open", CIRCUIT, within_s=5, ask=True)
    assert (await reranking.replicas[0].ask())["ms"] < 800


async def test_a_question_with_little_time_is_answered_without_reranking(reranking: Fleet):
    await reranking.provider.fail("rerank", mode="slow", delay_s=5)
    answer = await reranking.replicas[0].ask(timeout_s=0.4)
    assert answer["answer"]
    assert answer["served_by"]["reranker"] == "none"
    assert answer["ms"] < 2000


async def test_a_replica_of_0_1_0_shares_the_fleet_and_shows_the_circuit_that_it_does_not_have(
    reranking: Fleet, version_0_1_0: Version010, tmp_path: Path
):
    await reranking.provider.fail("rerank")
    for _ in range(3):
        await reranking.replicas[0].ask()
    await reranking.until_all("open", CIRCUIT, within_s=1)

    redis_url = f"redis://127.0.0.1:{reranking.redis.port}/0"
    config = tmp_path / "ha_rag.toml"
    config.write_text(
        CONFIGURATION.format(
            redis_url=redis_url, index=tmp_path / "index", provider=reranking.provider.url, circuit=RESTS
        )
    )
    old = Replica("old", tmp_path, config, version_0_1_0.environment)
    old.start()
    try:
        async with aiohttp.ClientSession() as session:
            old.reached_by(session)
            await until_ready(old.ready, old)
            assert (await old.ask())["answer"]
            async with asyncio.timeout(10):
                while {replica["name"] for replica in (await old.fleet())["replicas"]} < {"old", "rag-1", "rag-2"}:
                    await asyncio.sleep(0.05)
            seen = {each["name"]: each["state"] for each in (await old.fleet())["circuits"]}
            assert {CIRCUIT, "generator.primary"} <= seen.keys()
            assert (await reranking.replicas[0].ask())["answer"]
    finally:
        old.stop()
    assert "Traceback" not in old.said()
    assert not any("Traceback" in replica.said() for replica in reranking.replicas)
