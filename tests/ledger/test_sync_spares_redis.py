"""How much a replica says to Redis: enough for a trip to be quick, little enough for a large fleet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.ledger.ledger import Change
from ha_rag.ledger.pace import Pace
from tests.ledger.simulated_fleet import Fleet, Member

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


def test_failures_of_one_moment_are_one_report(fleet: Fleet) -> None:
    async def scenario() -> None:
        (member,) = fleet.members
        fail(member, 50)
        await asyncio.sleep(0.01)
        assert member.wire.sent.count("record") == 1

    fleet.run(scenario())


def test_failures_that_come_one_by_one_are_told_at_once_ten_times(fleet: Fleet) -> None:
    async def scenario() -> None:
        (member,) = fleet.members
        for reported in range(1, 11):
            fail(member, 3)
            await asyncio.sleep(0.005)
            assert member.wire.sent.count("record") == reported

    fleet.run(scenario())


def test_circuits_that_rest_take_no_share_of_what_redis_can_bear(fleet: Fleet) -> None:
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
def test_in_a_minute_without_redis_a_replica_tries_the_less_often_the_larger_the_fleet(
    fleet: Fleet, replicas: int, least: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        (member,) = fleet.members
        assert member.registry._sync is not None
        member.registry._sync._contact.pace = Pace(replicas)
        member.wire.cut()
        await asyncio.sleep(10)
        changes = member.wire.changes

        def listening() -> AsyncIterator[Change | None]:
            member.wire.sent.append("listen")
            return changes()

        monkeypatch.setattr(member.wire, "changes", listening)
        member.wire.sent.clear()
        await asyncio.sleep(60)
        assert all(least <= member.wire.sent.count(what) <= most for what in ("read", "listen")), member.wire.sent
        member.wire.mend()

    fleet.run(scenario())
