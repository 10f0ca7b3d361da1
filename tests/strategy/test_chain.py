"""Chain: tiers in order, each within its share of the time, with a record of every attempt."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.breaker.probes import DetachedProbes
from ha_rag.circuit.state import CircuitState
from ha_rag.deadline import Deadline
from ha_rag.errors import InvalidRequestError, ServiceError, ServiceTimeoutError, ThrottledError
from ha_rag.interfaces import Embedder
from ha_rag.messages import ComponentType, Embedding
from ha_rag.outcomes import Outcome
from ha_rag.strategy.chain import Chain, Served
from ha_rag.strategy.exchange import SingleReply
from ha_rag.strategy.last_resort import zero_like
from ha_rag.strategy.tier import Tier
from tests.strategy.scripted import HANGS, Scripted, ScriptedCircuits
from tests.strategy.virtual_time import LoopClock, in_virtual_time

CLOCK = LoopClock()
NAMES = ("first", "second", "third")


class RustPanicError(BaseException):
    """Like pyo3's PanicException, which is no Exception."""


class Bench:
    """A chain of scripted embedders with scripted circuits."""

    def __init__(self, *components: Scripted, timeout_s: float = 1.0) -> None:
        self.circuits = ScriptedCircuits()
        self.probes = DetachedProbes()
        tiers = [Tier(name, component, timeout_s) for name, component in zip(NAMES, components, strict=False)]
        guarded = tuple(tier.guarded(ComponentType.EMBEDDER, self.circuits) for tier in tiers)
        self.chain: Chain[Embedder] = Chain(ComponentType.EMBEDDER, guarded, zero_like(components), "zero", self.probes)

    def circuit(self, name: str):
        return self.circuits[f"embedder.{name}"]

    async def run(self, allowed_s: float | None = 30.0, later_s: float = 0.0) -> Served[Embedding]:
        return await self.chain.run(
            SingleReply(lambda c: c.embed("why?"), self.probes), Deadline.after(allowed_s, CLOCK), later_s
        )


def outcomes(served: Served[Embedding]) -> list[tuple[str, str]]:
    return [(attempt.circuit.removeprefix("embedder."), str(attempt.outcome)) for attempt in served.attempts]


def test_the_first_tier_that_answers_serves_and_the_next_is_not_called() -> None:
    second = Scripted()
    bench = Bench(Scripted(), second)
    served = in_virtual_time(bench.run)
    assert served.by == "first"
    assert outcomes(served) == [("first", "ok")]
    assert second.calls == []
    assert bench.circuit("first").reported == [Outcome.OK]
    assert bench.circuit("second").asked == 0


def test_a_slow_answer_is_used_and_counted_as_slow() -> None:
    bench = Bench(Scripted())
    bench.circuit("first").slow = True
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", "slow")]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ServiceError("down", status=500), Outcome.FAILED),
        (ThrottledError("slow down", retry_after_s=2.0), Outcome.THROTTLED),
        (InvalidRequestError("refused", status=400), Outcome.INVALID),
        (ServiceTimeoutError("too slow"), Outcome.TIMEOUT),
        (ValueError("a bug in a user's component"), Outcome.FAILED),
        (TimeoutError("its own"), Outcome.TIMEOUT),
        (StopAsyncIteration("odd"), Outcome.FAILED),
        (asyncio.CancelledError("cancelled inside the component"), Outcome.FAILED),
        (RustPanicError("index out of bounds"), Outcome.FAILED),
        (BaseExceptionGroup("two", [RustPanicError("a"), ValueError("b")]), Outcome.FAILED),
    ],
)
def test_whatever_a_tier_raises_the_next_one_answers(error: BaseException, outcome: Outcome) -> None:
    bench = Bench(Scripted((error,)), Scripted())
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", outcome), ("second", "ok")]
    assert bench.circuit("first").reported == [outcome]
    assert served.attempts[0].reason


@pytest.mark.parametrize(
    "leaving", [KeyboardInterrupt(), SystemExit(1), BaseExceptionGroup("g", [KeyboardInterrupt()])]
)
def test_what_ends_the_process_is_not_taken_for_a_failure(leaving: BaseException) -> None:
    bench = Bench(Scripted((leaving,)), Scripted())
    with pytest.raises(type(leaving)):
        in_virtual_time(bench.run)
    assert bench.circuit("first").reported == [Outcome.CANCELLED]


def test_an_open_circuit_is_skipped_with_its_state_and_the_reason() -> None:
    first = Scripted()
    bench = Bench(first, Scripted())
    bench.circuit("first").state = CircuitState.OPEN
    served = in_virtual_time(bench.run)
    rejected = served.attempts[0]
    assert (rejected.outcome, rejected.state, rejected.ms) == (Outcome.REJECTED, "open", 0.0)
    assert "retry in 3.0 s" in rejected.reason
    assert served.by == "second"
    assert first.calls == []


