"""One replica reaches everything but Redis, or everything but the service. Invariants 1, 7, 12 and 14."""

from __future__ import annotations

import asyncio

import pytest

from tests.fleet.crew import LEASE_S, LONG_REST, LONG_REST_S, REST_S, TIGHT_S, TIMEOUT_S, CrewOf

FROZEN_OR_CUT = [pytest.param({"frozen": True}, id="silent"), pytest.param({"refusing": True}, id="refused")]
MENDED = {"frozen": False, "refusing": False}


@pytest.mark.parametrize("cut", FROZEN_OR_CUT)
async def test_one_that_alone_loses_redis_opens_for_itself_and_believes_the_fleet_again_afterwards(
    crew_of: CrewOf, cut: dict[str, bool]
):
    async with crew_of(3, wires=True) as crew:
        lone, *others = crew.members
        await lone.to_redis.set(**cut)
        await crew.until_alone(lone)
        assert [await member.call() for member in crew] == [["ok"]] * 3

        await crew.provider.fail("chat")
        await lone.call(4)
        assert await lone.state() == "open"
        assert [await member.state() for member in others] == ["closed"] * 2

        await others[0].call(5)
        await crew.until("open", within_s=0.5, members=others)
        await lone.to_redis.set(**MENDED)
        await crew.until_shared(within_s=4.0)
        await crew.provider.mend()
        await crew.until("closed", within_s=2 * REST_S + LEASE_S, calling=True)
        await crew.never_went_back()


async def test_one_that_opened_without_redis_does_not_open_the_fleets_circuit_when_redis_is_back(crew_of: CrewOf):
    """It opened for itself and the fleet did not: its own rest runs to its end. Its failures, few among all, count."""
    async with crew_of(3, wires=True) as crew:
        lone, *others = crew.members
        assert [await member.call(10) for member in others] == [["ok"] * 10] * 2
        await lone.to_redis.set(refusing=True)
        await lone.to_provider.set(refusing=True)
        await crew.until_alone(lone)
        await lone.call(4)
        assert await lone.state() == "open"
        await lone.to_redis.set(refusing=False)
        await lone.to_provider.set(refusing=False)
        await crew.until_shared(within_s=4.0)
        assert [await member.state() for member in others] == ["closed"] * 2
        await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True)
        assert await crew.changes() == []


async def test_one_of_eight_that_cannot_reach_the_service_opens_for_itself_only(crew_of: CrewOf):
    async with crew_of(8, wires=True) as crew:
        sick = crew.members[0]
        await crew.load(20)
        await asyncio.sleep(1.0)
        await sick.to_provider.set(refusing=True)
        await sick.to_provider.cut()
        await crew.until("open", within_s=6.0, members=[sick])
        await asyncio.sleep(REST_S)
        records = await crew.unload()
        assert {record["outcome"] for record in records if record["replica"] != sick.name} == {"ok"}
        assert (await sick.sees())["overlaid"]
        assert await crew.changes() == [], "the fleet's circuit stayed as it was"

        await sick.to_provider.set(refusing=False)
        await crew.until("closed", within_s=2 * REST_S + TIMEOUT_S, calling=True)


async def test_with_a_quorum_of_two_one_sick_replica_of_three_leaves_the_fleets_circuit_closed(crew_of: CrewOf):
    async with crew_of(3, wires=True, policy={"quorum": 2}) as crew:
        sick = crew.members[0]
        await sick.to_provider.set(refusing=True)
        assert await sick.call(5) != ["ok"] * 5
        await crew.until("open", within_s=1.0, members=[sick])
        records = await crew.calls(for_s=REST_S + 1, per_s=10)
        assert {record["outcome"] for record in records if record["replica"] != sick.name} == {"ok"}
        assert await crew.changes() == []
        assert {event["scope"] for event in await sick.events()} == {"replica"}


@pytest.mark.faults
async def test_with_a_quorum_of_two_one_sick_replica_cannot_keep_the_fleets_circuit_open_by_losing_probes(
    crew_of: CrewOf,
):
    async with crew_of(3, wires=True, policy={"quorum": 2, **LONG_REST}) as crew:
        sick, *others = crew.members
        await crew.provider.fail("chat")
        await crew.fail_until_open(within_s=2.0)
        await sick.to_provider.set(refusing=True)
        await crew.provider.mend()
        await crew.until("half_open", within_s=LONG_REST_S)
        assert await crew.probe(sick) == "failed"

        await crew.load(20)
        await crew.until("closed", within_s=LEASE_S, members=others, slack_s=TIGHT_S)
        await asyncio.sleep(2 * LEASE_S)
        assert [await member.state() for member in others] == ["closed"] * 2
        await crew.unload()
        steps = [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
        assert await crew.changes() == steps, "one rest, whatever the sick one lost"


async def test_one_sick_replica_is_not_asked_to_probe_twice_running(crew_of: CrewOf):
    """With a quorum of one it may reopen the circuit by losing its probe, but then the next probe is another's.

    The rest does not grow here: it ends a lease before the sick one may ask again.
    """
    same_rest = {"recovery_timeout_max_s": REST_S, "probe_successes": 1}
    async with crew_of(3, wires=True, policy=same_rest) as crew:
        sick, *others = crew.members
        await crew.open_to_half_open()
        await sick.to_provider.set(refusing=True)
        await crew.provider.mend()
        await crew.load(50, [sick])
        await crew.until_changed(("half_open", "open"), within_s=TIMEOUT_S)
        await crew.until("half_open", within_s=REST_S)

        await asyncio.sleep(LEASE_S / 2)  # in which nobody but the sick one would probe
        await crew.load(20, others)
        await crew.until_changed(("half_open", "closed"), within_s=TIMEOUT_S, members=[sick])
        (closed_s, *_) = [event["told_s"] for event in await sick.events() if event["to_state"] == "closed"]
        calls = [record for record in await crew.unload([sick]) if record["begun_s"] < closed_s]
        assert [call["outcome"] for call in calls if call["outcome"] != "refused"] == ["failed"]
        await crew.unload(others)
