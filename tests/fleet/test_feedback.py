"""Feedback in a fleet of real processes: given at any replica, counted for all, and told by all."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.fleet.processes import Fleet, Replica
from tests.fleet.redis_trouble import flush

pytestmark = pytest.mark.faults

WITHIN_S = 60.0
"""Every replica reads the counts every five seconds."""


async def rate(replica: Replica, answer: str, score: float) -> tuple[int, dict[str, Any]]:
    body = {"answer": answer, "score": score}
    async with aiohttp.ClientSession() as session, session.post(f"{replica.url}/v1/feedback", json=body) as reply:
        return reply.status, await reply.json()


async def satisfaction(replica: Replica) -> dict[str, tuple[int, int]]:
    """Degradation -> how many liked it and how many did not."""
    rows = (await replica.fleet())["satisfaction"]
    return {row["of"]: (row["up"], row["down"]) for row in rows if row["by"] == "degradation"}


async def rated_elsewhere(fleet: Fleet, answer: str, score: float) -> None:
    """Rated at another replica than the one that answered; again until that one knows the fleet's secret."""
    async with asyncio.timeout(WITHIN_S):
        while (await rate(fleet.replicas[1], answer, score))[0] != 200:
            await asyncio.sleep(0.2)
            answer = (await fleet.replicas[0].ask())["id"]


async def until_told(fleet: Fleet, wanted: dict[str, tuple[int, int]]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while any([await satisfaction(replica) != wanted for replica in fleet.replicas]):
            await asyncio.sleep(0.2)


async def test_ratings_at_one_replica_of_answers_of_another_are_told_by_all(fleet: Fleet) -> None:
    await flush(fleet)
    await until_told(fleet, {})
    one, other, _ = fleet.replicas
    await rated_elsewhere(fleet, (await one.ask())["id"], 1)
    await fleet.provider.fail("embeddings")
    degraded = await one.ask()
    assert degraded["degraded_stages"] == ["embedder"]
    assert await rate(other, degraded["id"], -1) == (200, {"answer": degraded["id"], "counted": True})
    assert await rate(fleet.replicas[2], degraded["id"], -1) == (200, {"answer": degraded["id"], "counted": False})
    await until_told(fleet, {"none": (1, 0), "embedder": (0, 1), "any": (0, 1)})
    async with aiohttp.ClientSession() as session, session.get(f"{other.url}/metrics") as reply:
        metrics = await reply.text()
    assert 'ha_rag_fleet_ratings{by="degradation",of="embedder",verdict="down"} 1.0' in metrics
    assert 'ha_rag_fleet_ratings{by="tier",of="embedder.secondary",verdict="down"} 1.0' in metrics
    assert 'ha_rag_fleet_cost_of_degrading_ratio{bound="value"} 1.0' in metrics


async def test_an_id_that_the_fleet_did_not_give_is_refused_by_each_replica(fleet: Fleet) -> None:
    for replica in fleet.replicas:
        status, body = await rate(replica, "0" * 48, 1)
        assert status == 404
        assert body["error"]["param"] == "answer"


async def test_after_redis_was_emptied_answers_given_before_can_still_be_rated_where_they_were_given(
    fleet: Fleet,
) -> None:
    one = fleet.replicas[0]
    answer = (await one.ask())["id"]
    await flush(fleet)
    await until_told(fleet, {})
    assert (await rate(one, answer, 1))[0] == 200


async def test_while_redis_is_away_answers_are_given_and_ratings_are_refused_for_now(fleet: Fleet) -> None:
    one = fleet.replicas[0]
    fleet.redis.kill()
    answer = await one.ask()
    assert not answer["degraded"]
    status, body = await rate(one, answer["id"], 1)
    assert status == 503, body
