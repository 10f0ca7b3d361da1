"""Grants that arrive after their caller is gone: the next call gets its full time, and unused grants are returned."""

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
    """One replica with a 100 ms round trip to Redis; calls have 4 s, so leases and the first open duration last 5 s."""
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
def test_rare_calls_that_never_wait_close_the_circuit_and_each_probe_has_its_full_time(
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


def test_without_further_calls_no_lease_is_requested(fleet: Fleet) -> None:
    async def scenario() -> None:
        member = await half_opened(fleet)
        assert member.breaker.admit().permit is None
        await asyncio.sleep(LEASE_S / 2)
        requests = member.wire.sent.count("lease")
        assert requests > 1
        await asyncio.sleep(0.5)
        assert not any(lease.epoch for lease in fleet.ledger.circuit(SVC).leases.values())  # all returned
        await asyncio.sleep(5 * LEASE_S)
        assert member.wire.sent.count("lease") == requests

    fleet.run(scenario())
