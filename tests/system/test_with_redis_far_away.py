"""With Redis 100 ms away no question waits for the grant of a probe: it comes when the question has gone on."""

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
WELL_S = 0.95 * TIMEOUT_S
"""How long the service takes when it is well."""

Ask = Callable[["House"], Awaitable[str]]


class FarAway(MemoryLedger):
    async def lease(self, *asked: Any) -> Reply:
        await asyncio.sleep(0.1)
        return await super().lease(*asked)


class Slow(Scripted):
    """A generator that takes its time: before the answer, or before each of three pieces."""

    behaviour: Any = DOWN

    async def _behave(self) -> None:
        self.calls.append(())
        if self.behaviour == HANGS:
            await asyncio.Event().wait()
        if self.behaviour is not None:
            raise self.behaviour
        await asyncio.sleep(WELL_S)

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        await self._behave()
        return Generation("It waits.", ())

    async def stream(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[str]:
        for piece in ("It ", "waits", "."):
            await self._behave()
            yield piece


class House:
    """One question's house around a generator whose circuit is half-open."""

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

    async def hurried(self) -> str:
        answer = await self.rag.query("How?", timeout_s=0.05)
        return str(next(a.outcome for a in answer.attempts if a.circuit == "generator.primary"))

    async def stream(self) -> str:
        done = [event async for event in self.rag.stream("How?")][-1]
        assert isinstance(done, AnswerDone)
        return str(next(a.outcome for a in done.answer.attempts if a.circuit == "generator.primary"))


@asynccontextmanager
async def half_open() -> AsyncIterator[House]:
    clock = LoopClock()
    ledger = FarAway(clock)
    async with CircuitRegistry(lambda: ledger, replica="r1", clock=clock) as circuits:
        house = House(circuits, clock)
        while house.state == "closed":
            await house.query()
            await asyncio.sleep(0.2)
        await asyncio.sleep(TIMEOUT_S + 1.2)
        assert house.state == "half_open"
        house.generator.calls.clear()
        yield house
        await house.rag.aclose()


@pytest.mark.parametrize("ask", [House.query, House.hurried, House.stream])
def test_questions_that_come_seldom_close_the_circuit_of_a_slow_but_healthy_service(ask: Ask) -> None:
    """None of them waits for the probe that it set off."""

    async def scenario() -> None:
        async with half_open() as house:
            house.generator.behaviour = None
            for _ in range(POLICY.probe_successes):
                assert await ask(house) == "rejected"
                await asyncio.sleep(60.0)
            assert house.state == "closed"

    in_virtual_time(scenario)


def test_a_service_that_hangs_is_left_alone_again_after_one_timeout() -> None:
    async def scenario() -> None:
        async with half_open() as house:
            house.generator.behaviour = HANGS
            await house.query()
            await asyncio.sleep(TIMEOUT_S + 0.2)
            assert house.state == "open"
            assert len(house.generator.calls) == 1

    in_virtual_time(scenario)


def test_of_many_questions_one_leaves_its_probe_behind() -> None:
    async def scenario() -> None:
        async with half_open() as house:
            house.generator.behaviour = None
            assert set(await asyncio.gather(*(house.query() for _ in range(20)))) == {"rejected"}
            await asyncio.sleep(0.1)
            assert len(house.generator.calls) == len(house.rag._pipeline.probes) == 1

    in_virtual_time(scenario)


def test_a_replica_that_stops_while_a_grant_is_on_its_way_probes_no_more() -> None:
    async def scenario() -> None:
        async with half_open() as house:
            await house.query()
            await house.rag.aclose(bound_s=0.01)
            await asyncio.sleep(1.0)
            assert house.generator.calls == []
            assert len(house.rag._pipeline.probes) == 0

    in_virtual_time(scenario)
