"""Two replicas of one name, and replicas that disagree about the rules."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.breaker.fleet_reader import DRIFT_POLL_S
from ha_rag.ledger.sync.pace import POLL_S
from tests.fleet.crew import REST_S, SLACK_S, TIMEOUT_S, Crew, CrewOf, Member

LOOKED_S = 2 * DRIFT_POLL_S + 1
"""By then everybody has looked around twice."""


async def test_two_replicas_with_one_name_are_two_votes_and_two_probers(crew_of: CrewOf):
    async with crew_of(2, names=["twin", "twin"], policy={"quorum": 2, "probes": 2}) as crew:
        one, other = crew.members
        assert one.incarnation != other.incarnation
        await crew.provider.fail("chat")
        assert await one.call(3) == ["failed"] * 3
        await until_heard(other, failed=3)
        assert (await other.sees())["voters"] == [one.incarnation]
        assert await other.state() == "closed", "one replica is no quorum, whatever it is called"
        assert await other.call(3, at_once=True) == ["failed"] * 3
        await crew.until("open", within_s=1.0)
        assert await crew.changes() == [("closed", "open")]

        await crew.until("half_open", within_s=REST_S)
        assert await both_probe_at_a_time(crew) == ["failed"] * 2
        await crew.until("open", within_s=TIMEOUT_S)
        assert (await crew.changes())[1:] == [("open", "half_open"), ("half_open", "open")], "two lost their probes"

        fleet = await one.ask("fleet")
        assert sorted(r["incarnation"] for r in fleet["replicas"]) == sorted([one.incarnation, other.incarnation])


async def until_heard(member: Member, failed: int) -> None:
    """Waits until Redis has told it of so many failures in the fleet's window."""
    async with asyncio.timeout(2 * POLL_S + SLACK_S):
        while (await member.sees())["failed"] != failed:
            await asyncio.sleep(0.02)


async def both_probe_at_a_time(crew: Crew) -> list[str]:
    """How the probes ended; both were under way before either had ended."""
    await crew.provider.fail("chat", "hang")
    received = await crew.provider.calls()
    probes = await asyncio.gather(*(crew.recorded_probe(member) for member in crew))
    assert max(probe["sent_s"] for probe in probes) < min(probe["ended_s"] for probe in probes)
    assert await crew.provider.calls() == received + 2
    return [probe["outcome"] for probe in probes]


async def test_replicas_with_one_name_are_told_of_it_once(crew_of: CrewOf):
    async with crew_of(2, names=["twin", "twin"]) as crew:
        await asyncio.sleep(LOOKED_S)
        told = [len(await member.events("ReplicaNameTaken")) for member in crew]
        assert told == [1, 1]


@pytest.mark.faults
async def test_replicas_with_different_policies_work_together_and_are_told_of_it_once(crew_of: CrewOf):
    newer = {"min_samples": 5, "recovery_timeout_s": 2 * REST_S}
    async with crew_of(3, policies=[{}, {}, newer]) as crew:
        await crew.open()
        await crew.provider.mend()
        await crew.until("closed", within_s=REST_S + TIMEOUT_S, calling=True)
        await crew.provider.fail("chat")
        await crew.fail_until_open(within_s=2.0)
        await crew.provider.mend()
        await crew.until("closed", within_s=4 * REST_S + TIMEOUT_S, calling=True)
        await asyncio.sleep(LOOKED_S)
        told = [len(await member.events("PolicyMismatch")) for member in crew]
        assert told == [1, 1, 1]
        await crew.never_went_back()
