"""HighAvailabilityRAG.stream: fallback only before the first piece, and failures end the stream."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import ConfigurationError, ServiceError
from ha_rag.events import QuestionAnswered
from ha_rag.messages import Generation, StreamEnding
from ha_rag.outcomes import Outcome
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted
from ha_rag.system import StreamEvent
from tests.strategy.scripted import HANGS, Scripted, ScriptedStream
from tests.strategy.virtual_time import LoopClock, in_virtual_time
from tests.system.rag import Bench

DOWN = ServiceError("down", status=500)
ANSWER = ("It waits, ", "", "then tries [2].")


async def all_of(bench: Bench, timeout_s: float = 30.0) -> list[StreamEvent]:
    return [event async for event in bench.rag.stream("How?", timeout_s=timeout_s)]


def streamed(bench: Bench, timeout_s: float = 30.0) -> list[StreamEvent]:
    return in_virtual_time(lambda: all_of(bench, timeout_s))


def pieces(events: list[StreamEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, AnswerPiece)]


def test_pieces_arrive_as_they_are_generated_and_the_stream_ends_with_the_full_answer() -> None:
    bench = Bench(generators=[ScriptedStream(ANSWER)])
    started, *between, done = streamed(bench)
    assert isinstance(started, AnswerStarted)
    assert started.served_by["generator"] == "t1"
    assert [passage.document for passage in started.passages] == ["doc1", "doc2", "doc3"]
    assert pieces(between) == ["It waits, ", "then tries [2]."]
    assert isinstance(done, AnswerDone)
    assert done.answer.id == started.id
    assert done.answer.text == "It waits, then tries [2]."
    assert [citation.n for citation in done.answer.citations] == [2]
    assert bench.circuits["generator.t1"].reported == [Outcome.OK]


def test_a_generator_that_does_not_stream_sends_its_answer_in_one_piece() -> None:
    events = streamed(Bench(generators=[Scripted()]))
    assert pieces(events) == ["It waits, then it tries [2]."]
    assert isinstance(events[-1], AnswerDone)


@pytest.mark.parametrize("script", [(DOWN,), (HANGS,), (), ("", "")])
def test_before_the_first_piece_the_next_tier_takes_over(script: tuple[object, ...]) -> None:
    bench = Bench(generators=[ScriptedStream(script), ScriptedStream(ANSWER)])
    events = streamed(bench)
    assert pieces(events) == ["It waits, ", "then tries [2]."]
    done = events[-1]
    assert isinstance(done, AnswerDone)
    assert done.answer.served_by["generator"] == "t2"
    assert done.answer.degraded_stages == ("generator",)
    expected = Outcome.TIMEOUT if script == (HANGS,) else Outcome.FAILED
    assert bench.circuits["generator.t1"].reported == [expected]


def test_an_open_circuit_is_skipped() -> None:
    bench = Bench(generators=[ScriptedStream(ANSWER), ScriptedStream(("second",))])
    bench.circuits["generator.t1"].state = CircuitState.OPEN
    assert pieces(streamed(bench)) == ["second"]


def test_an_answer_that_the_service_ends_early_is_truncated_and_no_failure() -> None:
    bench = Bench(generators=[ScriptedStream(("It waits, ", StreamEnding("length")))])
    events = streamed(bench)
    done = events[-1]
    assert pieces(events) == ["It waits, "]
    assert isinstance(done, AnswerDone)
    assert (done.answer.truncated, done.answer.finish_reason) == (True, "length")
    assert done.answer.attempts[-1].outcome is Outcome.OK


def test_an_end_without_text_is_an_empty_answer() -> None:
    bench = Bench(generators=[ScriptedStream((StreamEnding("length"),)), ScriptedStream(("second",))])
    assert pieces(streamed(bench)) == ["second"]


def test_one_piece_of_a_generator_that_does_not_stream_says_why_it_ended() -> None:
    done = streamed(Bench(generators=[Scripted((Generation("It waits", finish_reason="length"),))]))[-1]
    assert isinstance(done, AnswerDone)
    assert done.answer.finish_reason == "length"


def test_if_every_generator_fails_the_plain_sentence_is_streamed() -> None:
    events = streamed(Bench(generators=[ScriptedStream((DOWN,))]))
    (text,) = pieces(events)
    assert "[1] Title 1" in text
    assert isinstance(events[-1], AnswerDone)


@pytest.mark.parametrize(("breaks", "outcome"), [(DOWN, Outcome.FAILED), (HANGS, Outcome.TIMEOUT)])
def test_a_failure_after_the_first_piece_ends_the_stream_without_a_fallback(breaks: object, outcome: Outcome) -> None:
    second = ScriptedStream(ANSWER)
    bench = Bench(generators=[ScriptedStream(("It waits", breaks, "never")), second])
    events = streamed(bench)
    assert pieces(events) == ["It waits"]
    broken = events[-1]
    assert isinstance(broken, AnswerBroken)
    assert broken.reason
    assert broken.answer.text == "It waits"
    assert broken.answer.attempts[-1].outcome is outcome
    answered = bench.events[-1]
    assert isinstance(answered, QuestionAnswered)
    assert answered.broken
    assert second.calls == []
    assert bench.circuits["generator.t1"].reported == [outcome]


def test_a_stream_broken_by_the_questions_deadline_is_not_counted() -> None:
    bench = Bench(generators=[ScriptedStream(("It waits", HANGS))])
    events = streamed(bench, timeout_s=0.5)
    assert isinstance(events[-1], AnswerBroken)
    assert bench.circuits["generator.t1"].reported == [Outcome.CANCELLED]


def test_an_answer_may_take_longer_than_the_timeout_while_pieces_keep_coming() -> None:
    def pause() -> None:
        LoopClock.busy(0.7)

    events = streamed(Bench(generators=[ScriptedStream(("a", pause, "b", pause, "c"))]))
    assert isinstance(events[-1], AnswerDone)
    assert events[-1].answer.ms == pytest.approx(1400.0)


def test_a_slow_reader_is_not_counted_against_the_service() -> None:
    bench = Bench(generators=[ScriptedStream(ANSWER)])

    async def slow_reader() -> list[StreamEvent]:
        events = []
        async for event in bench.rag.stream("How?"):
            events.append(event)
            await asyncio.sleep(5.0)
        return events

    assert isinstance(in_virtual_time(slow_reader)[-1], AnswerDone)
    assert bench.circuits["generator.t1"].reported == [Outcome.OK]


def test_a_reader_that_stops_closes_the_stream_and_is_not_counted() -> None:
    bench = Bench(generators=[ScriptedStream(ANSWER)])

    async def impatient_reader() -> None:
        async with aclosing(bench.rag.stream("How?")) as events:
            async for event in events:
                if isinstance(event, AnswerPiece):
                    return

    in_virtual_time(impatient_reader)
    assert bench.circuits["generator.t1"].reported == [Outcome.CANCELLED]


def test_a_reader_cancelled_between_pieces_is_not_counted() -> None:
    generator = ScriptedStream(("It waits", HANGS))
    bench = Bench(generators=[generator])

    async def scenario() -> None:
        task = asyncio.create_task(all_of(bench))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_virtual_time(scenario)
    assert bench.circuits["generator.t1"].reported == [Outcome.CANCELLED]
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

    def test_a_probe_streams_like_any_other_call(self) -> None:
        bench, _ = self.probing(*ANSWER)
        assert pieces(streamed(bench)) == ["It waits, ", "then tries [2]."]
        assert bench.circuits["generator.t1"].reported == [Outcome.OK]

    def test_a_probe_runs_to_its_end_after_its_reader_stops(self) -> None:
        bench, generator = self.probing("It waits", HANGS, "and tries")

        async def scenario() -> None:
            async with aclosing(bench.rag.stream("How?")) as events:
                await anext(events)
            assert bench.circuits["generator.t1"].reported == []
            await asyncio.sleep(0.1)
            assert generator.released is not None
            generator.released.set()
            await bench.rag.aclose()

        in_virtual_time(scenario)
        assert bench.circuits["generator.t1"].reported == [Outcome.OK]

    def test_a_failing_probe_stream_is_reported_to_its_circuit_and_its_reader(self) -> None:
        bench, _ = self.probing("It waits", DOWN)
        assert isinstance(streamed(bench)[-1], AnswerBroken)
        assert bench.circuits["generator.t1"].reported == [Outcome.FAILED]

    @pytest.mark.parametrize(
        ("script", "outcome"), [((0.3, DOWN), Outcome.FAILED), ((), Outcome.FAILED), ((HANGS,), Outcome.TIMEOUT)]
    )
    def test_a_probe_that_ends_before_its_first_piece_is_a_failure(
        self, script: tuple[object, ...], outcome: Outcome
    ) -> None:
        bench, _ = self.probing(*script, bound_s=1.5)
        (text,) = pieces(streamed(bench))
        assert "No answer could be generated" in text
        assert bench.circuits["generator.t1"].reported == [outcome]

    def test_a_probe_still_streaming_when_its_lease_ends_is_a_success(self) -> None:
        bench, _ = self.probing("It ", 0.6, "waits, ", 0.6, "then ", 0.6, "tries.", bound_s=1.5)

        async def scenario() -> list[StreamEvent]:
            reading = asyncio.create_task(all_of(bench))
            await asyncio.sleep(1.4)
            assert bench.circuits["generator.t1"].reported == []
            await asyncio.sleep(0.2)
            assert bench.circuits["generator.t1"].reported == [Outcome.OK]
            return await reading

        events = in_virtual_time(scenario)
        assert isinstance(events[-1], AnswerDone)
        assert events[-1].answer.text == "It waits, then tries."

    def test_a_probe_that_fails_after_it_was_settled_still_counts_in_the_components_statistics(self) -> None:
        bench, _ = self.probing("It ", 0.9, "waits", 0.9, DOWN, bound_s=1.2)
        broken = streamed(bench)[-1]
        assert isinstance(broken, AnswerBroken)
        assert broken.answer.attempts[-1].outcome is Outcome.FAILED
        assert bench.circuits["generator.t1"].reported == [Outcome.OK]
        assert bench.rag.get_system_health()["generator.t1"].failures == 1

    @pytest.mark.parametrize(("silent_from_s", "outcome"), [(0.6, Outcome.TIMEOUT), (0.9, Outcome.OK)])
    def test_a_probe_silent_for_more_than_half_its_timeout_when_its_lease_ends_is_a_timeout(
        self, silent_from_s: float, outcome: Outcome
    ) -> None:
        bench, _ = self.probing(silent_from_s, "It waits", HANGS, bound_s=1.2)
        assert isinstance(streamed(bench)[-1], AnswerBroken)
        assert bench.circuits["generator.t1"].reported == [outcome]

    def test_a_first_piece_cut_short_by_the_lease_is_not_counted(self) -> None:
        bench, _ = self.probing(HANGS, bound_s=0.9)
        streamed(bench)
        assert bench.circuits["generator.t1"].reported == [Outcome.CANCELLED]


@pytest.mark.parametrize("question", ["", "x" * 8001])
def test_invalid_input_is_refused_before_the_first_event(question: str) -> None:
    bench = Bench()

    async def scenario() -> None:
        with pytest.raises(ConfigurationError):
            await anext(bench.rag.stream(question))

    in_virtual_time(scenario)
