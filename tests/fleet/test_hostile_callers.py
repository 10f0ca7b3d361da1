"""Callers who leave, hurry or hang up neither open a circuit nor keep one open. Invariant 4."""

from __future__ import annotations

import asyncio

from tests.fleet.crew import LEASE_S, REST_S, TIMEOUT_S, CrewOf


async def test_a_thousand_cancelled_calls_do_not_open_a_circuit(crew_of: CrewOf):
    async with crew_of(2) as crew:
        hasty, other = crew.members
        await crew.provider.fail("chat", "slow", delay_s=TIMEOUT_S / 2)
        for _ in range(10):
            assert await hasty.call(100, at_once=True, cancel_after_s=0.01) == ["cancelled"] * 100
        await crew.provider.mend()
        assert await hasty.call(3) == ["ok"] * 3
        assert await other.call(3) == ["ok"] * 3
        assert await crew.changes() == []


async def test_calls_cancelled_while_half_open_do_not_keep_it_open(crew_of: CrewOf):
    async with crew_of(2) as crew:
        hasty, other = crew.members
        await crew.open_to_half_open()
        await crew.provider.fail("chat", "slow", delay_s=TIMEOUT_S / 2)
        storm = asyncio.ensure_future(hasty.call(1000, cancel_after_s=0.002))
        await crew.until("closed", within_s=LEASE_S + 2 * TIMEOUT_S, calling=True, members=[other])
        assert set(await storm) <= {"cancelled", "refused"}
        assert await other.state() == "closed"


async def test_a_caller_that_leaves_a_hanging_service_after_half_its_time_does_not_hide_that_it_hangs(crew_of: CrewOf):
    async with crew_of(2) as crew:
        await crew.provider.fail("chat", "hang")
        await crew.members[0].call(4, at_once=True, cancel_after_s=TIMEOUT_S * 0.7)
        await crew.until("open", within_s=0.5)


async def test_a_probe_whose_caller_leaves_runs_to_its_end_and_closes_the_circuit(crew_of: CrewOf):
    async with crew_of(2, policy={"probe_successes": 1}) as crew:
        prober = crew.members[0]
        await crew.open_to_half_open()
        await crew.provider.fail("chat", "slow", delay_s=TIMEOUT_S / 2)
        assert await crew.probe(prober, cancel_after_s=TIMEOUT_S / 5) == "cancelled"
        await crew.until("closed", within_s=TIMEOUT_S)
        assert await crew.provider.calls() == 3 + 1


async def test_a_service_that_asks_for_a_rest_gets_it_from_every_replica_and_no_longer(crew_of: CrewOf):
    async with crew_of(3) as crew:
        await crew.provider.fail("chat", "throttle", retry_after_s=3.0)
        await crew.members[0].call()
        await crew.until("open", within_s=0.5)
        asked_s = asyncio.get_running_loop().time()
        received = await crew.provider.calls()
        await crew.provider.mend()
        while asyncio.get_running_loop().time() < asked_s + 2.5:
            assert [await member.call() for member in crew] == [["refused"]] * 3
        assert await crew.provider.calls() == received
        await crew.until("closed", within_s=0.5 + REST_S, calling=True)
