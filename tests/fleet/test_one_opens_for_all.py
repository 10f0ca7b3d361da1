"""The promise itself, with real processes: one replica's failures open the circuit for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import require_redis_binary
from tests.fleet.processes import fleet


@pytest.fixture(autouse=True)
def _redis_is_there():
    require_redis_binary()


async def test_one_replicas_failures_open_it_for_all_everybody_is_answered_and_it_closes_again(tmp_path: Path):
    async with fleet(tmp_path) as f:
        one, *others = f.replicas
        healthy = [await replica.ask() for replica in f.replicas]
        assert [answer["degraded"] for answer in healthy] == [False] * 3
        assert all(answer["citations"] for answer in healthy)

        await f.provider.fail("embeddings")
        for _ in range(3):
            answer = await one.ask()
            assert answer["served_by"]["embedder"] == "secondary"
            assert answer["degraded_stages"] == ["embedder"]
        await f.until_all("open", "embedder.primary", within_s=1)

        received = await f.provider.calls("embeddings")
        for replica in others:
            answer = await replica.ask()
            assert answer["answer"]
            refused = answer["attempts"][0]
            assert refused["circuit"] == "embedder.primary"
            assert (refused["outcome"], refused["state"]) == ("rejected", "open")
        assert await f.provider.calls("embeddings") == received, "replicas that never failed still called the service"

        circuit = await others[0].circuit("embedder.primary")
        assert circuit["opened_by"] == "rag-1"
        assert circuit["recovers_in_s"] <= 1.8

        await f.provider.mend()
        await f.until_all("closed", "embedder.primary", within_s=15, ask=True)
        assert [(await replica.ask())["degraded"] for replica in f.replicas] == [False] * 3


async def test_failures_spread_over_replicas_that_each_saw_too_few_still_open_it(tmp_path: Path):
    async with fleet(tmp_path) as f:
        await f.provider.fail("chat")
        for replica in f.replicas:
            answer = await replica.ask()
            assert answer["served_by"]["generator"] == "extractive"
        await f.until_all("open", "generator.primary", within_s=1)


async def test_redis_killed_loses_no_question_and_the_fleet_shares_again_after_its_return(tmp_path: Path):
    async with fleet(tmp_path) as f:
        f.redis.kill()
        for _ in range(5):
            for replica in f.replicas:
                assert not (await replica.ask())["degraded"]
        f.redis.start()
        await f.provider.fail("embeddings")
        for _ in range(3):
            assert (await f.replicas[0].ask())["answer"]
        await f.until_all("open", "embedder.primary", within_s=5, ask=True)
