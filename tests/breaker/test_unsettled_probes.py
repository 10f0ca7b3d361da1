"""A probe whose call cannot be cancelled, such as a hanging synchronous one, still times out."""

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
    """Opens the circuit, waits until it is half-open, and starts a probe without a time limit, like a synchronous call.

    It ends after its lease, unless the test settles its permit earlier.
    """
    while member.state is CLOSED:
        await member.call(DOWN)
        await asyncio.sleep(0.01)
    while (permit := member.breaker.admit().permit) is None:
        await asyncio.sleep(0.01)
    assert permit.probe
    member.fleet.loop.call_later(1.4 * LEASE_S, permit.ok)
    return permit


def test_an_unsettled_probe_opens_the_circuit_again_for_longer(fleet: Fleet, member: Member) -> None:
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


def test_an_unsettled_probe_opens_the_circuit_again_without_redis(fleet: Fleet, member: Member) -> None:
    async def scenario() -> None:
        member.wire.cut()
        await asyncio.sleep(5)
        await probed(member)
        await asyncio.sleep(LEASE_S)
        assert (member.state, member.view.local().open_count) == (OPEN, 2)
        member.wire.repair()

    fleet.run(scenario())


def test_a_probe_settled_in_time_is_not_changed_later(fleet: Fleet, member: Member) -> None:
    async def scenario() -> None:
        (await probed(member)).ok()
        while member.state is not CLOSED:
            await member.call()
            await asyncio.sleep(0.01)
        epoch = fleet.ledger.circuit(SVC).epoch
        await asyncio.sleep(2 * LEASE_S)
        assert (member.state, fleet.ledger.circuit(SVC).epoch) == (CLOSED, epoch)

    fleet.run(scenario())


async def test_a_probe_cancelled_before_its_first_step_frees_its_lease() -> None:
    one = OneBreaker()
    one.half_opens()
    call = asyncio.create_task(one.breaker.call(fine))
    await asyncio.sleep(0)
    (probe,) = one.breaker._probes.under_way
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert one.permit().probe