def test_if_every_tier_fails_the_last_resort_serves_without_a_circuit() -> None:
    bench = Bench(Scripted((ServiceError("down"),)), Scripted((ServiceError("down"),)))
    served = in_virtual_time(bench.run)
    assert served.by == "zero"
    assert not served.reply.vector.any()
    assert served.attempts[-1].circuit == "embedder.zero"
    assert served.attempts[-1].state == ""
    assert "embedder.zero" not in bench.circuits.breakers


def test_a_tier_that_uses_its_full_timeout_counts_as_a_timeout() -> None:
    hanging = Scripted((HANGS,))
    bench = Bench(hanging, Scripted(), timeout_s=1.0)

    async def scenario() -> float:
        started_s = CLOCK.monotonic_s()
        served = await bench.run()
        assert outcomes(served) == [("first", "timeout"), ("second", "ok")]
        assert served.attempts[0].ms == pytest.approx(1000.0)
        return CLOCK.monotonic_s() - started_s

    assert in_virtual_time(scenario) == pytest.approx(1.0)
    assert bench.circuit("first").reported == [Outcome.TIMEOUT]
    assert hanging.cancelled == 1


def test_a_tier_cut_short_by_the_questions_deadline_is_not_counted() -> None:
    bench = Bench(Scripted((HANGS,)), Scripted(), timeout_s=1.0)
    served = in_virtual_time(lambda: bench.run(allowed_s=0.9))
    assert outcomes(served) == [("first", "cancelled"), ("second", "ok")]
    assert bench.circuit("first").reported == [Outcome.CANCELLED]
    assert "deadline" in served.attempts[0].reason


def test_time_is_reserved_for_later_tiers() -> None:
    bench = Bench(Scripted((HANGS,)), Scripted((HANGS,)), Scripted((HANGS,)), timeout_s=1.0)
    served = in_virtual_time(lambda: bench.run(allowed_s=1.0))
    assert [attempt.ms for attempt in served.attempts] == pytest.approx([800.0, 100.0, 100.0, 0.0])


def test_at_most_half_of_the_remaining_time_is_reserved_for_later_stages() -> None:
    bench = Bench(Scripted((HANGS,)), timeout_s=1.0)
    assert in_virtual_time(lambda: bench.run(allowed_s=1.0, later_s=0.3)).attempts[0].ms == pytest.approx(700.0)
    assert in_virtual_time(lambda: bench.run(allowed_s=1.0, later_s=9.0)).attempts[0].ms == pytest.approx(500.0)


def test_a_tier_without_remaining_time_is_skipped_without_asking_its_circuit() -> None:
    first = Scripted()
    bench = Bench(first)
    served = in_virtual_time(lambda: bench.run(allowed_s=0.0))
    assert outcomes(served) == [("first", "skipped"), ("zero", "ok")]
    assert bench.circuit("first").asked == 0
    assert first.calls == []


def test_a_time_limit_noticed_late_by_a_blocked_event_loop_is_not_counted() -> None:
    async def block_and_then_wait():
        asyncio.get_running_loop().call_soon(CLOCK.busy, 5.0)
        await asyncio.Event().wait()

    bench = Bench(Scripted((block_and_then_wait,)), Scripted(), timeout_s=1.0)
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", "cancelled"), ("second", "ok")]
    assert "blocked" in served.attempts[0].reason


class TestCancelledCallers:
    @staticmethod
    async def cancel_after(bench: Bench, seconds: float) -> None:
        task = asyncio.create_task(bench.run())
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def test_cancelling_early_is_not_counted(self) -> None:
        bench = Bench(Scripted((HANGS,)), timeout_s=1.0)
        in_virtual_time(lambda: self.cancel_after(bench, 0.4))
        assert bench.circuit("first").reported == [Outcome.CANCELLED]

    def test_cancelling_after_half_of_the_timeout_counts_as_a_timeout(self) -> None:
        bench = Bench(Scripted((HANGS,)), timeout_s=1.0)
        in_virtual_time(lambda: self.cancel_after(bench, 0.6))
        assert bench.circuit("first").reported == [Outcome.TIMEOUT]

    def test_cancelling_during_the_second_tier_keeps_the_firsts_outcome(self) -> None:
        bench = Bench(Scripted((ServiceError("down"),)), Scripted((HANGS,)), timeout_s=1.0)
        in_virtual_time(lambda: self.cancel_after(bench, 0.1))
        assert bench.circuit("first").reported == [Outcome.FAILED]
        assert bench.circuit("second").reported == [Outcome.CANCELLED]

    def test_cancelling_while_waiting_for_a_probe_lease_is_not_counted(self) -> None:
        bench = Bench(Scripted(), timeout_s=1.0)
        bench.circuit("first").state = CircuitState.HALF_OPEN
        in_virtual_time(lambda: self.cancel_after(bench, 0.02))
        assert bench.circuit("first").reported == []


