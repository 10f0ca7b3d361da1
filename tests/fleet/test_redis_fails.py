"""Redis is frozen, slow, refusing, emptied, full or read-only: no call is lost, none waits, circuits open and close.

Invariants 1, 6, 7, 8 and 11. The bar for the latencies (1.2 times) is a benchmark's; here a wait for Redis, which would
take at least the 100 ms that it is slow or the 250 ms that a command may take, has to show.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
import redis

from tests.fleet.crew import LEASE_S, REST_S, TIMEOUT_S, Crew, CrewOf
from tests.fleet.latency import took_ms

Fault = Callable[[Crew], Awaitable[None]]


async def freeze(crew: Crew) -> None:
    crew.redis.pause()


async def thaw(crew: Crew) -> None:
    crew.redis.resume()


async def slow_down(crew: Crew) -> None:
    await asyncio.gather(*(member.to_redis.set(delay_s=0.1) for member in crew))


async def speed_up(crew: Crew) -> None:
    await asyncio.gather(*(member.to_redis.set(delay_s=0.0) for member in crew))


async def refuse(crew: Crew) -> None:
    await asyncio.gather(*(member.to_redis.set(refusing=True) for member in crew))


async def let_in(crew: Crew) -> None:
    await asyncio.gather(*(member.to_redis.set(refusing=False) for member in crew))


async def fill_up(crew: Crew) -> None:
    with redis.Redis.from_url(crew.redis.url) as client:
        client.config_set("maxmemory", 1)


async def make_room(crew: Crew) -> None:
    with redis.Redis.from_url(crew.redis.url) as client:
        client.config_set("maxmemory", 0)


async def demote(crew: Crew) -> None:
    with redis.Redis.from_url(crew.redis.url) as client:
        client.replicaof("127.0.0.1", str(crew.provider.port))  # no Redis, so it replicates nothing


async def promote(crew: Crew) -> None:
    with redis.Redis.from_url(crew.redis.url) as client:
        client.replicaof("NO", "ONE")


AWAY = [
    pytest.param(freeze, thaw, id="frozen"),
    pytest.param(refuse, let_in, id="refusing", marks=pytest.mark.faults),
    pytest.param(fill_up, make_room, id="out of memory", marks=pytest.mark.faults),
    pytest.param(demote, promote, id="read-only", marks=pytest.mark.faults),
]
ANY = [*AWAY, pytest.param(slow_down, speed_up, id="100 ms slow")]


def empty(crew: Crew) -> None:
    with redis.Redis.from_url(crew.redis.url) as client:
        client.flushall()


def restart(crew: Crew) -> None:
    crew.redis.restart_empty()


FORGETTING = [
    pytest.param(empty, id="flushed"),
    pytest.param(restart, id="restarted empty", marks=pytest.mark.faults),
]


@pytest.mark.parametrize(("strike", "recover"), ANY)
async def test_no_call_is_lost_and_none_waits_while_closed(
    crew_of: CrewOf, strike: Fault, recover: Fault, record_property: Callable[[str, object], None]
):
    async with crew_of(2, wires=True) as crew:
        await crew.calls(for_s=0.5)  # connections are made
        healthy = await crew.calls(for_s=2.5)
        await strike(crew)
        struck = await crew.calls(for_s=2.5)
        await recover(crew)

        assert {record["outcome"] for record in healthy + struck} == {"ok"}
        figures = {"healthy": took_ms(healthy), "struck": took_ms(struck)}
        record_property("ms", figures)
        print(figures)
        for share, ms in figures["struck"].items():
            assert ms < 3 * figures["healthy"][share] + 20, figures


@pytest.mark.parametrize(("strike", "recover"), AWAY)
async def test_each_replica_goes_on_under_the_law_alone_and_shares_again_when_redis_is_back(
    crew_of: CrewOf, strike: Fault, recover: Fault
):
    async with crew_of(2, wires=True) as crew:
        one, other = crew.members
        await strike(crew)
        await crew.provider.fail("chat")
        await one.call(4)
        await crew.until("open", within_s=2.0, members=[one])
        assert await other.call(2) == ["failed"] * 2, "what one replica counts alone binds no other"
        await other.call(2)
        await crew.until("open", within_s=2.0, members=[other])

        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True)
        await recover(crew)
        await crew.until_shared(within_s=4.0)
        # What each had counted by itself is told now; young enough, it may open the circuit for all once more.
        await crew.until("closed", within_s=LEASE_S + REST_S, calling=True)
        await crew.open()
        await crew.never_went_back()


@pytest.mark.parametrize(("strike", "recover"), AWAY)
async def test_a_known_open_rests_to_its_end_and_is_then_probed_by_each_replica_alone(
    crew_of: CrewOf, strike: Fault, recover: Fault
):
    async with crew_of(2, wires=True) as crew:
        await crew.open()
        opened_s = asyncio.get_running_loop().time()
        received = await crew.provider.calls()
        await strike(crew)
        await crew.provider.mend()
        while asyncio.get_running_loop().time() < opened_s + REST_S - 0.5:
            assert [await member.call() for member in crew] == [["refused"]] * 2
        assert await crew.provider.calls() == received
        # Redis is known to be away after two commands that failed: then the replica probes by itself.
        await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True)
        await recover(crew)
        await crew.until_shared(within_s=4.0)
        await crew.until("closed", within_s=LEASE_S + REST_S, calling=True)
        await crew.never_went_back()


async def test_circuits_open_and_close_with_redis_100_ms_slow(crew_of: CrewOf):
    async with crew_of(3, wires=True) as crew:
        await slow_down(crew)
        await crew.provider.fail("chat")
        await crew.members[0].call(3)
        await crew.until("open", within_s=1.0)
        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S + 2 * TIMEOUT_S, calling=True)
        assert {member["away"] for member in [await m.sees() for m in crew]} == {False}
        assert ("half_open", "closed") in await crew.changes(), "it closed for the fleet, not for each alone"
        await crew.never_went_back()


@pytest.mark.parametrize("forget", FORGETTING)
async def test_an_open_circuit_that_redis_forgot_is_taught_back_and_rests_on(
    crew_of: CrewOf, forget: Callable[[Crew], None]
):
    async with crew_of(3, policy={"recovery_timeout_s": 4.0, "recovery_timeout_max_s": 4.0}) as crew:
        await crew.open()
        opened_s = asyncio.get_running_loop().time()
        received = await crew.provider.calls()
        epoch = (await crew.members[0].sees())["epoch"]
        await asyncio.to_thread(forget, crew)
        await crew.until_shared(within_s=3.0, above=epoch)
        seen = [await member.sees() for member in crew]
        assert {one["fleet"] for one in seen} == {"open"}, seen
        assert all(0 < one["left_ms"] < 4000 for one in seen)
        assert {one["open_count"] for one in seen} == {1}
        while asyncio.get_running_loop().time() < opened_s + 3.5:
            assert await crew.members[1].call() == ["refused"]
        assert await crew.provider.calls() == received
        await crew.provider.mend()
        await crew.until("closed", within_s=1 + LEASE_S, calling=True)
        await crew.never_went_back()


@pytest.mark.parametrize("forget", FORGETTING)
async def test_a_half_open_circuit_that_redis_forgot_is_not_closed_without_a_probe(
    crew_of: CrewOf, forget: Callable[[Crew], None]
):
    async with crew_of(3) as crew:
        prober, *_ = crew.members
        await crew.open_to_half_open()
        probing = await crew.begin_probe(prober)
        await asyncio.to_thread(forget, crew)
        await probing
        await crew.provider.fail("chat")
        probes = [probe for _ in range(20) for probe in await crew.asked_each_once(and_then_s=0.1)]
        assert sum(not alone for _, alone in probes) <= 2, f"the fleet's probes only: {probes}"
        each_alone = Counter(name for name, alone in probes if alone)
        assert max(each_alone.values(), default=0) <= 1, f"one rest each, while it does not share yet: {probes}"
        assert all(after != "closed" for _, after in await crew.changes())
        await crew.provider.mend()
        await crew.until("closed", within_s=2 * REST_S + LEASE_S, calling=True)
        await crew.never_went_back()


@pytest.mark.parametrize("forget", FORGETTING)
async def test_a_closed_circuit_that_redis_forgot_stays_closed_and_opens_again_when_it_must(
    crew_of: CrewOf, forget: Callable[[Crew], None]
):
    async with crew_of(3) as crew:
        await crew.open()
        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True)
        epoch = (await crew.members[0].sees())["epoch"]
        await asyncio.to_thread(forget, crew)
        assert await crew.unbothered(for_s=1.5) == []
        await crew.until_shared(within_s=3.0, above=epoch)
        await crew.provider.fail("chat")
        await crew.fail_until_open(within_s=2.0)
        await crew.never_went_back()


async def test_the_next_call_works_after_redis_lost_its_scripts(crew_of: CrewOf):
    async with crew_of(2) as crew:
        with redis.Redis.from_url(crew.redis.url) as client:
            client.script_flush()
            await crew.open()
            client.script_flush()
            await crew.provider.mend()
            await crew.until("half_open", within_s=REST_S)
            client.script_flush()
            await crew.until("closed", within_s=TIMEOUT_S, calling=True)
        assert await crew.members[0].events("LedgerLost") == []


@pytest.mark.faults
async def test_redis_frozen_for_30_s_counts_nothing_that_is_too_old_when_it_wakes_up(crew_of: CrewOf):
    async with crew_of(3) as crew:
        one = crew.members[0]
        crew.redis.pause()
        await crew.provider.fail("chat")
        await one.call(4)
        await crew.until("open", within_s=2.0, members=[one])
        await crew.provider.mend()
        records = await crew.calls(for_s=30.0, per_s=5)
        assert {record["outcome"] for record in records if record["replica"] != one.name} == {"ok"}
        crew.redis.resume()
        await crew.until_shared(within_s=4.0)
        assert await crew.unbothered(for_s=1.0) == []
        assert await crew.changes() == [], "the four failures were of another time"
        await crew.never_went_back()
