"""An answer piece by piece: tiers change before the first piece only, and a break is told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import ConfigurationError, ServiceError
from ha_rag.events import QuestionAnswered
from ha_rag.messages import Outcome
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted
from ha_rag.system import StreamEvent
from tests.strategy.scripted import HANGS, Scripted, ScriptedStream
from tests.strategy.virtual_time import LoopClock, in_virtual_time
from tests.system.rag import Bench

DOWN = ServiceError("down", status=500)
WELL = ("It waits, ", "", "then tries [2].")


async def all_of(bench: Bench, timeout_s: float = 30.0) -> list[StreamEvent]:
    return [event async for event in bench.rag.stream("How?", timeout_s=timeout_s)]


def streamed(bench: Bench, timeout_s: float = 30.0) -> list[StreamEvent]:
    return in_virtual_time(lambda: all_of(bench, timeout_s))


def pieces(events: list[StreamEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, AnswerPiece)]


def test_pieces_arrive_as_they_are_written_and_the_whole_answer_ends_the_stream() -> None:
    bench = Bench(generators=[ScriptedStream(WELL)])
    started, *between, done = streamed(bench)
    assert isinstance(started, AnswerStarted)
    assert started.served_by["generator"] == "t1"
    assert [passage.document for passage in started.passages] == ["doc1", "doc2", "doc3"]
    assert pieces(between) == ["It waits, ", "then tries [2]."]
    assert isinstance(done, AnswerDone)
    assert done.answer.id == started.id
    assert done.answer.text == "It waits, then tries [2]."
    assert [citation.n for citation in done.answer.citations] == [2]
    assert bench.circuits["generator.t1"].told == [Outcome.OK]


def test_a_generator_that_does_not_stream_gives_its_answer_in_one_piece() -> None:
    events = streamed(Bench(generators=[Scripted()]))
    assert pieces(events) == ["It waits, then it tries [2]."]
    assert isinstance(events[-1], AnswerDone)


@pytest.mark.parametrize("script", [(DOWN,), (HANGS,), (), ("", "")])
def test_before_the_first_piece_the_next_tier_takes_over(script: tuple[object, ...]) -> None:
    bench = Bench(generators=[ScriptedStream(script), ScriptedStream(WELL)])
    events = streamed(bench)
    assert pieces(events) == ["It waits, ", "then tries [2]."]
    done = events[-1]
    assert isinstance(done, AnswerDone)
    assert done.answer.served_by["generator"] == "t2"
    assert done.answer.degraded_stages == ("generator",)
    expected = Outcome.TIMEOUT if script == (HANGS,) else Outcome.FAILED
    assert bench.circuits["generator.t1"].told == [expected]


def test_an_open_circuit_is_passed_over() -> None:
    bench = Bench(generators=[ScriptedStream(WELL), ScriptedStream(("second",))])
    bench.circuits["generator.t1"].state = CircuitState.OPEN
    assert pieces(streamed(bench)) == ["second"]


def test_with_every_generator_out_the_plain_sentence_is_streamed() -> None:
    events = streamed(Bench(generators=[ScriptedStream((DOWN,))]))
    (text,) = pieces(events)
    assert "[1] Title 1" in text
    assert isinstance(events[-1], AnswerDone)


@pytest.mark.parametrize(("breaks", "outcome"), [(DOWN, Outcome.FAILED), (HANGS, Outcome.TIMEOUT)])
def test_after_the_first_piece_a_break_ends_the_stream_and_no_other_tier_goes_on(
    breaks: object, outcome: Outcome
) -> None:
    second = ScriptedStream(WELL)
    bench = Bench(generators=[ScriptedStream(("It waits", breaks, "never")), second])
    events = streamed(bench)
    assert pieces(events) == ["It waits"]
    broken = events[-1]
    assert isinstance(broken, AnswerBroken)
    assert broken.reason
    assert broken.answer.text == "It waits"
    assert broken.answer.attempts[-1].outcome is outcome
    told = bench.events[-1]
    assert isinstance(told, QuestionAnswered)
    assert told.broken
    assert second.calls == []
    assert bench.circuits["generator.t1"].told == [outcome]


def test_the_questions_own_deadline_breaks_a_stream_without_a_vote() -> None:
    bench = Bench(generators=[ScriptedStream(("It waits", HANGS))])
    events = streamed(bench, timeout_s=0.5)
    assert isinstance(events[-1], AnswerBroken)
    assert bench.circuits["generator.t1"].told == [Outcome.CANCELLED]


def test_a_long_answer_may_take_longer_than_the_timeout_as_long_as_pieces_keep_coming() -> None:
    def pause() -> None:
        LoopClock.busy(0.7)

    events = streamed(Bench(generators=[ScriptedStream(("a", pause, "b", pause, "c"))]))
    assert isinstance(events[-1], AnswerDone)
    assert events[-1].answer.ms == pytest.approx(1400.0)


def test_a_slow_reader_is_no_fault_of_the_service() -> None:
    bench = Bench(generators=[ScriptedStream(WELL)])

    async def slow_reader() -> list[StreamEvent]:
        events = []
        async for event in bench.rag.stream("How?"):
            events.append(event)
            await asyncio.sleep(5.0)
        return events

    assert isinstance(in_virtual_time(slow_reader)[-1], AnswerDone)
    assert bench.circuits["generator.t1"].told == [Outcome.OK]


def test_a_reader_that_stops_closes_the_stream_and_that_is_no_vote() -> None:
    bench = Bench(generators=[ScriptedStream(WELL)])

    async def impatient_reader() -> None:
        async with aclosing(bench.rag.stream("How?")) as events:
            async for event in events:
                if isinstance(event, AnswerPiece):
                    return

    in_virtual_time(impatient_reader)
    assert bench.circuits["generator.t1"].told == [Outcome.CANCELLED]


def test_a_reader_cancelled_between_pieces_is_no_vote() -> None:
    generator = ScriptedStream(("It waits", HANGS))
    bench = Bench(generators=[generator])

    async def scenario() -> None:
        task = asyncio.create_task(all_of(bench))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_virtual_time(scenario)
    assert bench.circuits["generator.t1"].told == [Outcome.CANCELLED]
    assert generator.cancelled == 1


class TestProbes:
    @staticmethod
    def probing(*script: object, bound_s: float | None = None) -> tuple[Bench, ScriptedStream]:
        """A probe of a generator whose timeout is 1 s."""
        generator = ScriptedStream(script)
        bench = Bench(generators=[generator])
        bench.circuits["generator.t1"].probing = True
        bench.circuits["generator.t1"].bound_s = bound_s
        return bench, generator

    def test_a_probe_streams_like_any_other(self) -> None:
        bench, _ = self.probing(*WELL)
        assert pieces(streamed(bench)) == ["It waits, ", "then tries [2]."]
        assert bench.circuits["generator.t1"].told == [Outcome.OK]

    def test_a_probe_goes_on_to_its_end_when_its_reader_leaves(self) -> None:
        bench, generator = self.probing("It waits", HANGS, "and tries")

        async def scenario() -> None:
            async with aclosing(bench.rag.stream("How?")) as events:
                await anext(events)
            assert bench.circuits["generator.t1"].told == []
            await asyncio.sleep(0.1)
            assert generator.released is not None
            generator.released.set()
            await bench.rag.aclose()

        in_virtual_time(scenario)
        assert bench.circuits["generator.t1"].told == [Outcome.OK]

    def test_a_probe_that_breaks_off_says_so_to_its_circuit_and_its_reader(self) -> None:
        bench, _ = self.probing("It waits", DOWN)
        assert isinstance(streamed(bench)[-1], AnswerBroken)
        assert bench.circuits["generator.t1"].told == [Outcome.FAILED]

    @pytest.mark.parametrize(
        ("script", "outcome"), [((0.3, DOWN), Outcome.FAILED), ((), Outcome.FAILED), ((HANGS,), Outcome.TIMEOUT)]
    )
    def test_a_probe_that_breaks_before_its_first_piece_has_failed(
        self, script: tuple[object, ...], outcome: Outcome
    ) -> None:
        bench, _ = self.probing(*script, bound_s=1.5)
        (text,) = pieces(streamed(bench))
        assert "No answer could be generated" in text
        assert bench.circuits["generator.t1"].told == [outcome]

    def test_a_probes_answer_may_take_longer_than_its_lease_and_is_good_when_its_word_is_due(self) -> None:
        bench, _ = self.probing("It ", 0.6, "waits, ", 0.6, "then ", 0.6, "tries.", bound_s=1.5)

        async def scenario() -> list[StreamEvent]:
            reading = asyncio.create_task(all_of(bench))
            await asyncio.sleep(1.4)
            assert bench.circuits["generator.t1"].told == []
            await asyncio.sleep(0.2)
            assert bench.circuits["generator.t1"].told == [Outcome.OK]
            return await reading

        events = in_virtual_time(scenario)
        assert isinstance(events[-1], AnswerDone)
        assert events[-1].answer.text == "It waits, then tries."

    def test_a_probe_that_breaks_off_after_its_word_was_due_is_a_failure_among_its_components_calls(self) -> None:
        bench, _ = self.probing("It ", 0.9, "waits", 0.9, DOWN, bound_s=1.2)
        broken = streamed(bench)[-1]
        assert isinstance(broken, AnswerBroken)
        assert broken.answer.attempts[-1].outcome is Outcome.FAILED
        assert bench.circuits["generator.t1"].told == [Outcome.OK]
        assert bench.rag.get_system_health()["generator.t1"].failures == 1

    @pytest.mark.parametrize(("silent_from_s", "outcome"), [(0.6, Outcome.TIMEOUT), (0.9, Outcome.OK)])
    def test_a_probe_that_has_been_silent_for_more_than_half_its_timeout_when_its_word_is_due_has_not_done_well(
        self, silent_from_s: float, outcome: Outcome
    ) -> None:
        bench, _ = self.probing(silent_from_s, "It waits", HANGS, bound_s=1.2)
        assert isinstance(streamed(bench)[-1], AnswerBroken)
        assert bench.circuits["generator.t1"].told == [outcome]

    def test_a_first_piece_that_the_lease_leaves_less_than_its_full_time_is_no_vote(self) -> None:
        bench, _ = self.probing(HANGS, bound_s=0.9)
        streamed(bench)
        assert bench.circuits["generator.t1"].told == [Outcome.CANCELLED]


@pytest.mark.parametrize("question", ["", "x" * 8001])
def test_bad_input_is_refused_before_the_first_event(question: str) -> None:
    bench = Bench()

    async def scenario() -> None:
        with pytest.raises(ConfigurationError):
            await anext(bench.rag.stream(question))

    in_virtual_time(scenario)
