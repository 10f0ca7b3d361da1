"""With a 100 ms round trip to Redis no question waits for a probe lease: it arrives after the question moved on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.errors import ServiceError
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.messages import Generation, Passage
from ha_rag.strategy import FallbackStrategy, Tier
from ha_rag.strategy.streaming import AnswerDone
from ha_rag.system import HighAvailabilityRAG
from tests.strategy.scripted import HANGS, Scripted
from tests.strategy.virtual_time import LoopClock, in_virtual_time

POLICY = CircuitPolicy(min_samples=3, recovery_timeout_s=2.0, probe_successes=2)
DOWN = ServiceError("down", status=500)
TIMEOUT_S = 2.0
HEALTHY_S = 0.95 * TIMEOUT_S
"""How long the service takes when it is healthy."""

Ask = Callable[["Harness"], Awaitable[str]]


class SlowLedger(MemoryLedger):
    async def lease(self, *asked: Any) -> Reply:
        await asyncio.sleep(0.1)
        return await super().lease(*asked)


class Slow(Scripted):
    """A slow generator: it waits before the answer, or before each of three pieces."""

    behaviour: Any = DOWN

    async def _behave(self) -> None:
        self.calls.append(())
        if self.behaviour == HANGS:
            await asyncio.Event().wait()
        if self.behaviour is not None:
            raise self.behaviour
        await asyncio.sleep(HEALTHY_S)

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        await self._behave()
        return Generation("It waits.", ())

    async def stream(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[str]:
        for piece in ("It ", "waits", "."):
            await self._behave()
            yield piece


class Harness:
    """A RAG whose generator's circuit is half-open."""

    def __init__(self, circuits: CircuitRegistry, clock: LoopClock) -> None:
        self.generator = Slow()
        tier = Tier("primary", self.generator, TIMEOUT_S, POLICY)
        self.rag = HighAvailabilityRAG(FallbackStrategy(generators=[tier]), circuits, clock=clock)
        self.breaker = circuits.breaker("generator.primary")

    @property
    def state(self) -> str:
        return str(self.breaker.state)

    async def query(self) -> str:
        answer = await self.rag.query("How?")
        return str(next(a.outcome for a in answer.attempts if a.circuit == "generator.primary"))

    async def short_deadline(self) -> str:
        answer = await self.rag.query("How?", timeout_s=0.05)
        return str(next(a.outcome for a in answer.attempts if a.circuit == "generator.primary"))

    async def stream(self) -> str:
        done = [event async for event in self.rag.stream("How?")][-1]
        assert isinstance(done, AnswerDone)
        return str(next(a.outcome for a in done.answer.attempts if a.circuit == "generator.primary"))


@asynccontextmanager
async def half_open() -> AsyncIterator[Harness]:
    clock = LoopClock()
    ledger = SlowLedger(clock)
    async with CircuitRegistry(lambda: ledger, replica="r1", clock=clock) as circuits:
        harness = Harness(circuits, clock)
        while harness.state == "closed":
            await harness.query()
            await asyncio.sleep(0.2)
        await asyncio.sleep(TIMEOUT_S + 1.2)
        assert harness.state == "half_open"
        harness.generator.calls.clear()
        yield harness
        await harness.rag.aclose()


@pytest.mark.parametrize("ask", [Harness.query, Harness.short_deadline, Harness.stream])
def test_rare_questions_close_the_circuit_of_a_slow_but_healthy_service(ask: Ask) -> None:
    """No question waits for the probe that it starts."""

    async def scenario() -> None:
        async with half_open() as harness:
            harness.generator.behaviour = None
            for _ in range(POLICY.probe_successes):
                assert await ask(harness) == "rejected"
                await asyncio.sleep(60.0)
            assert harness.state == "closed"

    in_virtual_time(scenario)


def test_a_hanging_service_is_not_called_again_after_one_timeout() -> None:
    async def scenario() -> None:
        async with half_open() as harness:
            harness.generator.behaviour = HANGS
            await harness.query()
            await asyncio.sleep(TIMEOUT_S + 0.2)
            assert harness.state == "open"
            assert len(harness.generator.calls) == 1

    in_virtual_time(scenario)


def test_many_questions_start_only_one_probe() -> None:
    async def scenario() -> None:
        async with half_open() as harness:
            harness.generator.behaviour = None
            assert set(await asyncio.gather(*(harness.query() for _ in range(20)))) == {"rejected"}
            await asyncio.sleep(0.1)
            assert len(harness.generator.calls) == len(harness.rag._pipeline.probes) == 1

    in_virtual_time(scenario)


def test_a_replica_that_stops_before_its_lease_arrives_sends_no_probe() -> None:
    async def scenario() -> None:
        async with half_open() as harness:
            await harness.query()
            await harness.rag.aclose(bound_s=0.01)
            await asyncio.sleep(1.0)
            assert harness.generator.calls == []
            assert len(harness.rag._pipeline.probes) == 0

    in_virtual_time(scenario)
