"""An operator's word over a circuit that each replica has for itself, in a fleet of real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fleet.processes import HA_RAG, Fleet, until_ready
from tests.fleet.redis_trouble import flush

pytestmark = pytest.mark.fleet

DISK = "retriever.primary"
AT_ONCE_S, HEARTBEAT_S = 2.0, 5.0
"""A push arrives within milliseconds, a heartbeat within 1.1 s; the rest is for a busy machine."""


@pytest.fixture
async def ordered(fleet: Fleet) -> AsyncIterator[Fleet]:
    """The fleet, in which no order is left afterwards."""
    yield fleet
    if not fleet.redis.runs:
        fleet.redis.start()
    await fleet.until_shared(10)
    await fleet.replicas[0].end_order(DISK)
    await fleet.until_all("closed", DISK, within_s=10, ask=True)


async def until_confirmed(fleet: Fleet) -> list[dict[str, Any]]:
    """Waits until every replica lists that all others have confirmed; what they list."""
    async with asyncio.timeout(HEARTBEAT_S):
        while True:
            seen = [await replica.circuit(DISK) for replica in fleet.replicas]
            if [one["unconfirmed"] for one in seen] == [0] * len(seen):
                return seen
            await asyncio.sleep(0.05)


async def served(fleet: Fleet) -> set[str]:
    """Which retrievers answer, over all replicas."""
    return {(await replica.ask())["served_by"]["retriever"] for replica in fleet.replicas}


async def test_it_reaches_every_replica_is_shown_by_each_and_ends_everywhere(ordered: Fleet) -> None:
    one, _, last = ordered.replicas
    assert await served(ordered) == {"primary"}

    said = await one.order(DISK, "open", "new disk")
    assert said["state"] == "open"
    assert said["unconfirmed"] in (0, 1, 2)
    await ordered.until_all("open", DISK, within_s=AT_ONCE_S)
    assert await served(ordered) == {"lexical"}
    for seen in await until_confirmed(ordered):
        assert (seen["state"], seen["scope"], seen["differing"]) == ("open", "replica", [])
        assert seen["override"]["reason"] == "new disk"

    await last.end_order(DISK)
    await ordered.until_all("closed", DISK, within_s=10, ask=True)
    assert await served(ordered) == {"primary"}
    for replica in ordered.replicas:
        texts = [event["text"] for event in await replica.timeline() if event["kind"] == "override"]
        assert texts[0] == f"{DISK}: override ended"
        assert texts[1].startswith(f"{DISK}: opened by hand: new disk, by operator")


async def test_a_replica_that_starts_later_follows_it(ordered: Fleet) -> None:
    await ordered.replicas[0].order(DISK, "open", "new disk")
    late = ordered.replicas[0].beside("rag-late")
    late.start()
    try:
        await until_ready(late.ready, late)
        assert (await late.ask())["served_by"]["retriever"] == "lexical"
        assert (await late.circuit(DISK))["override"]["reason"] == "new disk"
    finally:
        late.stop()


async def test_after_a_flush_nobody_lists_less_and_it_is_restored(ordered: Fleet) -> None:
    await ordered.replicas[0].order(DISK, "open", "new disk")
    await until_confirmed(ordered)
    for replica in [*ordered.replicas, *ordered.replicas]:
        await flush(ordered)
        seen = await replica.circuit(DISK)
        assert (seen["state"], seen["override"] and seen["override"]["mode"]) == ("open", "open")
    await until_confirmed(ordered)
    assert await served(ordered) == {"lexical"}
    late = ordered.replicas[0].beside("rag-late")
    late.start()
    try:
        await until_ready(late.ready, late)
        assert (await late.circuit(DISK))["state"] == "open"
    finally:
        late.stop()


async def test_an_open_circuit_is_listed_as_open_right_after_a_flush_by_whoever_is_asked_first(fleet: Fleet) -> None:
    await fleet.provider.fail("embeddings")
    for _ in range(3):
        await fleet.replicas[0].ask()
    await fleet.until_all("open", "embedder.primary", within_s=AT_ONCE_S)
    for replica in fleet.replicas:
        before = await replica.circuit("embedder.primary")
        await flush(fleet)
        seen = await replica.circuit("embedder.primary")
        assert seen["state"] != "closed"
        assert seen["epoch"] >= before["epoch"]


async def test_its_time_is_up_for_every_replica_at_once(ordered: Fleet) -> None:
    await ordered.replicas[0].order(DISK, "open", "new disk", for_s=2)
    await ordered.until_all("open", DISK, within_s=AT_ONCE_S)
    await ordered.until_all("closed", DISK, within_s=10, ask=True)
    async with asyncio.timeout(HEARTBEAT_S):
        while f"{DISK}: override expired" not in [event["text"] for event in await ordered.replicas[1].timeline()]:
            await asyncio.sleep(0.1)


async def test_with_redis_down_it_stays_and_a_new_one_is_refused(ordered: Fleet) -> None:
    await ordered.replicas[0].order(DISK, "open", "new disk")
    await until_confirmed(ordered)
    ordered.redis.kill()
    async with asyncio.timeout(10):
        while {(await replica.circuits())["shared_state"] for replica in ordered.replicas} != {"local"}:
            await asyncio.sleep(0.05)
    for replica in ordered.replicas:
        seen = await replica.circuit(DISK)
        assert (seen["state"], seen["unconfirmed"]) == ("open", None)
    assert await served(ordered) == {"lexical"}


async def test_with_redis_down_a_circuit_is_listed_in_the_state_that_calls_meet(fleet: Fleet) -> None:
    one, other, _ = fleet.replicas
    fleet.redis.kill()
    try:
        await fleet.provider.fail("embeddings")
        async with asyncio.timeout(10):
            while (await one.ask())["attempts"][0]["state"] != "open":
                pass
        seen = await one.circuit("embedder.primary")
        assert (seen["state"], seen["here"]["why"]) == ("open", "local")
        assert seen["recovers_in_s"] > 0
        assert seen["reason"]
        assert (await other.circuit("embedder.primary"))["state"] == "closed"
    finally:
        fleet.redis.start()


async def test_the_command_line_says_how_many_have_not_confirmed(ordered: Fleet) -> None:
    async def told(*words: str) -> dict[str, Any]:
        command = [*HA_RAG, "circuits", *words, "--url", ordered.replicas[0].url, "--json"]
        ran = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await ran.communicate()
        assert ran.returncode == 0
        return dict(json.loads(out))

    assert (await told("open", DISK, "--reason", "new disk"))["unconfirmed"] in (0, 1, 2)
    await until_confirmed(ordered)
    assert (await told("show", DISK))["unconfirmed"] == 0
    assert (await told("auto", DISK))["override"] is None
