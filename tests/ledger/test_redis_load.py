"""How much a replica sends to Redis: enough to open quickly, little enough for a large fleet."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.store.ledger import Change
from ha_rag.ledger.sync.pace import LEASES_PER_S, READS_PER_S, Pace
from tests.ledger.simulated_fleet import Fleet, Member
from tests.ledger.virtual_ledgers import VirtualMemoryLedger

CALM = CircuitPolicy(min_samples=100, window_s=10.0)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(1, CALM)
    yield fleet
    fleet.close()


def fail(member: Member, times: int) -> None:
    for _ in range(times):
        permit = member.breaker.admit().permit
        assert permit is not None
        permit.failed()


def test_failures_at_the_same_moment_make_one_report(fleet: Fleet) -> None:
    async def scenario() -> None:
        (member,) = fleet.members
        fail(member, 50)
        await asyncio.sleep(0.01)
        assert member.wire.sent.count("record") == 1

    fleet.run(scenario())


def test_failures_that_come_one_by_one_are_reported_at_once_up_to_ten_times(fleet: Fleet) -> None:
    async def scenario() -> None:
        (member,) = fleet.members
        for reported in range(1, 11):
            fail(member, 3)
            await asyncio.sleep(0.005)
            assert member.wire.sent.count("record") == reported

    fleet.run(scenario())


def test_inactive_circuits_take_no_share_of_the_report_limit(fleet: Fleet) -> None:
    async def scenario() -> None:
        (member,) = fleet.members
        for number in range(40):
            member.registry.breaker(f"idle-{number}", CALM)
        fail(member, 1)
        await asyncio.sleep(1.5)
        assert member.registry._sync is not None
        assert member.registry._sync.pace.circuits == 1

    fleet.run(scenario())


@pytest.mark.parametrize(("replicas", "least", "most"), [(1, 120, 600), (3000, 6, 20)])
def test_during_a_minute_without_redis_a_replica_retries_less_often_in_a_larger_fleet(
    fleet: Fleet, replicas: int, least: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        (member,) = fleet.members
        assert member.registry._sync is not None
        member.registry._sync._session.pace = Pace(replicas)
        member.wire.cut()
        await asyncio.sleep(10)
        changes = member.wire.changes

        def listening() -> AsyncIterator[Change | None]:
            member.wire.sent.append("listen")
            return changes()

        monkeypatch.setattr(member.wire, "changes", listening)
        member.wire.sent.clear()
        await asyncio.sleep(60)
        assert all(least <= member.wire.sent.count(what) <= most for what in ("change_log", "listen")), member.wire.sent
        member.wire.repair()

    fleet.run(scenario())


ALL, SOME = 1000, 50
SHARE = SOME / ALL
RESTING = CircuitPolicy(min_samples=3, recovery_timeout_s=12.0, probe_timeout_s=12.0)


class LargeFleetLedger(VirtualMemoryLedger):
    """The replicas that send heartbeats here are part of a thousand."""

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        await super().beat(incarnation, body, circuits, life_ms)
        return ALL


def test_half_open_under_full_traffic_a_thousand_replicas_stay_within_the_fleets_limit() -> None:
    with Fleet(SOME, RESTING, ledger=LargeFleetLedger) as fleet:
        fleet.run(open_for_all(fleet))
        seconds = [fleet.run(a_second_of_traffic(fleet)) for _ in range(10)]
        assert {member.state for member in fleet.members} == {CircuitState.HALF_OPEN}, "the probe is still running"
        total = sum(seconds, Counter[str]())
        print(total, [second["lease"] for second in seconds])
        assert total["let through"] == 1
        assert total["record"] + total["settle"] + total["restore"] == 0, "a refused call sends nothing to Redis"
        assert max(second["lease"] for second in seconds) <= LEASES_PER_S * SHARE
        # Intervals vary by a tenth.
        assert max(total["read"], total["beat"]) <= 1.1 * READS_PER_S * SHARE * len(seconds)


async def open_for_all(fleet: Fleet) -> None:
    """The circuit opens, and its open duration is about to end."""
    await asyncio.sleep(5)  # all replicas know the size of the fleet
    fail(fleet.members[0], 3)
    await asyncio.sleep(0.99 * RESTING.recovery_timeout_s)
    assert {member.state for member in fleet.members} == {CircuitState.OPEN}


async def a_second_of_traffic(fleet: Fleet) -> Counter[str]:
    """Twenty calls of every replica; what was sent to Redis meanwhile, and how many calls were admitted."""
    for member in fleet.members:
        member.wire.sent.clear()
    through = 0
    for _ in range(20):
        through += sum(member.breaker.admit().permitted for member in fleet.members)
        await asyncio.sleep(0.05)
    return Counter({"let through": through}) + Counter(verb for member in fleet.members for verb in member.wire.sent)
