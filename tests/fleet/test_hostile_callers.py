"""Callers who leave, hurry or hang up neither open a circuit nor keep one open. Invariant 4."""

from __future__ import annotations

import asyncio

from tests.fleet.crew import LEASE_S, REST_S, TIMEOUT_S, Crew, CrewOf, Member

PROMPT_S = 0.5
"""Within so much of its time a rest that a service asked for begins and ends."""
STAMPED_S = 0.2
"""By how much earlier than it was the asking may be stamped: Redis's time is known as it was told last."""


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
        asked_s = await throttled(crew, crew.members[0], retry_after_s=3.0)
        await rests_for(crew, 3.0, since_s=asked_s)
        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S, calling=True)


async def test_a_service_that_asks_for_an_hour_gets_the_longest_rest_there_may_be(crew_of: CrewOf):
    async with crew_of(3, policy={"throttle_max_s": 2.0}) as crew:
        asked_s = await throttled(crew, crew.members[0], retry_after_s=3600.0)
        await rests_for(crew, 2.0, since_s=asked_s)


async def test_with_a_quorum_of_two_a_service_has_to_ask_two_replicas_for_a_rest_to_get_it_from_all(
    crew_of: CrewOf,
):
    async with crew_of(3, policy={"quorum": 2}) as crew:
        asked, second, third = crew.members
        await throttled(crew, asked, retry_after_s=3.0)
        await crew.provider.mend()
        assert await asked.call() == ["refused"]
        assert await second.call(5) + await third.call(5) == ["ok"] * 10
        assert await crew.changes() == []
        asked_s = await throttled(crew, second, retry_after_s=2.0)
        await rests_for(crew, 2.0, since_s=asked_s)
        assert await crew.changes() == [("closed", "open")]


async def test_a_probe_that_is_asked_for_a_rest_gives_that_rest_and_makes_no_later_one_longer(crew_of: CrewOf):
    async with crew_of(3) as crew:
        await crew.open_to_half_open()
        stepped = (await crew.members[0].sees())["open_count"]
        await crew.provider.fail("chat", "throttle", retry_after_s=2.0)
        probe = await crew.recorded_probe(crew.members[0])
        await crew.until("open", within_s=0.5)
        await rests_for(crew, 2.0, since_s=probe["ended_s"])
        assert {(await member.sees())["open_count"] for member in crew} == {stepped}


async def throttled(crew: Crew, member: Member, retry_after_s: float) -> float:
    """The service asks that replica for a rest; answers when (monotonic seconds)."""
    await crew.provider.fail("chat", "throttle", retry_after_s=retry_after_s)
    (record,) = await member.ask("call")
    assert record["outcome"] == "failed"
    await crew.until("open", within_s=0.5, members=[member])
    return float(record["ended_s"])


async def rests_for(crew: Crew, rest_s: float, since_s: float) -> None:
    """Every replica is refused until the rest is over, and half-open at once after it; the service hears of nobody."""
    await crew.until("open", within_s=0.5)
    received = await crew.provider.calls()
    ends_s = await crew.refused_until(since_s + rest_s - STAMPED_S)
    assert max(ends_s) < since_s + rest_s + PROMPT_S, "as callers are told"
    assert await crew.provider.calls() == received
    await crew.until("half_open", within_s=0.0, slack_s=PROMPT_S)
