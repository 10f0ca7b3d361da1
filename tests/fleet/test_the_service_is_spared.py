"""What a dead service receives, and what it costs Redis that it is dead. Invariants 2, 6, 9 and 13."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis

from ha_rag.ledger.sync.pace import POLL_S
from tests.fleet.crew import LONG_REST, REST_S, TIMEOUT_S, Crew, CrewOf

NOTICE_S = 0.010
"""How long the news of an opening may take to reach a replica, on top of what a bare message through the same Redis
takes at the same time: a busy machine delays both."""

DECIDING_SHARE = 0.001
"""So low that the first failure decides: the others have had none, and learn of it from Redis alone."""

OUTAGES = 3
STEADY_PER_S = 40

LONG_PROBE_S = 4.0
WATCHED_S = 2.5
"""Longer than two polls take, and over before a probe that hangs or a long rest is."""


async def test_failures_spread_over_replicas_that_each_saw_too_few_open_it_for_all(crew_of: CrewOf):
    async with crew_of(6, policy={"min_samples": 6}) as crew:
        await crew.provider.fail("chat")
        assert await asyncio.gather(*(member.call() for member in crew)) == [["failed"]] * 6
        await crew.until("open", within_s=0.5)
        assert await crew.provider.calls() == 6
        assert [(await member.sees())["overlaid"] for member in crew] == [False] * 6


@pytest.mark.parametrize("fault", ["error", pytest.param("hang", marks=pytest.mark.faults), "reset"])
async def test_during_an_outage_the_whole_fleet_probes_once_a_rest(crew_of: CrewOf, fault: str):
    async with crew_of(4) as crew:
        await crew.open(fault)
        sent_before = await crew.provider.calls()
        outage_s = 4 * REST_S
        await crew.calls(for_s=outage_s, per_s=40)
        probes = (await crew.provider.arrivals())[sent_before:]
        assert 1 <= len(probes) <= outage_s / REST_S, probes
        times = [probe["monotonic_ms"] / 1000 for probe in probes]
        assert all(later - earlier >= REST_S for earlier, later in pairwise(times)), times


async def test_half_open_as_many_probes_as_allowed_reach_the_service_at_a_time(crew_of: CrewOf):
    async with crew_of(4, policy={"probes": 2}) as crew:
        await crew.open_to_half_open()
        await crew.provider.fail("chat", "hang")
        received = await crew.provider.calls()
        await crew.calls(for_s=TIMEOUT_S / 2, per_s=40)
        assert await crew.provider.calls() - received == 2


async def test_after_the_deciding_failure_a_dead_service_receives_only_what_was_under_way(crew_of: CrewOf):
    async with crew_of(8, policy={"failure_threshold": DECIDING_SHARE}) as crew:
        for _ in range(OUTAGES):
            await crew.load(STEADY_PER_S)
            await asyncio.sleep(0.5)
            async with bare_messages(crew.redis.url) as bare:
                await crew.provider.fail("chat")
                await asyncio.sleep(0.5)
            records = await crew.unload()
            decided_s = deciding(records, crew.policy["min_samples"])
            heard_ms = sorted(1000 * (when - decided_s) for when in await heard_open(crew, records[0]["begun_s"]))
            bare_s = slowest(bare, decided_s - NOTICE_S, decided_s + 2 * NOTICE_S)
            notice_s = NOTICE_S + bare_s
            late = [1000 * (r["sent_s"] - decided_s) for r in records if (r["sent_s"] or 0) > decided_s + notice_s]
            print(f"heard after {heard_ms[4]:.1f} to {heard_ms[-1]:.1f} ms, {1000 * bare_s:.1f} bare, late: {late}")
            assert not late, heard_ms
            await crew.provider.mend()
            await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True)


@asynccontextmanager
async def bare_messages(url: str) -> AsyncIterator[list[tuple[float, float]]]:
    """Messages through the same Redis, to a listener that does nothing else: when sent, and how long under way."""
    took: list[tuple[float, float]] = []
    over = asyncio.Event()

    async def send_and_hear(client: AsyncRedis, pubsub: Any) -> None:
        while not over.is_set():
            sent_s = time.monotonic()
            await client.publish("bare", "news")
            await pubsub.get_message(timeout=5.0)
            took.append((sent_s, time.monotonic() - sent_s))
            await asyncio.sleep(0.002)

    async with AsyncRedis.from_url(url) as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe("bare")
        await pubsub.get_message(timeout=5.0)
        sending = asyncio.ensure_future(send_and_hear(client, pubsub))
        try:
            yield took
        finally:
            over.set()
            await sending


def slowest(messages: list[tuple[float, float]], since_s: float, until_s: float) -> float:
    """How long the slowest message took of those that were under way then. Where none was, that tells nothing."""
    return max((took_s for sent_s, took_s in messages if sent_s < until_s and sent_s + took_s > since_s), default=0.0)


def deciding(records: list[dict[str, Any]], min_samples: int) -> float:
    """When the failure was known that made the whole fleet's calls fail often enough."""
    failed = 0
    for number, record in enumerate(sorted(records, key=lambda r: float(r["ended_s"])), 1):
        failed += record["outcome"] == "failed"
        if number >= min_samples and failed >= DECIDING_SHARE * number:
            return float(record["ended_s"])
    raise AssertionError("nothing was decided")


