"""Redis in trouble and a service down at the same time: whole replicas answer every question, and none waits for Redis.

Invariants 1, 5, 7 and 8 at the level of questions. Which call waited for what, each by itself, is a crew's to tell
(`test_redis_fails.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import redis

from tests.fleet.latency import assert_as_fast
from tests.fleet.processes import Fleet, Replica
from tests.fleet.reader import CIRCUIT, Reader
from tests.fleet.redis_trouble import AWAY, SLOW, Act, Trouble, flush, restart_empty
from tests.waiting import until

REST_S = 1.8
LONG_REST_S = 5.0
"""A rest that the service asks for itself: the circuits' own one is too short to see what ends it early."""
EDGE_S = 0.2
"""So long before its end a rest is watched: after that a busy machine may take a probe for an early one."""

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
        with self._fleet.timed(replica, self.took_ms):
            answer = await replica.ask()  # fails where there is none
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

    async def rest_refused(self, received: int, until_s: float) -> None:
        """Until then (monotonic seconds) every question is refused by the circuit, which spares the service."""
        while time.monotonic() < until_s:
            await self.ask_all()
            assert refused(self.answers[-len(self._fleet.replicas) :])
        assert await self._fleet.provider.calls("embeddings") == received


def refused(answers: list[dict[str, Any]]) -> bool:
    return all(answer["attempts"][0]["outcome"] == "rejected" for answer in answers)


def in_full(answers: list[dict[str, Any]]) -> bool:
    return not degraded(answers)


def degraded(answers: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(answer["replica"], answer["attempts"]) for answer in answers if answer["degraded"]]


async def healthy_ms(fleet: Fleet) -> list[float]:
    """How long questions take while all is well."""
    asked = Asked(fleet)
    await asked.ask_all(30)
    assert degraded(asked.answers) == []
    return asked.took_ms


async def pause_requested(fleet: Fleet, asked: Asked) -> tuple[float, int]:
    """The service has asked for a rest, and every replica keeps it. Answers until when (monotonic seconds), and what it
    has received."""
    await fleet.provider.fail("embeddings", "throttle", retry_after_s=LONG_REST_S)
    await asked.ask_until(refused, within_s=2)
    with redis.Redis.from_url(fleet.redis.url) as client:
        now_s = time.monotonic()
        ends_s = now_s + client.pttl(f"test:{{{CIRCUIT}}}:open") / 1000
    assert ends_s > now_s + LONG_REST_S - 2
    return ends_s, await fleet.provider.calls("embeddings")


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
    assert_as_fast(asked.took_ms, well_ms, asked.answers)

    await trouble.recover(fleet)
    await fleet.until_shared(within_s=5)
    await asked.ask_until(lambda answers: in_full(answers) and {a["shared_state"] for a in answers} == {"fresh"}, 10)


@pytest.mark.parametrize("trouble", IN_TROUBLE)
async def test_redis_in_trouble_while_a_circuit_is_open_ends_no_rest_early_and_keeps_none_for_ever(
    fleet: Fleet, trouble: Trouble
):
    well_ms = await healthy_ms(fleet)
    asked = Asked(fleet)
    ends_s, received = await pause_requested(fleet, asked)
    await trouble.strike(fleet)
    await fleet.provider.mend()
    await asked.rest_refused(received, ends_s - EDGE_S)
    await asked.ask_until(in_full, within_s=3 * REST_S + 5)
    assert_as_fast(asked.took_ms, well_ms, asked.answers)
    await trouble.recover(fleet)
    await fleet.until_shared(within_s=5)  # without a question
    await asked.ask_until(lambda answers: in_full(answers) and {a["shared_state"] for a in answers} == {"fresh"}, 10)


@pytest.mark.parametrize("forget", FORGETTING)
async def test_redis_that_forgets_an_open_circuit_loses_no_question_and_spares_the_service_to_the_end_of_the_rest(
    fleet: Fleet, forget: Act
):
    asked = Asked(fleet)
    ends_s, received = await pause_requested(fleet, asked)
    epoch = (await fleet.replicas[0].circuit(CIRCUIT))["epoch"]
    await forget(fleet)
    await fleet.provider.mend()
    await asked.rest_refused(received, ends_s - EDGE_S)
    await asked.ask_until(in_full, within_s=2 * REST_S + 5)
    await fleet.until_shared(within_s=5)
    assert (await fleet.replicas[0].circuit(CIRCUIT))["epoch"] > epoch


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
    async with AsyncExitStack() as stack:
        told = [await stack.enter_async_context(Reader(replica)) for replica in fleet.replicas]
        await forget(fleet)
        ends_s = time.monotonic() + 2 * REST_S
        while time.monotonic() < ends_s:
            await asked.ask_all()
            assert {answer["served_by"]["embedder"] for answer in asked.answers[-3:]} == {"secondary"}
        assert [one.changes for one in told if "closed" in (after for _, after in one.changes)] == []
        probes = await fleet.provider.calls("embeddings") - received
        assert probes <= 2 + sum(one.losses for one in told), "one a rest, and one by each replica that decided alone"
        await fleet.provider.mend()
        await asked.ask_until(in_full, within_s=2 * REST_S + 5)
        await until(lambda: all(one.changes[-1][1] == "closed" for one in told))
    await fleet.until_shared(within_s=5)
    assert (await fleet.replicas[0].circuit(CIRCUIT))["epoch"] > epoch
