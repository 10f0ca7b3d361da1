"""The system with real local circuits: they open, probe and close while every question is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import CircuitReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import ServiceError, ThrottledError
from ha_rag.events import CircuitChanged, Event
from ha_rag.messages import Answer
from ha_rag.strategy import FallbackStrategy, Tier
from ha_rag.strategy.streaming import AnswerDone
from ha_rag.system import HighAvailabilityRAG, StreamEvent
from tests.strategy.scripted import HANGS, Scripted, ScriptedStream
from tests.strategy.virtual_time import LoopClock, in_virtual_time

POLICY = CircuitPolicy(min_samples=5, recovery_timeout_s=10.0, probe_successes=2)
DOWN = ServiceError("down", status=500)


class Harness:
    """A RAG whose primary embedder behaves as `behaviour` currently says."""

    def __init__(self) -> None:
        self.behaviour: Any = None
        self.primary = Scripted((self._behave,))
        self.events: list[Event] = []
        clock = LoopClock()
        self.circuits = CircuitRegistry.connect(clock=clock, replica="rag-1", sinks=[self.events.append])
        strategy = FallbackStrategy(
            embedders=[Tier("primary", self.primary, timeout_s=1.0, policy=POLICY), Tier("secondary", Scripted())],
            retrievers=[Scripted()],
            generators=[Scripted()],
        )
        self.rag = HighAvailabilityRAG(strategy, self.circuits, clock=clock)

    async def _behave(self) -> Any:
        if self.behaviour == HANGS:
            await asyncio.Event().wait()
        if self.behaviour is not None:
            raise self.behaviour
        return await Scripted().embed("")

    async def ask(self, times: int = 1, timeout_s: float = 30.0) -> list[Answer]:
        return [await self.rag.query("How?", timeout_s=timeout_s) for _ in range(times)]

    async def cancel(self, times: int, after_s: float) -> None:
        for _ in range(times):
            task = asyncio.create_task(self.rag.query("How?"))
            await asyncio.sleep(after_s)
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()

    @property
    def report(self) -> CircuitReport:
        return next(report for report in self.circuits.snapshot() if report.name == "embedder.primary")

    @property
    def state(self) -> str:
        return str(self.report.state)

    def moves(self) -> list[tuple[str, str]]:
        return [(event.from_state, event.to_state) for event in self.events if isinstance(event, CircuitChanged)]


def test_failures_open_the_circuit_and_while_it_is_open_the_service_is_not_called() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = DOWN
        answers = await harness.ask(times=8)
        assert all(answer.text and answer.served_by["embedder"] == "secondary" for answer in answers)
        assert [str(answer.attempts[0].outcome) for answer in answers] == ["failed"] * 5 + ["rejected"] * 3
        assert answers[-1].attempts[0].state == "open"
        assert len(harness.primary.calls) == 5
        assert harness.rag.get_system_health()["embedder.primary"].state == "open"

    in_virtual_time(scenario)


def test_after_the_service_recovers_the_circuit_closes_by_itself() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = DOWN
        await harness.ask(times=5)
        harness.behaviour = None
        await asyncio.sleep(12.0)
        answers = await harness.ask(times=3)
        assert [answer.served_by["embedder"] for answer in answers] == ["primary"] * 3
        assert harness.state == "closed"
        assert (harness.moves()[0], harness.moves()[-1]) == (("closed", "open"), ("half_open", "closed"))

    in_virtual_time(scenario)


def test_a_failed_probe_opens_it_again_and_the_question_is_answered() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = DOWN
        await harness.ask(times=5)
        await asyncio.sleep(12.0)
        (answer,) = await harness.ask()
        assert (answer.attempts[0].outcome, answer.attempts[0].state) == ("failed", "half_open")
        assert answer.served_by["embedder"] == "secondary"
        assert harness.state == "open"

    in_virtual_time(scenario)


def test_while_half_open_only_one_of_many_concurrent_questions_probes() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = DOWN
        await harness.ask(times=5)
        harness.behaviour = HANGS
        await asyncio.sleep(12.0)
        answers = await asyncio.gather(*(harness.rag.query("How?") for _ in range(50)))
        assert all(answer.served_by["embedder"] == "secondary" for answer in answers)
        assert len(harness.primary.calls) == 6

    in_virtual_time(scenario)


def test_throttling_opens_the_circuit_at_once_for_the_requested_time() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = ThrottledError("slow down", retry_after_s=20.0)
        await harness.ask()
        harness.behaviour = None
        await asyncio.sleep(19.0)
        (during,) = await harness.ask()
        assert str(during.attempts[0].outcome) == "rejected"
        await asyncio.sleep(4.0)
        (after,) = await harness.ask()
        assert after.served_by["embedder"] == "primary"

    in_virtual_time(scenario)


def test_a_thousand_cancelled_calls_are_not_counted() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = HANGS
        await harness.cancel(times=1000, after_s=0.01)
        assert harness.state == "closed"
        assert harness.report.samples == 0
        assert harness.rag.get_system_health()["embedder.primary"].failures == 0

    in_virtual_time(scenario)


def test_calls_cancelled_after_half_of_the_timeout_open_the_circuit() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = HANGS
        await harness.cancel(times=5, after_s=0.6)
        assert harness.state == "open"

    in_virtual_time(scenario)


@pytest.mark.parametrize("behaviour", [None, HANGS])
def test_a_thousand_short_deadlines_do_not_open_the_circuit(behaviour: Any) -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = behaviour
        answers = await harness.ask(times=1000, timeout_s=0.01)
        assert all(answer.ms <= 10.001 for answer in answers)
        assert harness.state == "closed"

    in_virtual_time(scenario)


def test_a_thousand_short_deadlines_do_not_hide_a_hanging_service() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = HANGS
        short_deadline = asyncio.create_task(harness.ask(times=1000, timeout_s=0.01))
        await asyncio.gather(*(harness.rag.query("How?") for _ in range(5)))
        assert harness.state == "open"
        await short_deadline

    in_virtual_time(scenario)


def test_the_circuit_closes_even_if_all_callers_have_short_deadlines() -> None:
    """A probe runs to completion, however little time the question that started it had."""

    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = DOWN
        await harness.ask(times=5)
        harness.behaviour = None
        await asyncio.sleep(12.0)
        await harness.ask(times=6, timeout_s=0.01)
        assert harness.state == "closed"

    in_virtual_time(scenario)


def test_a_probe_outlives_its_cancelled_caller_and_counts() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.behaviour = DOWN
        await harness.ask(times=5)
        harness.behaviour = HANGS
        await asyncio.sleep(12.0)
        await harness.cancel(times=1, after_s=0.1)
        assert harness.state == "half_open"
        await asyncio.sleep(1.0)
        assert harness.state == "open"

    in_virtual_time(scenario)


def test_a_generator_that_streams_for_longer_than_a_lease_closes_its_circuit_without_broken_answers() -> None:
    """A lease lasts 1.5 s here, the answer 3 s, and no piece of it takes longer than 0.15 s."""

    async def scenario() -> None:
        generator = ScriptedStream((DOWN,))
        tier = Tier("primary", generator, timeout_s=0.5, policy=POLICY)
        clock = LoopClock()
        circuits = CircuitRegistry.connect(clock=clock, replica="rag-1")
        rag = HighAvailabilityRAG(FallbackStrategy(generators=[tier]), circuits, clock=clock)

        async def ask() -> StreamEvent:
            return [event async for event in rag.stream("How?")][-1]

        for _ in range(5):
            await ask()
        assert circuits.breaker("generator.primary").state == "open"
        generator.script = ("word ", 0.15) * 20
        await asyncio.sleep(12.0)
        for _ in range(2):
            assert isinstance(await ask(), AnswerDone)
        assert circuits.breaker("generator.primary").state == "closed"

    in_virtual_time(scenario)


def test_without_a_registry_the_system_creates_local_circuits() -> None:
    async def scenario() -> Answer:
        rag = HighAvailabilityRAG(FallbackStrategy(embedders=[Scripted()]), clock=LoopClock(), replica="alone")
        return await rag.query("How?")

    answer = in_virtual_time(scenario)
    assert (answer.shared_state, answer.replica) == ("local", "alone")
