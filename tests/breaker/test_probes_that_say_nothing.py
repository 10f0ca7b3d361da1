"""A probe whose call nobody can end, such as a synchronous one that hangs, has timed out all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ha_rag.breaker.permit import Permit
from ha_rag.errors import ServiceError
from tests.breaker.one_breaker import OneBreaker, fine
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, OPEN, QUICK, SVC, Fleet, Member

DOWN = ServiceError("down", status=500)
LEASE_S = 1.0


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(1)
    yield fleet
    fleet.close()


@pytest.fixture
def member(fleet: Fleet) -> Member:
    return fleet.members[0]


async def probed(member: Member) -> Permit:
    """Opens the circuit, waits its rest out, and begins a probe as a synchronous call does: nothing bounds it.

    It ends too late, unless its permit is told something before.
    """
    while member.state is CLOSED:
        await member.call(DOWN)
        await asyncio.sleep(0.01)
    while (permit := member.breaker.admit().permit) is None:
        await asyncio.sleep(0.01)
    assert permit.probe
    member.fleet.loop.call_later(1.4 * LEASE_S, permit.ok)
    return permit


def test_a_probe_of_which_nothing_is_heard_opens_the_circuit_again_for_longer(fleet: Fleet, member: Member) -> None:
    async def scenario() -> None:
        await probed(member)
        await asyncio.sleep(0.9 * LEASE_S)
        assert member.state is HALF_OPEN
        await asyncio.sleep(0.1 * LEASE_S)
        circuit = fleet.ledger.circuit(SVC)
        assert (circuit.state, circuit.open_count, circuit.reason) == (OPEN, 2, "a probe ended timeout")
        await asyncio.sleep(0.9 * QUICK.recovery_backoff * QUICK.recovery_timeout_s)
        assert fleet.ledger.circuit(SVC).epoch == circuit.epoch
        assert member.state is OPEN

    fleet.run(scenario())


def test_without_redis_too(fleet: Fleet, member: Member) -> None:
    async def scenario() -> None:
        member.wire.cut()
        await asyncio.sleep(5)
        await probed(member)
        await asyncio.sleep(LEASE_S)
        assert (member.state, member.view.local().open_count) == (OPEN, 2)
        member.wire.repair()

    fleet.run(scenario())


def test_what_a_probe_said_in_time_stands(fleet: Fleet, member: Member) -> None:
    async def scenario() -> None:
        (await probed(member)).ok()
        while member.state is not CLOSED:
            await member.call()
            await asyncio.sleep(0.01)
        epoch = fleet.ledger.circuit(SVC).epoch
        await asyncio.sleep(2 * LEASE_S)
        assert (member.state, fleet.ledger.circuit(SVC).epoch) == (CLOSED, epoch)

    fleet.run(scenario())


async def test_a_probe_that_is_cancelled_before_its_first_step_leaves_its_place_to_the_next() -> None:
    one = OneBreaker()
    one.half_opens()
    call = asyncio.create_task(one.breaker.call(fine))
    await asyncio.sleep(0)
    (probe,) = one.breaker._probes.under_way
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert one.permit().probe
