"""Whatever fails, hangs or is refused: an answer within the deadline, and correct attempts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import InvalidRequestError, MalformedReplyError, ServiceError, ServiceTimeoutError, ThrottledError
from ha_rag.messages import Answer
from ha_rag.outcomes import Outcome
from tests.strategy.scripted import HANGS, Scripted
from tests.strategy.virtual_time import in_virtual_time
from tests.system.rag import Bench

STAGES = ("embedder", "retriever", "generator")
LAST = {"embedder": "zero", "retriever": "none", "generator": "plain"}
FAILURES: dict[str, Any] = {
    "healthy": None,
    "hangs": HANGS,
    "down": ServiceError("down", status=503),
    "throttled": ThrottledError("slow down", retry_after_s=1.0),
    "invalid": InvalidRequestError("no", status=400),
    "malformed": MalformedReplyError("half a JSON"),
    "late": ServiceTimeoutError("late"),
    "bug": ZeroDivisionError("a bug"),
    "wrong type": lambda: "not a reply",
}
RAISED = {"down": "failed", "throttled": "throttled", "invalid": "invalid", "late": "timeout"}
CIRCUITS = ("closed", "open", "half_open", "probing")

tiers = st.lists(st.tuples(st.sampled_from(sorted(FAILURES)), st.sampled_from(CIRCUITS)), max_size=3)
stage_plans = st.fixed_dictionaries(dict.fromkeys(STAGES, tiers))


def build(plan: dict[str, list[tuple[str, str]]]) -> Bench:
    components: dict[str, Any] = {
        f"{stage}s": [Scripted((FAILURES[behaviour],)) for behaviour, _ in listed] for stage, listed in plan.items()
    }
    bench = Bench(**components)
    for stage, listed in plan.items():
        for n, (_, circuit) in enumerate(listed, 1):
            breaker = bench.circuits[f"{stage}.t{n}"]
            breaker.probing = circuit == "probing"
            breaker.state = CircuitState("half_open" if circuit == "probing" else circuit)
    return bench


def check_stage(stage: str, listed: list[tuple[str, str]], answer: Answer, bench: Bench) -> None:
    attempts = [attempt for attempt in answer.attempts if attempt.circuit.startswith(stage)]
    assert attempts[-1].circuit == f"{stage}.{answer.served_by[stage]}"
    assert attempts[-1].outcome is Outcome.OK
    assert [attempt.circuit for attempt in attempts[:-1]] == [f"{stage}.t{n}" for n in range(1, len(attempts))]
    for attempt, (behaviour, circuit) in zip(attempts, listed, strict=False):
        breaker = bench.circuits[attempt.circuit]
        sent = attempt.outcome not in {Outcome.REJECTED, Outcome.SKIPPED}
        assert sent == bool(breaker.recorders)
        if attempt.outcome is Outcome.REJECTED:
            assert circuit in {"open", "half_open"}
        elif sent and circuit == "closed":
            assert breaker.reported == [attempt.outcome]
        if sent and behaviour == "healthy":
            assert attempt.outcome is Outcome.OK
        elif sent and behaviour == "hangs":
            assert attempt.outcome in {Outcome.TIMEOUT, Outcome.CANCELLED}
        elif sent:
            assert attempt.outcome == RAISED.get(behaviour, "failed")


@settings(max_examples=150, deadline=None)
@given(plan=stage_plans, timeout_s=st.floats(0.01, 30.0))
def test_an_answer_arrives_within_the_deadline_and_its_attempts_are_correct(
    plan: dict[str, list[tuple[str, str]]], timeout_s: float
) -> None:
    bench = build(plan)
    answer = in_virtual_time(lambda: bench.rag.query("How?", timeout_s=timeout_s))
    assert answer.text
    assert answer.ms <= 1000 * timeout_s + 0.01
    assert set(answer.served_by) == set(STAGES)
    for stage, listed in plan.items():
        check_stage(stage, listed, answer, bench)
        first = "t1" if listed else LAST[stage]
        assert (stage in answer.degraded_stages) == (answer.served_by[stage] != first)


@pytest.mark.parametrize("timeout_s", [0.01, 0.3])
def test_calls_cut_short_by_a_thousand_short_deadlines_are_not_counted(timeout_s: float) -> None:
    bench = Bench(embedders=[Scripted((HANGS,))])

    async def scenario() -> None:
        for _ in range(1000):
            await bench.rag.query("How?", timeout_s=timeout_s)

    in_virtual_time(scenario)
    assert bench.circuits["embedder.t1"].reported == [Outcome.CANCELLED] * 1000


@settings(max_examples=150, deadline=None)
@given(plan=stage_plans, cancel_after_s=st.floats(0.0, 8.0), streams=st.booleans())
def test_cancelling_at_any_moment_settles_every_permit_once(
    plan: dict[str, list[tuple[str, str]]], cancel_after_s: float, streams: bool
) -> None:
    bench = build(plan)

    async def work() -> None:
        if streams:
            async for _ in bench.rag.stream("How?"):
                pass
        else:
            await bench.rag.query("How?")

    async def scenario() -> None:
        task = asyncio.create_task(work())
        await asyncio.wait({task}, timeout=cancel_after_s)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled() or task.exception() is None
        await bench.rag.aclose(bound_s=2.0)

    in_virtual_time(scenario)
    for breaker in bench.circuits.breakers.values():
        assert [len(recorder.reported) for recorder in breaker.recorders] == [1] * len(breaker.recorders)
