"""Redis in trouble and a service down at the same time: whole replicas answer every question, and none waits for Redis.

Invariants 1, 5, 7 and 8 at the level of questions. A wait for Redis would take the 100 ms that it is slow, or the 250
ms that a command may take; a half-open circuit may wait 50 ms for a probe.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.fleet.latency import percentile
from tests.fleet.processes import Fleet, Replica
from tests.fleet.redis_trouble import AWAY, SLOW, Act, Trouble, flush, restart_empty

REST_S = 1.8
PROBE_WAIT_MS = 50
CIRCUIT = "embedder.primary"

IN_TROUBLE = [
    pytest.param(trouble, id=trouble.name, marks=() if trouble.name == "frozen" else pytest.mark.faults)
    for trouble in (*AWAY, SLOW)
]
FORGETTING = [
    pytest.param(flush, id="flushed"),
    pytest.param(restart_empty, id="restarted empty", marks=pytest.mark.faults),
]


class Asked:
    """Questions to every replica, one after another: what was answered, and how long each took."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.answers: list[dict[str, Any]] = []
        self.took_ms: list[float] = []

    async def ask(self, replica: Replica) -> dict[str, Any]:
        began_s = time.monotonic()
        answer = await replica.ask()  # fails where there is none
        self.took_ms.append(1000 * (time.monotonic() - began_s))
        self.answers.append(answer)
        assert answer["answer"]
        return answer

    async def ask_all(self, times: int = 1) -> None:
        for _ in range(times):
            for replica in self._fleet.replicas:
                await self.ask(replica)

    async def ask_until(self, condition: Callable[[list[dict[str, Any]]], bool], within_s: float) -> None:
        """Rounds of questions until what one round answered meets `condition`."""
        async with asyncio.timeout(within_s):
            while True:
                await self.ask_all()
                if condition(self.answers[-len(self._fleet.replicas) :]):
                    return
                await asyncio.sleep(0.02)

    @property
    def p99_ms(self) -> float:
        return percentile(self.took_ms, 0.99)


def refused(answers: list[dict[str, Any]]) -> bool:
    return all(answer["attempts"][0]["outcome"] == "rejected" for answer in answers)


def in_full(answers: list[dict[str, Any]]) -> bool:
    return not degraded(answers)


def degraded(answers: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(answer["replica"], answer["attempts"]) for answer in answers if answer["degraded"]]


async def healthy_ms(fleet: Fleet) -> float:
    asked = Asked(fleet)
    await asked.ask_all(30)
    assert degraded(asked.answers) == []
    return asked.p99_ms


@pytest.mark.parametrize("trouble", IN_TROUBLE)
async def test_a_service_that_fails_while_redis_is_in_trouble_costs_nobody_his_answer_nor_time(
    fleet: Fleet, trouble: Trouble
):
    well_ms = await healthy_ms(fleet)
    await trouble.strike(fleet)
    asked = Asked(fleet)
    await asked.ask_until(lambda answers: {a["shared_state"] for a in answers} == {trouble.state}, within_s=5)
    await fleet.provider.fail("embeddings")
    await asked.ask_until(refused, within_s=5)
    assert {answer["served_by"]["embedder"] for answer in asked.answers[-3:]} == {"secondary"}

    received = await fleet.provider.calls("embeddings")
    await asked.ask_all(5)
    assert await fleet.provider.calls("embeddings") == received, "each replica spares it, with or without Redis"

    await fleet.provider.mend()
    await asked.ask_until(in_full, within_s=3 * REST_S + 5)
    assert {answer["shared_state"] for answer in asked.answers[-3:]} == {trouble.state}
    print({"healthy p99 ms": well_ms, "p99 ms": asked.p99_ms, "max ms": max(asked.took_ms)})
    assert asked.p99_ms < 3 * well_ms + 20 + PROBE_WAIT_MS

    await trouble.recover(fleet)
    await fleet.until_shared(within_s=5)
    await asked.ask_until(lambda answers: in_full(answers) and {a["shared_state"] for a in answers} == {"fresh"}, 10)


@pytest.mark.parametrize("trouble", IN_TROUBLE)
async def test_redis_in_trouble_while_a_circuit_is_open_ends_no_rest_early_and_keeps_none_for_ever(
    fleet: Fleet, trouble: Trouble
):
    well_ms = await healthy_ms(fleet)
    asked = Asked(fleet)
    await fleet.provider.fail("embeddings")
    await asked.ask_until(refused, within_s=5)
    opened_s = time.monotonic()
    received = await fleet.provider.calls("embeddings")
    await trouble.strike(fleet)
    await fleet.provider.mend()
    ends_s = opened_s + ((await fleet.replicas[0].circuit(CIRCUIT))["recovers_in_s"] or 0.0)
    while time.monotonic() < ends_s - 0.5:
        await asked.ask_all()
        assert refused(asked.answers[-3:])
    assert await fleet.provider.calls("embeddings") == received
    await asked.ask_until(in_full, within_s=3 * REST_S + 5)
    print({"healthy p99 ms": well_ms, "p99 ms": asked.p99_ms, "max ms": max(asked.took_ms)})
    assert asked.p99_ms < 3 * well_ms + 20 + PROBE_WAIT_MS
    await trouble.recover(fleet)
    await fleet.until_shared(within_s=5)
    await asked.ask_until(lambda answers: in_full(answers) and {a["shared_state"] for a in answers} == {"fresh"}, 10)


@pytest.mark.parametrize("forget", FORGETTING)
async def test_redis_that_forgets_an_open_circuit_loses_no_question_and_spares_the_service_to_the_end_of_the_rest(
    fleet: Fleet, forget: Act
):
    asked = Asked(fleet)
    await fleet.provider.fail("embeddings")
    await asked.ask_until(refused, within_s=5)
    seen = await fleet.replicas[0].circuit(CIRCUIT)
    ends_s = time.monotonic() + seen["recovers_in_s"]
    received = await fleet.provider.calls("embeddings")
    await forget(fleet)
    while time.monotonic() < ends_s - 0.3:
        await asked.ask_all()
        assert refused(asked.answers[-3:])
    assert await fleet.provider.calls("embeddings") == received
    await fleet.provider.mend()
    await asked.ask_until(in_full, within_s=2 * REST_S + 5)
    await fleet.until_shared(within_s=5)
    assert (await fleet.replicas[0].circuit(CIRCUIT))["epoch"] > seen["epoch"]


@pytest.mark.parametrize("forget", FORGETTING)
async def test_redis_that_forgets_a_half_open_circuit_loses_no_question_and_closes_it_by_a_probe_only(
    fleet: Fleet, forget: Act
):
    asked = Asked(fleet)
    await fleet.provider.fail("embeddings")
    await asked.ask_until(refused, within_s=5)
    epoch = (await fleet.replicas[0].circuit(CIRCUIT))["epoch"]
    await fleet.until_all("half_open", CIRCUIT, within_s=5)
    received = await fleet.provider.calls("embeddings")
    await forget(fleet)
    ends_s = time.monotonic() + 2 * REST_S
    while time.monotonic() < ends_s:
        await asked.ask_all()
        assert {answer["served_by"]["embedder"] for answer in asked.answers[-3:]} == {"secondary"}
    assert await fleet.provider.calls("embeddings") - received <= 3, "probes only"
    await fleet.provider.mend()
    await asked.ask_until(in_full, within_s=2 * REST_S + 5)
    await fleet.until_shared(within_s=5)
    assert (await fleet.replicas[0].circuit(CIRCUIT))["epoch"] > epoch
