"""The replica that holds the probe dies, or stands still, between its lease and its word. Invariants 2, 3, 5, 10."""

from __future__ import annotations

import asyncio

import pytest

from tests.fleet.crew import LEASE_S, REST_S, TIMEOUT_S, CrewOf

PAUSES = [pytest.param(3.0, id="3s"), pytest.param(30.0, id="30s", marks=pytest.mark.faults)]


async def test_a_prober_that_is_killed_leaves_its_lease_to_end_and_another_one_closes_the_circuit(crew_of: CrewOf):
    async with crew_of(3) as crew:
        prober, *others = crew.members
        await crew.open_to_half_open()
        probing = await crew.begin_probe(prober)
        prober.process.kill()
        await asyncio.gather(probing, return_exceptions=True)
        await crew.provider.mend()

        await crew.until("closed", within_s=LEASE_S, calling=True, members=others)
        await crew.never_went_back(others)


async def test_the_last_replica_alive_closes_the_circuit_after_the_prober_and_all_others_were_killed(crew_of: CrewOf):
    async with crew_of(3) as crew:
        *dying, last = crew.members
        await crew.open_to_half_open()
        probing = await crew.begin_probe(dying[0])
        for member in dying:
            member.process.kill()
        await asyncio.gather(probing, return_exceptions=True)
        await crew.provider.mend()

        await crew.until("closed", within_s=LEASE_S, calling=True, members=[last])


@pytest.mark.parametrize("pause_s", PAUSES)
async def test_a_prober_that_wakes_up_with_an_old_success_does_not_close_the_circuit(crew_of: CrewOf, pause_s: float):
    async with crew_of(3) as crew:
        prober, *others = crew.members
        await crew.open_to_half_open()
        probing = await crew.begin_probe(prober)
        prober.process.pause()
        await crew.provider.mend()  # the probe is answered, and nobody reads it
        await crew.provider.fail("chat", for_s=600)
        ends_s = asyncio.get_running_loop().time() + pause_s
        while asyncio.get_running_loop().time() < ends_s:
            await asyncio.gather(*(member.call() for member in others))
            await asyncio.sleep(0.1)
        prober.process.resume()
        await probing
        await crew.until("open", within_s=LEASE_S + 2 * REST_S, calling=True)
        assert all(after != "closed" for _, after in await crew.changes())

        await crew.provider.mend()
        await crew.until("closed", within_s=2 * REST_S + LEASE_S, calling=True)
        await crew.never_went_back()


@pytest.mark.parametrize("meanwhile", ["nobody else probes", "another one is probing"])
async def test_a_success_that_reaches_redis_after_its_lease_has_ended_does_not_close_the_circuit(
    crew_of: CrewOf, meanwhile: str
):
    async with crew_of(2, wires=True, policy={"probe_successes": 1}) as crew:
        prober, other = crew.members
        await crew.open_to_half_open()
        probing = await crew.begin_probe(prober)
        await prober.to_redis.set(frozen=True)
        await crew.provider.mend()
        assert await probing == "ok", "its word is on the way now"
        await asyncio.sleep(LEASE_S)
        others = await crew.begin_probe(other) if meanwhile == "another one is probing" else None
        await prober.to_redis.set(frozen=False)
        await asyncio.sleep(TIMEOUT_S / 2)
        assert (await other.sees())["fleet"] == "half_open"
        await crew.provider.mend()
        if others is not None:
            assert await others == "ok"
            await crew.until("closed", within_s=1.0)


@pytest.mark.parametrize("pause_s", PAUSES)
async def test_a_replica_that_wakes_up_with_old_failures_opens_nothing_and_learns_what_it_missed(
    crew_of: CrewOf, pause_s: float
):
    async with crew_of(3) as crew:
        *awake, sleeper = crew.members
        await crew.provider.fail("chat", "hang")
        hanging = asyncio.ensure_future(sleeper.call(5, at_once=True))
        while await crew.provider.calls() < 5:
            await asyncio.sleep(0.01)
        sleeper.process.pause()
        await crew.provider.fail("chat")
        await awake[0].call(3)
        await crew.until("open", within_s=0.5, members=awake)
        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True, members=awake)
        await asyncio.sleep(pause_s - REST_S)
        epochs = [(await member.sees())["epoch"] for member in awake]

        sleeper.process.resume()
        assert set(await hanging) == {"failed"}
        await crew.until("closed", within_s=1.0)
        assert await crew.unbothered(for_s=1.0) == []
        assert [(await member.sees())["epoch"] for member in crew] == [epochs[0]] * 3
        await crew.never_went_back()
