"""Redis is frozen, slow, refusing, emptied, full or read-only: no call is lost, none waits, circuits open and close.

Invariants 1, 2, 6, 7, 8 and 11. The bar for the latencies (1.2 times) is a benchmark's; here every single call is held
to wait for nothing, or for its probe for 50 ms at most.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
import redis

from tests.fleet.crew import LEASE_S, LONG_REST, LONG_REST_S, REST_S, SLACK_S, TIMEOUT_S, Crew, CrewOf, Member
from tests.fleet.latency import PROBE_WAIT_MS, waited, waits_ms

Fault = Callable[[Crew], Awaitable[None]]

FULL_PER_S = 50
EDGE_S = 0.2
"""So long before its end a rest is watched: after that a busy machine may take a probe for an early one."""


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
SLOW = pytest.param(slow_down, speed_up, id="100 ms slow")
ANY = [*AWAY, SLOW]
LATE = [AWAY[0], SLOW]
"""It answers later than a call may wait, or not at all."""


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
async def test_no_call_is_lost_and_none_waits_while_closed(crew_of: CrewOf, strike: Fault, recover: Fault):
    async with crew_of(2, wires=True) as crew:
        await crew.calls(for_s=0.5)  # connections are made
        await strike(crew)
        struck = await crew.calls(for_s=2.5)
        await recover(crew)

        assert {record["outcome"] for record in struck} == {"ok"}
        assert waited(struck) == []


@pytest.mark.parametrize(("strike", "recover"), LATE)
async def test_half_open_no_call_waits_for_its_probe_longer_than_50_ms(crew_of: CrewOf, strike: Fault, recover: Fault):
    async with crew_of(2, wires=True) as crew:
        await crew.open_to_half_open()
        await strike(crew)
        records = await crew.calls(for_s=1.0)
        await recover(crew)

        assert max(waits_ms(records)) > PROBE_WAIT_MS / 2, "some were meant to wait"
        assert waited(records, PROBE_WAIT_MS) == []


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
    async with crew_of(2, wires=True, policy=LONG_REST) as crew:
        await crew.open("hang")
        rests_until_s = rest_ends_s(crew)
        received = await crew.provider.calls()
        await strike(crew)
        await crew.load(FULL_PER_S)
        await until_then(rests_until_s - EDGE_S)
        assert await crew.provider.calls() == received, "a known open rests to its end"
        # The probes hang: each replica rests anew, after a while in which all its other calls were refused.
        await until_then(rests_until_s + LONG_REST_S - EDGE_S)
        probes = Counter(arrival["replica"] for arrival in await crew.arrivals_since(received))
        assert probes == {member.name: 1 for member in crew}
        assert waited(await crew.unload(), PROBE_WAIT_MS) == []

        await crew.provider.mend()
        await crew.until("closed", within_s=LEASE_S, calling=True)
        await recover(crew)
        await crew.until_shared(within_s=4.0)
        await crew.until("closed", within_s=LEASE_S + LONG_REST_S, calling=True)
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


async def test_a_flushed_redis_that_is_taught_first_by_who_missed_the_opening_ends_no_rest(crew_of: CrewOf):
    async with crew_of(3, wires=True, policy={"recovery_timeout_s": 10.0, "recovery_timeout_max_s": 10.0}) as crew:
        late, *others = crew.members
        await crew.open()
        await crew.provider.mend()
        await crew.until("closed", within_s=10.0 + TIMEOUT_S, calling=True)
        await crew.until_shared(within_s=1.0, above=0)
        await cut_off(late)
        await crew.provider.fail("chat")
        await others[0].call(10)
        await crew.until("open", within_s=1.0, members=others)
        opened = await others[0].sees()
        rests_until_s = time.monotonic() + opened["left_ms"] / 1000
        received = await crew.provider.calls()
        await asyncio.gather(*map(cut_off, others))
        empty(crew)
        await late.to_redis.set(refusing=False)
        lesson = await until_taught(crew)
        assert lesson["state"] == "closed", "the teacher knows of no opening"
        await asyncio.gather(*(member.to_redis.set(refusing=False) for member in others))

        await crew.until_shared(within_s=4.0, above=int(lesson["epoch"]))
        seen = [await member.sees() for member in crew]
        assert {one["fleet"] for one in seen} == {"open"}, seen
        assert {one["reason"] for one in seen} == {opened["reason"]}
        left_s = [one["left_ms"] / 1000 for one in seen]
        assert max(left_s) == pytest.approx(rests_until_s - time.monotonic(), abs=1.0), "the rest goes on"
        await crew.refused_until(time.monotonic() + 0.5)
        assert await crew.provider.calls() == received
        await crew.never_went_back()


async def cut_off(member: Member) -> None:
    """Redis refuses its connections, and it knows."""
    assert member.to_redis is not None
    await member.to_redis.set(refusing=True)
    while not (await member.sees())["away"]:
        await asyncio.sleep(0.02)


async def until_taught(crew: Crew) -> dict[str, str]:
    """Waits until somebody has taught Redis; what it knows then."""
    with redis.Redis.from_url(crew.redis.url, decode_responses=True) as client:
        async with asyncio.timeout(4.0 + SLACK_S):
            while not (known := client.hgetall(f"{crew.namespace}:{{svc}}:circuit")):
                await asyncio.sleep(0.02)
    return dict(known)


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
    async with crew_of(3, policy={"min_samples": 1}) as crew:  # a single failure that counts opens it
        one = crew.members[0]
        crew.redis.pause()
        await crew.provider.fail("chat")
        await one.call(4)
        await crew.until("open", within_s=2.0, members=[one])
        await crew.provider.mend()
        await asyncio.sleep(30.0)  # nobody calls: a success more, and the failures would be too few
        crew.redis.resume()
        await crew.until_shared(within_s=4.0)
        await crew.until("closed", within_s=LEASE_S, calling=True)
        await one.call(1)
        await until_counted(crew, one)
        # Whether the failures were sent before Redis froze, and are read now, or never: they are of another time.
        assert [counts for counts in window_of(crew).values() if counts.split(":")[1] != "0"] == []
        assert await crew.unbothered(for_s=1.0) == []
        assert await crew.changes() == []
        await crew.never_went_back()


async def until_counted(crew: Crew, member: Member) -> None:
    """Waits until Redis has worked on a batch of it, whatever it made of it."""
    with redis.Redis.from_url(crew.redis.url, decode_responses=True) as client:
        async with asyncio.timeout(SLACK_S):
            while not client.hexists(f"{crew.namespace}:{{svc}}:batches", member.incarnation):
                await asyncio.sleep(0.02)


def window_of(crew: Crew) -> dict[str, str]:
    """What the fleet's window holds: time bucket -> ok, failed and slow."""
    with redis.Redis.from_url(crew.redis.url, decode_responses=True) as client:
        return dict(client.hgetall(f"{crew.namespace}:{{svc}}:window"))


def rest_ends_s(crew: Crew) -> float:
    """When the rest is over (monotonic seconds), whatever replicas make of it."""
    with redis.Redis.from_url(crew.redis.url) as client:
        now_s = time.monotonic()
        return now_s + client.pttl(f"{crew.namespace}:{{svc}}:open") / 1000


async def until_then(moment_s: float) -> None:
    """Lets time pass until that moment (monotonic seconds): what must not happen before has no event."""
    await asyncio.sleep(moment_s - time.monotonic())
