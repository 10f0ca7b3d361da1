"""A healthy service that is slow recovers; a limit that was exceeded is named; an overdue call that is cut counts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.latency import MIN_CALLS
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts
from ha_rag.errors import CircuitOpenError
from ha_rag.ledger.store.memory import MemoryLedger
from tests.breaker.one_breaker import CLOSED, DOWN, OPEN, OneBreaker, hangs, run_other_tasks
from tests.strategy.virtual_time import LoopClock, in_virtual_time

POLICY = CircuitPolicy(min_samples=3, window_s=2.0, recovery_timeout_s=1.0)

SLOW_S = 15.0
"""What the service's calls take, which is more than any limit that the policy imposes by itself."""

Guard = Callable[[CircuitBreaker], Awaitable[None]]


async def call(breaker: CircuitBreaker) -> None:
    await breaker.call(asyncio.sleep, SLOW_S)


async def block(breaker: CircuitBreaker) -> None:
    async with breaker:
        await asyncio.sleep(SLOW_S)


async def opened(breaker: CircuitBreaker) -> None:
    while breaker.state is CLOSED:
        with contextlib.suppress(type(DOWN)):
            async with breaker:
                raise DOWN
        await asyncio.sleep(0.1)


async def recovery_s(breaker: CircuitBreaker, guarded: Guard) -> float:
    """How long it takes until the circuit is closed, with a call each second."""
    began_s = asyncio.get_running_loop().time()
    while breaker.state is not CLOSED:
        with contextlib.suppress(CircuitOpenError, TimeoutError):
            await guarded(breaker)
        await asyncio.sleep(1)
    return asyncio.get_running_loop().time() - began_s


async def recovers_in_s(guarded: Guard, *, shared: bool, past: int) -> float:
    clock = LoopClock()
    ledger = MemoryLedger(clock)
    async with CircuitRegistry((lambda: ledger) if shared else None, replica="r1", clock=clock) as circuits:
        breaker = circuits.breaker("svc", POLICY)
        await asyncio.gather(*(guarded(breaker) for _ in range(past)))
        await opened(breaker)
        async with asyncio.timeout(600):
            return await recovery_s(breaker, guarded)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "local"])
@pytest.mark.parametrize("guarded", [call, block])
class TestAServiceSlowerThanTheImposedLimit:
    def test_it_recovers_at_once_if_its_past_is_known(self, guarded: Guard, shared: bool) -> None:
        took_s = in_virtual_time(lambda: recovers_in_s(guarded, shared=shared, past=3))
        assert took_s < POLICY.recovery_timeout_s + 2 * (SLOW_S + 2)

    def test_it_recovers_without_a_past(self, guarded: Guard, shared: bool) -> None:
        """Leases of 1, 1, 2, 4, 8, then 16 s; each after an open time of twice that."""
        took_s = in_virtual_time(lambda: recovers_in_s(guarded, shared=shared, past=0))
        assert took_s < 1.1 * 3 * (1 + 1 + 2 + 4 + 8 + 16) + 2 * SLOW_S


@pytest.mark.parametrize("guarded", [call, block])
@pytest.mark.parametrize(
    ("policy", "timeout_s", "says"),
    [
        (POLICY, None, "since its breaker has no timeout_s: set that"),
        (POLICY, 2.0, "longer than 2.7 s, by its breaker's timeout_s of 2"),
        (CircuitPolicy(min_samples=3, recovery_timeout_s=1.0, probe_timeout_s=1.0), None, "probe_timeout_s of 1"),
    ],
)
def test_a_probe_that_is_stopped_says_which_limit_it_exceeded(
    guarded: Guard, policy: CircuitPolicy, timeout_s: float | None, says: str
) -> None:
    async def scenario() -> str:
        async with CircuitRegistry(None, replica="r1", clock=LoopClock()) as circuits:
            breaker = circuits.breaker("svc", policy, timeout_s=timeout_s)
            await opened(breaker)
            await asyncio.sleep(3.1)
            with pytest.raises(TimeoutError) as stopped:
                await guarded(breaker)
            assert breaker.state is OPEN
            return str(stopped.value)

    assert says in in_virtual_time(scenario)


# ---- calls that an outer time limit cuts -----------------------------------------------------------------------------


class Usual(OneBreaker):
    """A breaker whose last calls took 0.1 s."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for _ in range(MIN_CALLS):
            permit = self.permit()
            self.clock.advance(0.1)
            permit.ok()
        self.breaker._view.tick()
        self.clock.advance(30)
        assert self.counts == Counts(0, 0)

    async def cut_after(self, seconds: float) -> None:
        task = asyncio.create_task(self.breaker.call(hangs))
        await run_other_tasks()
        self.clock.advance(seconds)
        task.cancel()
        await asyncio.wait({task})


@pytest.mark.parametrize("timeout_s", [None, 10.0])
@pytest.mark.parametrize(("seconds", "failed"), [(0.09, 0), (0.11, 1)])
async def test_a_call_that_is_cut_counts_if_99_of_100_would_have_ended(
    timeout_s: float | None, seconds: float, failed: int
) -> None:
    one = Usual(timeout_s=timeout_s)
    await one.cut_after(seconds)
    assert one.counts == Counts(0, failed)


@pytest.mark.parametrize("timeout_s", [None, 10.0])
@pytest.mark.parametrize(("seconds", "failed"), [(0.11, 0), (0.29, 0), (0.31, 1)])
async def test_a_call_that_a_person_leaves_counts_if_it_is_overdue(
    timeout_s: float | None, seconds: float, failed: int
) -> None:
    one = Usual(timeout_s=timeout_s)
    permit = one.permit()
    one.clock.advance(seconds)
    permit.abandoned(by_person=True)
    assert one.counts == Counts(0, failed)


async def test_calls_that_an_outer_limit_cuts_open_the_circuit_of_a_service_that_hangs() -> None:
    one = Usual()
    for _ in range(4):
        await one.cut_after(0.2)
    assert one.breaker.state is OPEN


async def test_a_call_that_is_cut_counts_for_nothing_while_nothing_is_known_of_the_service() -> None:
    one = OneBreaker()
    task = asyncio.create_task(one.breaker.call(hangs))
    await run_other_tasks()
    one.clock.advance(60)
    task.cancel()
    await asyncio.wait({task})
    assert one.counts == Counts(0, 0)


def test_a_stream_that_had_begun_is_not_overdue_when_it_is_cut() -> None:
    one = Usual()
    permit = one.permit()
    permit.begun()
    one.clock.advance(5)
    permit.abandoned()
    assert one.counts == Counts(0, 0)


async def test_a_probe_in_a_block_that_is_cut_when_overdue_opens_the_circuit_again() -> None:
    one = Usual()
    one.half_opens()

    async def work() -> None:
        async with one.breaker:
            await hangs()

    task = asyncio.create_task(work())
    await run_other_tasks()
    one.clock.advance(0.2)
    task.cancel()
    await asyncio.wait({task})
    assert one.breaker.state is OPEN