class TestHalfOpen:
    def test_a_caller_waits_briefly_for_a_probe_lease(self) -> None:
        bench = Bench(Scripted())
        bench.circuit("first").state = CircuitState.HALF_OPEN
        bench.circuit("first").grants_soon = True
        served = in_virtual_time(bench.run)
        assert outcomes(served) == [("first", "ok")]
        assert served.attempts[0].state == "half_open"

    def test_without_a_lease_the_next_tier_answers(self) -> None:
        bench = Bench(Scripted(), Scripted())
        bench.circuit("first").state = CircuitState.HALF_OPEN
        served = in_virtual_time(bench.run)
        assert outcomes(served) == [("first", "rejected"), ("second", "ok")]
        assert served.attempts[0].state == "half_open"

    def test_a_caller_with_a_short_deadline_does_not_wait_for_a_lease(self) -> None:
        bench = Bench(Scripted(), Scripted())
        bench.circuit("first").state = CircuitState.HALF_OPEN
        served = in_virtual_time(lambda: bench.run(allowed_s=0.08))
        assert served.by == "second"
        assert bench.circuit("first").waited == 0

    def test_callers_never_wait_for_closed_or_open_circuits(self) -> None:
        bench = Bench(Scripted((ServiceError("down"),)), Scripted())
        bench.circuit("second").state = CircuitState.OPEN
        in_virtual_time(bench.run)
        assert (bench.circuit("first").waited, bench.circuit("second").waited) == (0, 0)


class TestProbes:
    @staticmethod
    def probing(component: Scripted, *others: Scripted, bound_s: float | None = None) -> Bench:
        bench = Bench(component, *others, timeout_s=1.0)
        bench.circuit("first").probing = True
        bench.circuit("first").bound_s = bound_s
        return bench

    def test_a_probe_that_answers_in_time_serves(self) -> None:
        bench = self.probing(Scripted())
        served = in_virtual_time(bench.run)
        assert outcomes(served) == [("first", "ok")]
        assert served.attempts[0].state == "half_open"
        assert len(bench.probes) == 0

    def test_a_probe_outlives_a_cancelled_caller(self) -> None:
        component = Scripted((HANGS,))
        bench = self.probing(component)

        async def scenario() -> None:
            await TestCancelledCallers.cancel_after(bench, 0.1)
            assert bench.circuit("first").reported == []
            assert component.released is not None
            component.released.set()
            await bench.probes.aclose()

        in_virtual_time(scenario)
        assert bench.circuit("first").reported == [Outcome.OK]

    def test_a_probe_outlives_its_callers_deadline_and_the_next_tier_answers_meanwhile(self) -> None:
        component = Scripted((HANGS,))
        bench = self.probing(component, Scripted())

        async def scenario() -> None:
            served = await bench.run(allowed_s=0.5)
            assert outcomes(served) == [("first", "cancelled"), ("second", "ok")]
            assert "continues in the background" in served.attempts[0].reason
            assert len(bench.probes) == 1
            assert component.released is not None
            component.released.set()
            await bench.probes.aclose()

        in_virtual_time(scenario)
        assert bench.circuit("first").reported == [Outcome.OK]

    def test_a_hanging_probe_times_out_after_its_own_timeout_and_not_its_callers(self) -> None:
        bench = self.probing(Scripted((HANGS,)))

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await asyncio.sleep(1.1)

        in_virtual_time(scenario)
        assert bench.circuit("first").reported == [Outcome.TIMEOUT]

    @pytest.mark.parametrize(("bound_s", "outcome"), [(0.3, Outcome.CANCELLED), (1.2, Outcome.TIMEOUT)])
    def test_a_probe_stopped_at_its_bound_is_a_timeout_only_if_it_had_its_full_time(
        self, bound_s: float, outcome: Outcome
    ) -> None:
        bench = self.probing(Scripted((HANGS,)), bound_s=bound_s)

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await asyncio.sleep(min(bound_s, 1.0) + 0.05)

        in_virtual_time(scenario)
        assert bench.circuit("first").reported == [outcome]

    def test_probes_cancelled_by_closing_are_not_counted(self) -> None:
        bench = self.probing(Scripted((HANGS,)))

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await bench.probes.aclose(bound_s=0.1)
            assert len(bench.probes) == 0

        in_virtual_time(scenario)
        assert bench.circuit("first").reported == [Outcome.CANCELLED]

    def test_a_probe_cancelled_late_by_closing_is_not_counted_either(self) -> None:
        bench = self.probing(Scripted((HANGS,)))

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await asyncio.sleep(0.8)
            await bench.probes.aclose(bound_s=0.1)

        in_virtual_time(scenario)
        assert bench.circuit("first").reported == [Outcome.CANCELLED]

    def test_a_probe_cancelled_before_its_first_step_settles_its_permit(self) -> None:
        component = Scripted()
        bench = self.probing(component)

        async def scenario() -> None:
            task = asyncio.create_task(bench.run())
            await asyncio.sleep(0)
            closing = asyncio.create_task(bench.probes.aclose(bound_s=0.0))
            for probe in tuple(bench.probes.under_way):
                probe.cancel()
            await task
            await closing

        in_virtual_time(scenario)
        assert component.calls == []
        assert bench.circuit("first").reported == [Outcome.CANCELLED]

    def test_a_failing_probe_is_followed_by_the_next_tier(self) -> None:
        bench = self.probing(Scripted((ServiceError("still down"),)), Scripted())
        served = in_virtual_time(bench.run)
        assert outcomes(served) == [("first", "failed"), ("second", "ok")]
