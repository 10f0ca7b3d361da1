"""A process that has much to do: its own search takes longer, which says nothing about whether it works."""

from __future__ import annotations

import pytest

from ha_rag.breaker.probes import DetachedProbes
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.deadline import Deadline
from ha_rag.errors import ServiceError
from ha_rag.interfaces import Embedder
from ha_rag.messages import ComponentType, Embedding
from ha_rag.strategy.chain import Chain
from ha_rag.strategy.exchange import SingleReply
from ha_rag.strategy.last_resort import zero_like
from ha_rag.strategy.tier import Tier
from ha_rag.testing import ManualRegistry
from tests.strategy.scripted import Scripted

USUAL_S, BUSY_S = 0.01, 0.4


class Timed(Scripted):
    """Takes `took_s` of the registry's time for each call, and fails if `fails`."""

    def __init__(self, circuits: ManualRegistry, *, in_process: bool) -> None:
        super().__init__()
        self.in_process = in_process
        self.took_s, self.fails = USUAL_S, False
        self._circuits = circuits

    async def embed(self, text: str) -> Embedding:
        self._circuits.advance(self.took_s)
        if self.fails:
            raise ServiceError("the disk is gone")
        return await super().embed(text)


class Stage:
    """A chain with one tier, in a registry whose clock only its calls move."""

    def __init__(self, *, in_process: bool, policy: CircuitPolicy | None = None) -> None:
        self.circuits = ManualRegistry()
        self.component = Timed(self.circuits, in_process=in_process)
        self.probes = DetachedProbes()
        self.tier = Tier("only", self.component, timeout_s=1.0, policy=policy).guarded(
            ComponentType.EMBEDDER, self.circuits
        )
        self.chain: Chain[Embedder] = Chain(
            ComponentType.EMBEDDER, (self.tier,), zero_like([self.component]), "zero", self.probes
        )

    async def calls(self, number: int, took_s: float) -> CircuitState:
        """The circuit's state after so many calls that take `took_s`."""
        self.component.took_s = took_s
        for _ in range(number):
            reply = SingleReply[Embedder, Embedding](lambda embedder: embedder.embed("why?"), self.probes)
            await self.chain.run(reply, Deadline.after(30.0, self.circuits.clock), 0.0)
        return self.tier.breaker.state


@pytest.mark.parametrize(("in_process", "after"), [(True, CircuitState.CLOSED), (False, CircuitState.OPEN)])
async def test_slowness_opens_the_circuit_of_a_service_and_not_that_of_work_in_this_process(
    in_process: bool, after: CircuitState
) -> None:
    stage = Stage(in_process=in_process)
    assert await stage.calls(200, USUAL_S) is CircuitState.CLOSED
    assert await stage.calls(60, BUSY_S) is after


async def test_failures_open_the_circuit_of_work_in_this_process_too() -> None:
    stage = Stage(in_process=True)
    await stage.calls(200, USUAL_S)
    stage.component.fails = True
    assert await stage.calls(60, USUAL_S) is CircuitState.OPEN


async def test_a_slow_call_that_was_configured_is_slow_in_this_process_too() -> None:
    stage = Stage(in_process=True, policy=CircuitPolicy(slow_call_s=0.2))
    await stage.calls(200, USUAL_S)
    assert await stage.calls(60, BUSY_S) is CircuitState.OPEN