async def heard_open(crew: Crew, since_s: float) -> list[float]:
    events = [await member.events() for member in crew]
    return [next(e["told_s"] for e in one if e["to_state"] == "open" and e["told_s"] > since_s) for one in events]


async def test_half_open_under_full_traffic_redis_hears_no_more_than_the_fleets_budget(crew_of: CrewOf):
    async with crew_of(8, timeout_s=LONG_PROBE_S) as crew, probed(crew):
        with redis.Redis.from_url(crew.redis.url, decode_responses=True) as client:
            client.config_resetstat()
            records = await crew.calls(for_s=WATCHED_S, per_s=100)
            scripts = scripts_of(client)
        print({"calls": len(records), "scripts": scripts})
        assert {record["state"] for record in records} == {"half_open"}
        assert len(records) > 1000, "traffic was meant to be full"
        # Each polls once a second, a tenth of it sooner at most, and may ask for a probe once: then it is told when the
        # lease ends. Measured: 17, all of them polls, since whoever hears of the probe need not ask.
        polls, leases = 8 * (1 + WATCHED_S // (0.9 * POLL_S)), 8
        assert scripts <= polls + leases


async def test_while_it_rests_a_refusal_writes_nothing_and_extends_nothing(crew_of: CrewOf):
    async with crew_of(3, policy=LONG_REST) as crew:
        await crew.open()
        await refused_without_a_trace(crew, "open")


async def test_half_open_a_refusal_writes_nothing_and_extends_nothing(crew_of: CrewOf):
    async with crew_of(3, timeout_s=LONG_PROBE_S) as crew, probed(crew):
        await refused_without_a_trace(crew, "half_open")


@asynccontextmanager
async def probed(crew: Crew) -> AsyncIterator[None]:
    """The circuit is half-open, and a probe is under way that will hang for `LONG_PROBE_S`."""
    await crew.open("throttle", retry_after_s=1.0)  # a rest of its own would be as long as the probe may last
    await crew.until("half_open", within_s=1.0)
    probing = await crew.begin_probe(crew.members[0])
    try:
        yield
        assert not probing.done(), "it was meant to hang all the while"
    finally:
        probing.cancel()


async def refused_without_a_trace(crew: Crew, state: str) -> None:
    """Everybody calls, for longer than two polls take, and is refused; Redis is left as it was."""
    with redis.Redis.from_url(crew.redis.url) as client:
        before = keys_of(client, crew)
        records = await crew.calls(for_s=WATCHED_S, per_s=100)
        assert keys_of(client, crew) == before
    assert {(record["outcome"], record["state"]) for record in records} == {("refused", state)}


def scripts_of(client: Any) -> int:
    stats = client.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "eval"))


def keys_of(client: Any, crew: Crew) -> dict[str, Any]:
    """Everything of the circuit in Redis, and when it ends."""
    keys = sorted(client.keys(f"{crew.namespace}:{{svc}}:*"))
    assert keys
    return {key: (client.pexpiretime(key), client.dump(key)) for key in keys}
