"""A grant that came too late for its asker: the call that takes it up has its full time, and nobody keeps it long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ha_rag.errors import ServiceError
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, QUICK, SVC, Fleet, Member

DOWN = ServiceError("down", status=500)
TIMEOUT_S, LEASE_S = 4.0, 5.0


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """One replica, 100 ms away from Redis; its calls have 4 s, so leases and the first rest last 5 s."""
    fleet = Fleet(1, QUICK, timeout_s=TIMEOUT_S)
    with fleet:
        yield fleet


async def half_opened(fleet: Fleet) -> Member:
    (member,) = fleet.members
    member.wire.delay_s = 0.05
    while member.state is CLOSED:
        await member.call(DOWN)
        await asyncio.sleep(0.2)
    await asyncio.sleep(LEASE_S + 0.2)
    assert member.state is HALF_OPEN
    return member


@pytest.mark.parametrize("every_s", [0.3, 1.7, 2.3])
def test_calls_that_never_wait_and_come_seldom_close_the_circuit_and_each_probe_has_its_full_time(
    fleet: Fleet, every_s: float
) -> None:
    async def scenario() -> None:
        member = await half_opened(fleet)
        for _ in range(10):
            permit = member.breaker.admit().permit
            if permit is not None and permit.bound_s is not None:
                assert permit.bound_s >= TIMEOUT_S
                permit.ok()
            await asyncio.sleep(every_s)
        assert member.state is CLOSED

    fleet.run(scenario())


def test_when_no_call_comes_any_more_redis_is_asked_for_nothing(fleet: Fleet) -> None:
    async def scenario() -> None:
        member = await half_opened(fleet)
        assert member.breaker.admit().permit is None
        await asyncio.sleep(LEASE_S / 2)
        asked = member.wire.sent.count("lease")
        assert asked > 1
        await asyncio.sleep(0.5)
        assert not any(lease.epoch for lease in fleet.ledger.circuit(SVC).leases.values())  # all given back
        await asyncio.sleep(5 * LEASE_S)
        assert member.wire.sent.count("lease") == asked

    fleet.run(scenario())
