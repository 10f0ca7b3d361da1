"""The wire between a replica and Redis breaks in the middle of a report: each outcome is counted once. Invariant 15."""

from __future__ import annotations

import asyncio

import pytest
import redis

from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.scripts import scripts
from tests.fleet.crew import Crew, CrewOf
from tests.fleet.worker import CIRCUIT

RECORD = scripts()["record"].sha
MIN_SAMPLES = 4


async def counted(crew: Crew) -> tuple[int, int]:
    """How many calls that were answered, and that failed, are in the fleet's window."""
    names = dict(zip(("circuit", "open", "window"), Keys(crew.namespace).circuit(CIRCUIT), strict=False))
    with redis.Redis.from_url(crew.redis.url, decode_responses=True) as client:
        buckets = [tuple(map(int, bucket.split(":"))) for bucket in client.hvals(names["window"])]
    return sum(bucket[0] for bucket in buckets), sum(bucket[1] for bucket in buckets)


@pytest.mark.parametrize("reply", [False, True], ids=["before Redis has it", "before its reply is back"])
async def test_a_report_whose_connection_breaks_is_sent_again_and_counted_once(crew_of: CrewOf, reply: bool):
    async with crew_of(2, wires=True, policy={"min_samples": MIN_SAMPLES}) as crew:
        member = crew.members[0]
        assert member.to_redis is not None
        assert await member.call() == ["ok"]
        async with asyncio.timeout(2):
            while await counted(crew) != (1, 0):
                await asyncio.sleep(0.01)
        await crew.provider.fail("chat")

        await member.to_redis.lose(RECORD, reply=reply)
        assert await member.call() == ["failed"]
        async with asyncio.timeout(2):
            await member.to_redis.repaired()

        assert await counted(crew) == (1, 1)
        assert await member.call(MIN_SAMPLES - 3) == ["failed"] * (MIN_SAMPLES - 3)
        assert [await one.state() for one in crew] == ["closed"] * 2
        assert await member.call() == ["failed"]
        await crew.until("open", within_s=0.5)
        assert "3 of 4 failed" in (await member.sees())["reason"]
