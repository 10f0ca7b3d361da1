"""A service fails in every way that services fail: replicas answer all the same, spare it, and take it up again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fleet.processes import Fleet

REST_S = 1.8
TIMEOUT_S = 0.8
MIN_SAMPLES = 3
"""Of the embedder and of the generator (processes.py)."""


@dataclass(frozen=True)
class Fault:
    """How the provider fails. `outcome`: what an attempt is said to have come to. `reason`: why the circuit opened."""

    name: str
    outcome: str
    mode: dict[str, Any]
    reason: str = " failed, 0 slow"
    targets: tuple[str, ...] = ("embeddings", "chat")
    marks: tuple[Any, ...] = field(default=(pytest.mark.faults,))


FAULTS = [
    Fault("errors", "failed", {"mode": "error"}, marks=()),
    Fault("errors of the key", "failed", {"mode": "error", "status": 401}),
    Fault("latency beyond the timeout", "timeout", {"mode": "slow", "delay_s": 2.0}),
    Fault("a hang", "timeout", {"mode": "hang"}, marks=()),
    Fault("a rest that is asked for", "throttled", {"mode": "throttle", "retry_after_s": 2.0}, "asked for a rest"),
    Fault(
        "503 with a time", "throttled", {"mode": "throttle", "status": 503, "retry_after_s": 2.0}, "asked for a rest"
    ),
    Fault("429 without a time", "throttled", {"mode": "throttle", "retry_after_s": 0}, "asked for a rest"),
    Fault("connections reset", "failed", {"mode": "reset"}),
    Fault("HTML", "failed", {"mode": "garbage", "kind": "html"}),
    Fault("half a JSON", "failed", {"mode": "garbage", "kind": "half"}),
    Fault("nothing in it", "failed", {"mode": "garbage", "kind": "empty"}),
    Fault("NaN", "failed", {"mode": "garbage", "kind": "nan"}, targets=("embeddings",)),
    Fault("another width", "failed", {"mode": "garbage", "kind": "dimension"}, targets=("embeddings",)),
    Fault("replies cut off", "failed", {"mode": "truncate"}),
]
CIRCUITS = {
    "embeddings": ("embedder.primary", "embedder", "secondary"),
    "chat": ("generator.primary", "generator", "extractive"),
}
CASES = [
    pytest.param(fault, target, id=f"{fault.name}-{target}", marks=fault.marks)
    for fault in FAULTS
    for target in fault.targets
]


@pytest.mark.parametrize(("fault", "target"), CASES)
async def test_however_a_service_fails_every_question_is_answered_and_the_fleet_spares_it_until_it_is_back(
    fleet: Fleet, fault: Fault, target: str
):
    circuit, stage, stand_in = CIRCUITS[target]
    await fleet.provider.fail(target, **fault.mode)
    answers = [await fleet.replicas[0].ask() for _ in range(1 if fault.outcome == "throttled" else 3)]
    assert [answer["served_by"][stage] for answer in answers] == [stand_in] * len(answers)
    first = next(attempt for attempt in answers[0]["attempts"] if attempt["circuit"] == circuit)
    assert first["outcome"] == fault.outcome
    await fleet.until_all("open", circuit, within_s=1)
    assert fault.reason in (await fleet.replicas[1].circuit(circuit))["reason"]

    received = await fleet.provider.calls(target)
    began_s = time.monotonic()
    answers = [await replica.ask() for replica in fleet.replicas]
    assert time.monotonic() - began_s < TIMEOUT_S, "nobody waits for it any more"
    assert {answer["served_by"][stage] for answer in answers} == {stand_in}
    assert all(answer["degraded"] and stage in answer["degraded_stages"] for answer in answers)
    assert await fleet.provider.calls(target) == received

    await fleet.provider.mend()
    await fleet.until_all("closed", circuit, within_s=2 * REST_S + 5, ask=True)
    assert not any([(await replica.ask())["degraded"] for replica in fleet.replicas])


@pytest.mark.faults
@pytest.mark.parametrize("status", [429, 503])
async def test_a_service_that_asks_for_a_rest_gets_as_long_a_one_as_it_asked_for(fleet: Fleet, status: int):
    asked_s = 2 * REST_S
    await fleet.provider.fail("chat", "throttle", status=status, retry_after_s=asked_s)
    await fleet.replicas[0].ask()
    await fleet.until_all("open", "generator.primary", within_s=1)
    await fleet.provider.mend()
    await fleet.until_all("closed", "generator.primary", within_s=asked_s + 5, ask=True)
    arrived_ms = [arrival["monotonic_ms"] for arrival in await fleet.provider.arrivals()]
    rested_s = (arrived_ms[1] - arrived_ms[0]) / 1000
    print({"rested s": rested_s})
    assert asked_s <= rested_s < asked_s + 1.0, "everybody asked all the while"


@pytest.mark.parametrize(
    ("target", "status"), [("embeddings", 400), ("chat", 400), ("chat", 413), ("chat", 422)], ids=str
)
async def test_requests_that_a_service_refuses_are_answered_by_another_tier_and_open_nothing(
    fleet: Fleet, target: str, status: int
):
    circuit, stage, stand_in = CIRCUITS[target]
    before = await fleet.believed(circuit)
    await fleet.provider.fail(target, status=status)
    answers = [await replica.ask() for _ in range(2 * MIN_SAMPLES) for replica in fleet.replicas]
    assert {answer["served_by"][stage] for answer in answers} == {stand_in}
    attempts = [attempt for answer in answers for attempt in answer["attempts"] if attempt["circuit"] == circuit]
    assert {attempt["outcome"] for attempt in attempts} == {"invalid"}
    assert await fleet.provider.calls(target) == len(answers)
    await fleet.provider.mend()
    assert not any([(await replica.ask())["degraded"] for replica in fleet.replicas])
    assert await fleet.believed(circuit) == before


@pytest.mark.parametrize("target", CIRCUITS)
async def test_a_probe_that_the_service_refuses_is_a_success_for_the_service_answered(fleet: Fleet, target: str):
    circuit, _, _ = CIRCUITS[target]
    await fleet.provider.fail(target)
    for _ in range(MIN_SAMPLES):
        await fleet.replicas[0].ask()
    await fleet.until_all("open", circuit, within_s=1)
    await fleet.provider.fail(target, status=400)
    await fleet.until_all("closed", circuit, within_s=REST_S + 2, ask=True)
    assert {arrival["outcome"] for arrival in await fleet.provider.arrivals(target)} == {"error"}


@pytest.mark.faults
@pytest.mark.parametrize(
    "fault", [{"mode": "truncate"}, {"mode": "reset"}, {"mode": "error"}, {"mode": "hang"}], ids=str
)
async def test_streams_that_break_off_open_the_circuit_and_the_next_ones_come_from_another_tier(
    fleet: Fleet, fault: dict[str, Any]
):
    await fleet.provider.fail("chat", **fault)
    for _ in range(3):
        ended = await fleet.replicas[0].stream()
        assert ended[-1] == "[DONE]" or "error" in ended[-1], "a stream ends in the words of its protocol"
    await fleet.until_all("open", "generator.primary", within_s=1)
    received = await fleet.provider.calls("chat")
    for replica in fleet.replicas:
        ended = await replica.stream()
        assert ended[-1] == "[DONE]"
        assert len(ended) > 1
    assert await fleet.provider.calls("chat") == received
