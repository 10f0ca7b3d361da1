"""A circuit closes with sparse calls, whichever way they are made, however rare they are and far away Redis is.

Real registries in virtual time. The service is healthy again; each replica makes one call in each interval.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import CircuitOpenError, ServiceError
from tests.depth import deep
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, SVC, Fleet, Member

DOWN = ServiceError("down", status=500)
POLICY = CircuitPolicy(min_samples=3, window_s=2.0, recovery_timeout_s=1.0, recovery_timeout_max_s=4.0)

Way = Callable[[CircuitBreaker, "Service"], Awaitable[None]]


class Service:
    """The healthy service. Each call lasts `takes_s`. `most`: the most calls that were under way at a time."""

    def __init__(self, takes_s: float = 0.02) -> None:
        self.takes_s = takes_s
        self.under_way = self.most = 0

    def __enter__(self) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    def __exit__(self, *error: object) -> None:
        self.under_way -= 1

    async def answer(self) -> None:
        with self:
            await asyncio.sleep(self.takes_s)

    def answer_at_once(self) -> None:
        with self:
            pass


async def call(breaker: CircuitBreaker, service: Service) -> None:
    await breaker.call(service.answer)


async def block(breaker: CircuitBreaker, service: Service) -> None:
    async with breaker:
        await service.answer()


async def synchronous_call(breaker: CircuitBreaker, service: Service) -> None:
    """In an event loop, where it must not wait."""
    breaker.call_sync(service.answer_at_once)


async def synchronous_block(breaker: CircuitBreaker, service: Service) -> None:
    with breaker:
        service.answer_at_once()


async def admission(breaker: CircuitBreaker, service: Service) -> None:
    permit = breaker.admit().permit
    if permit is not None:
        await service.answer()
        permit.ok()


WAITING: dict[str, Way] = {"call": call, "async with": block}
NOT_WAITING: dict[str, Way] = {"call_sync": synchronous_call, "with": synchronous_block, "admit": admission}
WAYS = {**WAITING, **NOT_WAITING}


class Sparse:
    """Replicas that make a call in each interval, from the moment when their circuit is half-open."""

    def __init__(self, replicas: int, round_trip_s: float, timeout_s: float | None) -> None:
        self.fleet = Fleet(replicas, POLICY, timeout_s)
        self.service = Service()
        self._round_trip_s = round_trip_s

    async def half_open(self) -> None:
        members = self.fleet.members
        for member in members:
            member.wire.delay_s = self._round_trip_s / 2
        while any(member.state is CLOSED for member in members):
            await members[0].call(DOWN)
            await asyncio.sleep(0.3)
        await asyncio.sleep(max(self.fleet.policy.recovery_timeout_s, members[0].view.terms.open_ms / 1000) + 2.5)
        assert {member.state for member in members} == {HALF_OPEN}

    async def calls_until_closed(self, ways: list[Way], every_s: float, at_most: int) -> int:
        """How many calls each replica makes until the circuit is closed for all."""
        members = self.fleet.members
        for calls in range(at_most):
            if all(member.state is CLOSED for member in members):
                return calls
            for way, member in zip(ways, members, strict=True):
                await self._call(way, member)
                await asyncio.sleep(every_s / len(members))
        names = [way.__name__ for way in ways]
        pytest.fail(
            f"not closed after {at_most} calls by {names}, {every_s} s apart, {self._round_trip_s} s from Redis"
        )

    async def _call(self, way: Way, member: Member) -> None:
        with contextlib.suppress(CircuitOpenError):
            await way(member.breaker, self.service)
        leases = self.fleet.ledger.circuit(SVC).leases.values()
        now_ms = self.fleet.ledger_clock.unix_ms()
        assert sum(lease.is_active(now_ms) for lease in leases) <= self.fleet.policy.probes


intervals = st.floats(0.1, 60.0)
round_trips = st.floats(0.0, 0.2)
timeouts = st.sampled_from([None, 0.5, 5.0])


def most_calls(every_s: float) -> int:
    """The first requests a grant, the second shows how rare calls are, and then each is a probe unless it comes while
    the grant is being exchanged: one in five, with Redis 0.2 s away, so hardly ever eight times. Calls that come faster
    than Redis replies do not count as one each.
    """
    return 2 + POLICY.probe_successes + 8 + int(3.0 / every_s)


@pytest.mark.timeout(1200)
@deep(60)
@given(st.sampled_from(sorted(WAYS)), intervals, round_trips, timeouts)
@example("call", 2.0, 0.0, None)
@example("async with", 3.0, 0.16, None)
@example("admit", 60.0, 0.2, None)
@example("call_sync", 0.1, 0.2, 5.0)
@example("with", 0.5, 0.15, None)
@example("with", 0.47, 0.2, None)
@example("admit", 0.45, 0.0, None)
def test_one_call_in_any_interval_closes_the_circuit(
    way: str, every_s: float, round_trip_s: float, timeout_s: float | None
) -> None:
    sparse = Sparse(1, round_trip_s, timeout_s=timeout_s)

    async def scenario() -> None:
        await sparse.half_open()
        await sparse.calls_until_closed([WAYS[way]], every_s, most_calls(every_s))
        assert sparse.service.most <= POLICY.probes

    with sparse.fleet as fleet:
        fleet.run(scenario())


@pytest.mark.timeout(1200)
@deep(30)
@given(st.lists(st.sampled_from(sorted(WAYS)), min_size=2, max_size=3), intervals, round_trips, timeouts)
@example(["admit", "admit", "admit"], 60.0, 0.0, None)
@example(["admit", "call"], 7.0, 0.2, 5.0)
@example(["call", "call", "call"], 2.0, 0.2, None)
def test_replicas_with_sparse_calls_let_each_other_probe(
    ways: list[str], every_s: float, round_trip_s: float, timeout_s: float | None
) -> None:
    sparse = Sparse(len(ways), round_trip_s, timeout_s=timeout_s)

    async def scenario() -> None:
        await sparse.half_open()
        await sparse.calls_until_closed([WAYS[way] for way in ways], every_s, 3 * most_calls(every_s))
        assert sparse.service.most <= POLICY.probes

    with sparse.fleet as fleet:
        fleet.run(scenario())
