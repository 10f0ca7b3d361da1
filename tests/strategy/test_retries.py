"""Retries: only of transient errors, only while the circuit is closed, and never beyond the budget."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.breaker.probes import DetachedProbes
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.deadline import Deadline
from ha_rag.errors import (
    ConfigurationError,
    InvalidRequestError,
    MalformedReplyError,
    ServiceError,
    ServiceTimeoutError,
    ThrottledError,
)
from ha_rag.interfaces import Embedder, Generator
from ha_rag.messages import ComponentType, Embedding
from ha_rag.outcomes import Outcome
from ha_rag.strategy.chain import Chain, Served
from ha_rag.strategy.exchange import SingleReply
from ha_rag.strategy.last_resort import plain_sentence, zero_like
from ha_rag.strategy.retries import BURST_S, MAX_PAUSE_S, RetryBudget, pause_s
from ha_rag.strategy.streaming import FirstPiece
from ha_rag.strategy.tier import Tier
from tests.strategy.scripted import HANGS, Scripted, ScriptedCircuits, ScriptedStream
from tests.strategy.virtual_time import LoopClock, in_virtual_time

CLOCK = LoopClock()
DOWN = ServiceError("HTTP 503", status=503)
POLICY = CircuitPolicy(retries=2, retry_budget=0.2, retry_budget_per_s=10.0)


class Bench:
    """One embedder with retries, and a second one as its fallback."""

    def __init__(self, *script: Any, policy: CircuitPolicy = POLICY) -> None:
        self.first, self.second = Scripted(script), Scripted()
        self.circuits = ScriptedCircuits()
        tiers = (Tier("first", self.first, 1.0, policy), Tier("second", self.second, 1.0))
        guarded = tuple(tier.guarded(ComponentType.EMBEDDER, self.circuits) for tier in tiers)
        last = zero_like([self.first])
        self.probes = DetachedProbes()
        self.chain: Chain[Embedder] = Chain(ComponentType.EMBEDDER, guarded, last, "zero", self.probes)

    @property
    def breaker(self):
        return self.circuits["embedder.first"]

    async def run(self, allowed_s: float = 30.0) -> Served[Embedding]:
        return await self.chain.run(
            SingleReply(lambda c: c.embed("why?"), self.probes), Deadline.after(allowed_s, CLOCK)
        )


def outcomes(served: Served[Any]) -> list[tuple[str, str]]:
    return [(attempt.circuit.partition(".")[2], str(attempt.outcome)) for attempt in served.attempts]


def test_a_transient_failure_is_retried_and_each_try_is_recorded_and_counted() -> None:
    bench = Bench(DOWN, None)
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", "failed"), ("first", "ok")]
    assert bench.breaker.reported == [Outcome.FAILED, Outcome.OK]
    assert bench.second.calls == []


def test_without_retries_in_the_policy_the_next_tier_is_called_at_once() -> None:
    served = in_virtual_time(Bench(DOWN, None, policy=CircuitPolicy()).run)
    assert outcomes(served) == [("first", "failed"), ("second", "ok")]


def test_after_the_retries_of_the_policy_the_next_tier_is_called() -> None:
    served = in_virtual_time(Bench(DOWN).run)
    assert outcomes(served) == [("first", "failed")] * 3 + [("second", "ok")]


@pytest.mark.parametrize(
    "error",
    [ServiceError("lost"), ServiceError("HTTP 500", status=500), ConnectionResetError("lost")],
    ids=["no connection", "500", "a custom component"],
)
def test_transient_errors_are_retried(error) -> None:
    served = in_virtual_time(Bench(error, None).run)
    assert outcomes(served)[-1] == ("first", "ok")


@pytest.mark.parametrize(
    "error",
    [
        ServiceError("HTTP 401", status=401),
        ServiceError("HTTP 404", status=404),
        ThrottledError("slow down", retry_after_s=1.0, status=429),
        InvalidRequestError("no", status=400),
        ServiceTimeoutError("late"),
        MalformedReplyError("HTML"),
        ValueError("a bug"),
        HANGS,
    ],
    ids=["401", "404", "429", "400", "a timeout", "garbage", "a bug", "hangs"],
)
def test_permanent_errors_are_not_retried(error) -> None:
    served = in_virtual_time(Bench(error, None).run)
    assert [name for name, _ in outcomes(served)] == ["first", "second"]


@pytest.mark.parametrize("state", [CircuitState.OPEN, CircuitState.HALF_OPEN])
def test_there_is_no_retry_unless_the_circuit_is_closed(state) -> None:
    bench = Bench(DOWN)

    def fails_and_opens() -> None:
        bench.breaker.state = state
        raise DOWN

    bench.first.script = (fails_and_opens,)
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", "failed"), ("second", "ok")]
    assert bench.breaker.asked == 1


def test_a_probe_is_not_retried() -> None:
    bench = Bench(DOWN)
    bench.breaker.state, bench.breaker.probing = CircuitState.HALF_OPEN, True
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", "failed"), ("second", "ok")]


def test_there_is_no_retry_without_enough_time_left() -> None:
    bench = Bench(DOWN)

    async def little_time_left() -> Served[Embedding]:
        def slow_failure() -> None:
            CLOCK.busy(0.95)
            raise DOWN

        bench.first.script = (slow_failure,)
        return await bench.run(allowed_s=1.0)

    served = in_virtual_time(little_time_left)
    assert [name for name, _ in outcomes(served)].count("first") == 1


def test_if_all_calls_fail_only_the_budgets_share_is_retried() -> None:
    bench = Bench(DOWN, policy=CircuitPolicy(retries=1, retry_budget=0.2, retry_budget_per_s=0.0))

    async def ask_500_times() -> None:
        for _ in range(500):
            await bench.run()

    in_virtual_time(ask_500_times)
    assert 590 <= len(bench.first.calls) <= 601


def test_a_stream_is_retried_only_before_its_first_piece() -> None:
    def served_by(*script: Any) -> tuple[list[tuple[str, str]], int]:
        stream = ScriptedStream(script)
        tier = Tier("first", stream, 1.0, POLICY).guarded(ComponentType.GENERATOR, ScriptedCircuits())
        probes = DetachedProbes()
        chain: Chain[Generator] = Chain(ComponentType.GENERATOR, (tier,), plain_sentence(), "plain", probes)

        async def run() -> Served[Any]:
            deadline = Deadline.after(30.0, CLOCK)

            served = await chain.run(FirstPiece("why?", [], probes), deadline)
            opened = served.reply
            while await opened.next(deadline) is not None:
                pass
            await opened.aclose()
            return served

        return outcomes(in_virtual_time(run)), len(stream.calls)

    assert served_by(DOWN) == ([("first", "failed")] * 3 + [("plain", "ok")], 3)
    assert served_by("a piece", DOWN)[1] == 1


@given(
    share=st.floats(0, 1),
    per_s=st.floats(0, 5),
    steps=st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=200),
)
def test_retries_never_exceed_the_budget(share, per_s, steps) -> None:
    budget, now_s, calls, retries = RetryBudget(share, per_s), 0.0, 0, 0
    for pause, asks in steps:
        now_s += pause
        budget.called(now_s)
        calls += 1
        retries += asks and budget.take(now_s)
    assert retries <= share * calls + per_s * (now_s + BURST_S) + 1e-6


def test_an_unused_budget_is_capped() -> None:
    budget = RetryBudget(0.2, 1.0)
    for n in range(10_000):
        budget.called(float(n))
    assert sum(budget.take(10_000.0) for _ in range(100)) == 10


def test_retry_pauses_vary_and_are_bounded() -> None:
    pauses = [pause_s(retry) for retry in (1, 2, 5, 10) for _ in range(50)]
    assert len(set(pauses)) > 100
    assert 0 <= min(pauses) <= max(pauses) <= MAX_PAUSE_S


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retries": -1}, "retries = -1: must be a whole number from 0 to 10"),
        ({"retries": 1.5}, "retries = 1.5: must be a whole number"),
        ({"retry_budget": 20}, "retry_budget = 20: must be between 0 and 1"),
        ({"retry_budget_per_s": -1}, "retry_budget_per_s = -1: must be at least 0"),
    ],
)
def test_an_invalid_budget_is_refused_by_name(settings, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CircuitPolicy(**settings)


def test_cancelling_the_caller_cancels_its_retry() -> None:
    bench = Bench(DOWN, HANGS)

    async def cancel() -> int:
        task = asyncio.create_task(bench.run())
        while len(bench.first.calls) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return len(bench.first.calls)

    assert in_virtual_time(cancel) == 2
