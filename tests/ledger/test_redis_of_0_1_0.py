"""What one version leaves in Redis, the other reads: circuit, event stream, heartbeats and the list of circuits."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.monitor.timeline import shared_event
from ha_rag.outcomes import Outcome
from tests.ledger.bench import terms
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess
from tests.version_0_1_0 import Version010

pytestmark = pytest.mark.real_redis

NAME = "embedder.primary"
POLICY = terms(window_ms=10_000, bucket_ms=1000, open_ms=60_000, open_max_ms=60_000, blip_ms=0)

OLD = """
import asyncio, dataclasses
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.dashboards.timeline import shared_event
from ha_rag.ledger.connection import connect
from ha_rag.ledger.redis import RedisLedger

url, name, numbers = given
terms = Terms(*numbers)

async def with_ledger(work):
    ledger = RedisLedger(connect(url))
    try:
        return await work(ledger)
    finally:
        await ledger.aclose()
"""

OLD_READS = (
    OLD
    + """
async def look(ledger):
    events = await ledger.latest(name)
    return {
        "snapshot": dataclasses.asdict((await ledger.read({name: terms}))[name].snapshot),
        "events": [dataclasses.asdict(event) for event in events],
        "timeline": [dataclasses.asdict(shared_event(event)) for event in events],
        "circuits": await ledger.known_circuits(),
        "replicas": [dataclasses.asdict(beat) for beat in await ledger.replicas()],
    }

print(json.dumps(asyncio.run(with_ledger(look))))
"""
)

OLD_WRITES = (
    OLD
    + """
async def work(ledger):
    now = await ledger.now_ms()
    await ledger.beat("a~1", "{}", [name], 60_000)
    await ledger.override(name, terms, OverrideMode.SHADOW, "why", "kim", 60_000)
    known = await ledger.override(name, terms, None, "why", "kim", None)
    tally = Tally(known.snapshot.epoch, now, Counts(1, 30))
    await ledger.record(name, terms, Batch("a~1", 1, (tally,), failing=True), 0.0)

asyncio.run(with_ledger(work))
print("null")
"""
)


@pytest.fixture
async def ledger(redis_server: RedisProcess) -> AsyncIterator[RedisLedger]:
    """This version's ledger, on an empty Redis."""
    made = RedisLedger(connect(redis_server.url, timeout_s=REPLY_S))
    yield made
    await made.aclose()


async def new_reads(ledger: RedisLedger) -> dict[str, Any]:
    """What this version reads, in the format of `OLD_READS`."""
    events = await ledger.latest(NAME)
    snapshot = dataclasses.asdict((await ledger.read({NAME: POLICY}))[NAME].snapshot)
    snapshot["standing_ms"] = snapshot.pop("slot_wait_ms")  # 0.1.0's name of the field
    timeline = [dataclasses.asdict(shared_event(event)) for event in events]
    assert all(event.pop("text") for event in timeline)  # 0.1.0 has no words in it
    assert not any(event.pop("until") for event in timeline)  # nor the end of an override
    everything = {
        "snapshot": snapshot,
        "events": [_as_0_1_0(dataclasses.asdict(event)) for event in events],
        "timeline": timeline,
        "circuits": await ledger.known_circuits(),
        "replicas": [dataclasses.asdict(beat) for beat in await ledger.replicas()],
    }
    read: dict[str, Any] = json.loads(json.dumps(everything))
    return read


def _as_0_1_0(event: dict[str, Any]) -> dict[str, Any]:
    """An event without the end of an override, which 0.1.0 does not know."""
    return {name: value for name, value in event.items() if name != "until_ms"}


async def both_read(ledger: RedisLedger, url: str, old: Version010) -> dict[str, Any]:
    """What both versions read; it must be the same except for times that pass."""
    by_old = await asyncio.to_thread(old.run, OLD_READS, url, NAME, POLICY.wire()[:13])
    by_new = await new_reads(ledger)
    for read in (by_old, by_new):
        for name in ("now_ms", "left_ms"):
            assert read["snapshot"].pop(name) > 0
    assert by_old == by_new
    return by_new


async def test_0_1_0_reads_a_circuit_that_a_streak_opened(
    ledger: RedisLedger, redis_server: RedisProcess, version_0_1_0: Version010
) -> None:
    now = await ledger.now_ms()
    await ledger.beat("b~1", '{"replica": "b"}', [NAME], 60_000)
    await ledger.record(NAME, POLICY, Batch("b~1", 1, (Tally(0, now, Counts(200)),)), 0.0)
    await ledger.record(NAME, POLICY, Batch("b~1", 2, (Tally(0, now, Counts(0, 14)),)), 0.0)
    read = await both_read(ledger, redis_server.url, version_0_1_0)
    assert read["snapshot"]["state"] == "open"
    assert [event["trigger"] for event in read["events"]] == ["streak"]


async def test_0_1_0_reads_a_circuit_that_this_version_probes(
    ledger: RedisLedger, redis_server: RedisProcess, version_0_1_0: Version010
) -> None:
    opened = await ledger.override(NAME, POLICY, OverrideMode.OPEN, "why", "kim", 1)
    while not (reply := await ledger.lease(NAME, POLICY, "b~1", opened.snapshot.epoch, "t")).granted:
        pass  # the override lasts a millisecond
    await ledger.settle(NAME, POLICY, "b~1", "t", Outcome.OK, 0, 0.0, 123)
    assert reply.snapshot.state == "half_open"
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        assert client.hget(f"ha_rag:{{{NAME}}}:circuit", "slowest_probe_ms") == f"{reply.snapshot.epoch}:123"
    by_old = await asyncio.to_thread(version_0_1_0.run, OLD_READS, redis_server.url, NAME, POLICY.wire()[:13])
    assert (by_old["snapshot"]["state"], by_old["snapshot"]["probe_successes"]) == ("half_open", 1)


async def test_this_version_reads_what_0_1_0_wrote(
    ledger: RedisLedger, redis_server: RedisProcess, version_0_1_0: Version010
) -> None:
    await asyncio.to_thread(version_0_1_0.run, OLD_WRITES, redis_server.url, NAME, POLICY.wire()[:13])
    read = await both_read(ledger, redis_server.url, version_0_1_0)
    assert read["snapshot"]["state"] == "open"
    assert [event["trigger"] for event in read["events"]] == ["overridden", "override ended", "threshold reached"]
    assert read["circuits"] == [NAME]
    assert [beat["incarnation"] for beat in read["replicas"]] == ["a~1"]
