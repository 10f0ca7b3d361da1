"""One chain: tiers in order, each within its share of the time, every attempt told."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.breaker.probes import DetachedProbes
from ha_rag.circuit.state import CircuitState
from ha_rag.deadline import Deadline
from ha_rag.errors import InvalidRequestError, ServiceError, ServiceTimeoutError, ThrottledError
from ha_rag.interfaces import Embedder
from ha_rag.messages import ComponentType, Embedding, Outcome
from ha_rag.strategy.chain import Chain, Served
from ha_rag.strategy.exchange import SingleReply
from ha_rag.strategy.last_resort import zero_like
from ha_rag.strategy.tier import Tier
from tests.strategy.scripted import HANGS, Scripted, ScriptedCircuits
from tests.strategy.virtual_time import LoopClock, in_virtual_time

CLOCK = LoopClock()
NAMES = ("first", "second", "third")


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


def test_the_first_tier_that_answers_serves_and_the_next_is_not_asked() -> None:
    second = Scripted()
    bench = Bench(Scripted(), second)
    served = in_virtual_time(bench.run)
    assert served.by == "first"
    assert outcomes(served) == [("first", "ok")]
    assert second.calls == []
    assert bench.circuit("first").told == [Outcome.OK]
    assert bench.circuit("second").asked == 0


def test_a_slow_answer_serves_and_is_told_as_slow() -> None:
    bench = Bench(Scripted())
    bench.circuit("first").slow = True
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", "slow")]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ServiceError("down", status=500), Outcome.FAILED),
        (ThrottledError("rest", retry_after_s=2.0), Outcome.THROTTLED),
        (InvalidRequestError("refused", status=400), Outcome.INVALID),
        (ServiceTimeoutError("late"), Outcome.TIMEOUT),
        (ValueError("a bug in a user's component"), Outcome.FAILED),
        (TimeoutError("its own"), Outcome.TIMEOUT),
        (StopAsyncIteration("odd"), Outcome.FAILED),
        (asyncio.CancelledError("cancelled inside, though nobody left"), Outcome.FAILED),
    ],
)
def test_whatever_a_tier_raises_the_next_one_answers(error: BaseException, outcome: Outcome) -> None:
    bench = Bench(Scripted((error,)), Scripted())
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", outcome), ("second", "ok")]
    assert bench.circuit("first").told == [outcome]
    assert served.attempts[0].reason


def test_a_refusing_circuit_is_passed_over_with_its_state_and_why() -> None:
    first = Scripted()
    bench = Bench(first, Scripted())
    bench.circuit("first").state = CircuitState.OPEN
    served = in_virtual_time(bench.run)
    rejected = served.attempts[0]
    assert (rejected.outcome, rejected.state, rejected.ms) == (Outcome.REJECTED, "open", 0.0)
    assert "retry in 3.0 s" in rejected.reason
    assert served.by == "second"
    assert first.calls == []


def test_with_every_tier_out_the_last_resort_serves_and_has_no_circuit() -> None:
    bench = Bench(Scripted((ServiceError("down"),)), Scripted((ServiceError("down"),)))
    served = in_virtual_time(bench.run)
    assert served.by == "zero"
    assert not served.reply.vector.any()
    assert served.attempts[-1].circuit == "embedder.zero"
    assert served.attempts[-1].state == ""
    assert "embedder.zero" not in bench.circuits.breakers


def test_a_tier_that_used_its_whole_timeout_is_a_timeout() -> None:
    hanging = Scripted((HANGS,))
    bench = Bench(hanging, Scripted(), timeout_s=1.0)

    async def scenario() -> float:
        started_s = CLOCK.monotonic_s()
        served = await bench.run()
        assert outcomes(served) == [("first", "timeout"), ("second", "ok")]
        assert served.attempts[0].ms == pytest.approx(1000.0)
        return CLOCK.monotonic_s() - started_s

    assert in_virtual_time(scenario) == pytest.approx(1.0)
    assert bench.circuit("first").told == [Outcome.TIMEOUT]
    assert hanging.cancelled == 1


def test_a_tier_cut_short_by_the_callers_deadline_is_cancelled_and_no_vote() -> None:
    bench = Bench(Scripted((HANGS,)), Scripted(), timeout_s=1.0)
    served = in_virtual_time(lambda: bench.run(allowed_s=0.9))
    assert outcomes(served) == [("first", "cancelled"), ("second", "ok")]
    assert bench.circuit("first").told == [Outcome.CANCELLED]
    assert "deadline" in served.attempts[0].reason


def test_time_is_kept_back_for_the_tiers_after_it() -> None:
    bench = Bench(Scripted((HANGS,)), Scripted((HANGS,)), Scripted((HANGS,)), timeout_s=1.0)
    served = in_virtual_time(lambda: bench.run(allowed_s=1.0))
    assert [attempt.ms for attempt in served.attempts] == pytest.approx([800.0, 100.0, 100.0, 0.0])


def test_time_is_kept_back_for_later_stages_but_never_more_than_half_of_what_is_left() -> None:
    bench = Bench(Scripted((HANGS,)), timeout_s=1.0)
    assert in_virtual_time(lambda: bench.run(allowed_s=1.0, later_s=0.3)).attempts[0].ms == pytest.approx(700.0)
    assert in_virtual_time(lambda: bench.run(allowed_s=1.0, later_s=9.0)).attempts[0].ms == pytest.approx(500.0)


def test_a_tier_with_no_time_left_is_skipped_without_asking_its_circuit() -> None:
    first = Scripted()
    bench = Bench(first)
    served = in_virtual_time(lambda: bench.run(allowed_s=0.0))
    assert outcomes(served) == [("first", "skipped"), ("zero", "ok")]
    assert bench.circuit("first").asked == 0
    assert first.calls == []


def test_a_time_limit_noticed_late_since_this_process_was_busy_is_no_vote() -> None:
    async def busy_and_then_waiting():
        asyncio.get_running_loop().call_soon(CLOCK.busy, 5.0)
        await asyncio.Event().wait()

    bench = Bench(Scripted((busy_and_then_waiting,)), Scripted(), timeout_s=1.0)
    served = in_virtual_time(bench.run)
    assert outcomes(served) == [("first", "cancelled"), ("second", "ok")]
    assert "blocked" in served.attempts[0].reason


class TestCallersThatLeave:
    @staticmethod
    async def leave_after(bench: Bench, seconds: float) -> None:
        task = asyncio.create_task(bench.run())
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def test_leaving_early_is_no_vote(self) -> None:
        bench = Bench(Scripted((HANGS,)), timeout_s=1.0)
        in_virtual_time(lambda: self.leave_after(bench, 0.4))
        assert bench.circuit("first").told == [Outcome.CANCELLED]

    def test_leaving_after_more_than_half_of_the_timeout_counts_as_one(self) -> None:
        bench = Bench(Scripted((HANGS,)), timeout_s=1.0)
        in_virtual_time(lambda: self.leave_after(bench, 0.6))
        assert bench.circuit("first").told == [Outcome.TIMEOUT]

    def test_leaving_while_the_second_tier_is_asked_keeps_the_firsts_vote(self) -> None:
        bench = Bench(Scripted((ServiceError("down"),)), Scripted((HANGS,)), timeout_s=1.0)
        in_virtual_time(lambda: self.leave_after(bench, 0.1))
        assert bench.circuit("first").told == [Outcome.FAILED]
        assert bench.circuit("second").told == [Outcome.CANCELLED]

    def test_leaving_while_a_probe_is_awaited_from_a_half_open_circuit_is_no_vote(self) -> None:
        bench = Bench(Scripted(), timeout_s=1.0)
        bench.circuit("first").state = CircuitState.HALF_OPEN
        in_virtual_time(lambda: self.leave_after(bench, 0.02))
        assert bench.circuit("first").told == []


class TestHalfOpen:
    def test_a_caller_waits_a_moment_for_the_grant_of_a_probe(self) -> None:
        bench = Bench(Scripted())
        bench.circuit("first").state = CircuitState.HALF_OPEN
        bench.circuit("first").grants_soon = True
        served = in_virtual_time(bench.run)
        assert outcomes(served) == [("first", "ok")]
        assert served.attempts[0].state == "half_open"

    def test_without_a_grant_the_next_tier_answers(self) -> None:
        bench = Bench(Scripted(), Scripted())
        bench.circuit("first").state = CircuitState.HALF_OPEN
        served = in_virtual_time(bench.run)
        assert outcomes(served) == [("first", "rejected"), ("second", "ok")]
        assert served.attempts[0].state == "half_open"

    def test_a_caller_in_a_hurry_does_not_wait_for_a_grant(self) -> None:
        bench = Bench(Scripted(), Scripted())
        bench.circuit("first").state = CircuitState.HALF_OPEN
        served = in_virtual_time(lambda: bench.run(allowed_s=0.08))
        assert served.by == "second"
        assert bench.circuit("first").waited == 0

    def test_closed_and_open_circuits_are_never_waited_for(self) -> None:
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

    def test_a_probe_outlives_a_caller_that_leaves(self) -> None:
        component = Scripted((HANGS,))
        bench = self.probing(component)

        async def scenario() -> None:
            await TestCallersThatLeave.leave_after(bench, 0.1)
            assert bench.circuit("first").told == []
            assert component.released is not None
            component.released.set()
            await bench.probes.aclose()

        in_virtual_time(scenario)
        assert bench.circuit("first").told == [Outcome.OK]

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
        assert bench.circuit("first").told == [Outcome.OK]

    def test_a_hanging_probe_times_out_in_its_own_time_whatever_its_caller_allowed(self) -> None:
        bench = self.probing(Scripted((HANGS,)))

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await asyncio.sleep(1.1)

        in_virtual_time(scenario)
        assert bench.circuit("first").told == [Outcome.TIMEOUT]

    @pytest.mark.parametrize(("bound_s", "outcome"), [(0.3, Outcome.CANCELLED), (1.2, Outcome.TIMEOUT)])
    def test_a_probe_ends_by_its_bound_and_that_is_a_timeout_only_if_it_had_its_full_time(
        self, bound_s: float, outcome: Outcome
    ) -> None:
        bench = self.probing(Scripted((HANGS,)), bound_s=bound_s)

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await asyncio.sleep(min(bound_s, 1.0) + 0.05)

        in_virtual_time(scenario)
        assert bench.circuit("first").told == [outcome]

    def test_closing_cancels_probes_that_do_not_end_and_that_is_no_vote(self) -> None:
        bench = self.probing(Scripted((HANGS,)))

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await bench.probes.aclose(bound_s=0.1)
            assert len(bench.probes) == 0

        in_virtual_time(scenario)
        assert bench.circuit("first").told == [Outcome.CANCELLED]

    def test_a_probe_that_closing_cancels_late_is_no_vote_either_since_no_caller_left_it(self) -> None:
        bench = self.probing(Scripted((HANGS,)))

        async def scenario() -> None:
            await bench.run(allowed_s=0.01)
            await asyncio.sleep(0.8)
            await bench.probes.aclose(bound_s=0.1)

        in_virtual_time(scenario)
        assert bench.circuit("first").told == [Outcome.CANCELLED]

    def test_a_probe_cancelled_before_its_first_step_gives_its_permit_back(self) -> None:
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
        assert bench.circuit("first").told == [Outcome.CANCELLED]

    def test_a_failing_probe_is_followed_by_the_next_tier(self) -> None:
        bench = self.probing(Scripted((ServiceError("still down"),)), Scripted())
        served = in_virtual_time(bench.run)
        assert outcomes(served) == [("first", "failed"), ("second", "ok")]
