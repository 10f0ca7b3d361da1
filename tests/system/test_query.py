"""HighAvailabilityRAG.query: fallbacks, deadlines, cancellation, events, quality and health."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import ConfigurationError, InvalidRequestError, ServiceError
from ha_rag.events import QuestionAnswered, TierFellBack
from ha_rag.messages import Answer, Embedding, Generation
from ha_rag.outcomes import Outcome
from ha_rag.sharing import Freshness
from ha_rag.strategy import QualityTable
from tests.strategy.scripted import HANGS, SPACE, Scripted, passages
from tests.strategy.virtual_time import LoopClock, in_virtual_time
from tests.system.rag import Bench

DOWN = ServiceError("down", status=500)


def ask(bench: Bench, question: str = "How?", **options: Any) -> Answer:
    return in_virtual_time(lambda: bench.rag.query(question, **options))


def outcomes(answer: Answer) -> list[tuple[str, str]]:
    return [(attempt.circuit, str(attempt.outcome)) for attempt in answer.attempts]


def test_if_nothing_fails_the_first_tiers_answer_and_nothing_is_degraded() -> None:
    answer = ask(Bench())
    assert str(answer) == "It waits, then it tries [2]."
    assert answer.served_by == {"embedder": "t1", "retriever": "t1", "generator": "t1"}
    assert outcomes(answer) == [("embedder.t1", "ok"), ("retriever.t1", "ok"), ("generator.t1", "ok")]
    assert not answer.degraded
    assert answer.quality is None
    assert (answer.replica, answer.shared_state) == ("rag-1", "fresh")


def test_each_stage_gets_the_previous_stages_result() -> None:
    bench = Bench()
    ask(bench, " How? ", top_k=2)
    (question, embedding, top_k) = bench.retrievers[0].component.calls[0]
    assert (question, embedding.space, top_k) == ("How?", SPACE, 2)
    assert bench.generators[0].component.calls == [("How?", passages(2))]


def test_every_answer_has_a_unique_id() -> None:
    bench = Bench()
    assert ask(bench).id != ask(bench).id


def test_citations_have_the_numbers_used_in_the_text() -> None:
    (only,) = ask(Bench()).citations
    assert (only.n, only.document, only.passage, only.text, only.score) == (2, "doc2", "doc2#0", "text 2", 0.5)


@pytest.mark.parametrize(
    ("cited", "numbers"), [((), [1, 2, 3]), ((3, 1, 3), [1, 3]), ((0, 2, 9), [2]), ((9,), [1, 2, 3])]
)
def test_without_valid_citations_all_passages_are_cited(cited: tuple[int, ...], numbers: list[int]) -> None:
    answer = ask(Bench(generators=[Scripted((Generation("So.", cited),))]))
    assert [citation.n for citation in answer.citations] == numbers


def test_a_stage_served_by_another_tier_is_reported_as_degraded() -> None:
    answer = ask(Bench(embedders=[Scripted((DOWN,)), Scripted()]))
    assert answer.degraded_stages == ("embedder",)
    assert answer.served_by["embedder"] == "t2"
    assert outcomes(answer)[:2] == [("embedder.t1", "failed"), ("embedder.t2", "ok")]


def test_if_every_tier_of_every_stage_fails_there_is_still_an_answer() -> None:
    def failing() -> list[Scripted]:
        return [Scripted((DOWN,)), Scripted((ValueError("bug"),))]

    answer = ask(Bench(failing(), failing(), failing()))
    assert answer.served_by == {"embedder": "zero", "retriever": "none", "generator": "plain"}
    assert answer.degraded_stages == ("embedder", "retriever", "generator")
    assert answer.text
    assert answer.citations == ()


def test_if_only_the_generators_fail_the_plain_sentence_lists_the_passages() -> None:
    answer = ask(Bench(generators=[Scripted((DOWN,))]))
    assert answer.served_by["generator"] == "plain"
    assert "[1] Title 1" in answer.text
    assert [citation.n for citation in answer.citations] == [1, 2, 3]


def test_with_every_circuit_open_nothing_is_sent_and_the_answer_is_immediate() -> None:
    bench = Bench()
    for breaker in bench.circuits.breakers.values():
        breaker.state = CircuitState.OPEN
    answer = ask(bench)
    assert {outcome for circuit, outcome in outcomes(answer) if not circuit.endswith(("zero", "none", "plain"))} == {
        "rejected"
    }
    assert answer.ms == 0.0
    assert all(tier.component.calls == [] for tier in bench.embedders + bench.retrievers + bench.generators)


class TestVectorSpaces:
    """Embeddings are passed on unchanged: only the embedder and the retriever know their space."""

    def test_the_second_embedders_vector_keeps_its_own_space(self) -> None:
        bench = Bench(embedders=[Scripted((DOWN,)), Scripted(space=SPACE.__class__("other", "1", 4))])
        ask(bench)
        embedding = bench.retrievers[0].component.calls[0][1]
        assert embedding.space.model == "other"

    def test_if_the_embedders_fail_retrievers_get_a_zero_vector_without_a_space(self) -> None:
        bench = Bench(embedders=[Scripted((DOWN,))])
        answer = ask(bench)
        question, embedding, _ = bench.retrievers[0].component.calls[0]
        assert question == "How?"
        assert embedding.space is None
        assert embedding.vector.shape == (4,)
        assert answer.served_by["retriever"] == "t1"

    def test_a_vector_of_the_wrong_dimension_is_a_failure(self) -> None:
        wrong = Embedding(np.ones(9, np.float32), SPACE)
        answer = ask(Bench(embedders=[Scripted((wrong,)), Scripted()]))
        assert outcomes(answer)[0] == ("embedder.t1", "failed")
        assert "9 dimensions" in answer.attempts[0].reason


class TestBadInput:
    @pytest.mark.parametrize(
        ("question", "options"),
        [("", {}), ("\x00", {}), ("x" * 8001, {}), ("\ud800", {}), ("why?", {"top_k": 0}), ("why?", {"timeout_s": 0})],
    )
    def test_an_invalid_question_is_refused_before_anything_is_called(
        self, question: str, options: dict[str, Any]
    ) -> None:
        bench = Bench()
        with pytest.raises(ConfigurationError):
            ask(bench, question, **options)
        assert bench.embedders[0].component.calls == []

    def test_html_is_kept_and_control_characters_become_spaces(self) -> None:
        answer = ask(Bench(), "<img onerror=alert(1)>\x07 why?")
        assert answer.question == "<img onerror=alert(1)>  why?"

    @pytest.mark.parametrize("reply", [None, "text", object()])
    def test_a_component_that_returns_an_invalid_reply_is_skipped(self, reply: object) -> None:
        def odd() -> list[Scripted]:
            return [Scripted((lambda: reply,)), Scripted()]

        answer = ask(Bench(odd(), odd(), odd()))
        assert set(answer.served_by.values()) == {"t2"}

    def test_a_prompt_that_the_service_rejects_goes_to_the_next_tier_and_is_not_counted(self) -> None:
        bench = Bench(generators=[Scripted((InvalidRequestError("content policy", status=400),)), Scripted()])
        answer = ask(bench)
        assert answer.served_by["generator"] == "t2"
        assert bench.circuits["generator.t1"].reported == [Outcome.INVALID]


class TestDeadlines:
    @pytest.mark.parametrize("timeout_s", [0.01, 0.2, 1.0, 2.5, 30.0])
    def test_if_everything_hangs_the_answer_still_meets_the_deadline(self, timeout_s: float) -> None:
        def hanging() -> list[Scripted]:
            return [Scripted((HANGS,)), Scripted((HANGS,))]

        answer = ask(Bench(hanging(), hanging(), hanging()), timeout_s=timeout_s)
        assert answer.ms <= 1000 * timeout_s + 0.001
        assert answer.text

    def test_a_hanging_embedder_leaves_time_for_later_stages(self) -> None:
        answer = ask(Bench(embedders=[Scripted((HANGS,)), Scripted((HANGS,))]), timeout_s=1.0)
        assert answer.served_by == {"embedder": "zero", "retriever": "t1", "generator": "t1"}

    def test_a_question_without_a_deadline_gets_the_systems_default(self) -> None:
        answer = ask(Bench(embedders=[Scripted((HANGS,))], request_timeout_s=0.5))
        assert outcomes(answer)[0] == ("embedder.t1", "cancelled")


class TestCancellation:
    @pytest.mark.parametrize("stage", ["embedder", "retriever", "generator"])
    def test_cancelling_at_any_stage_is_not_counted(self, stage: str) -> None:
        hanging: dict[str, Any] = {f"{stage}s": [Scripted((HANGS,))]}
        bench = Bench(**hanging)

        async def scenario() -> None:
            task = asyncio.create_task(bench.rag.query("How?"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        in_virtual_time(scenario)
        assert bench.circuits[f"{stage}.t1"].reported == [Outcome.CANCELLED]
        assert bench.events == []

    def test_cancelling_before_the_first_step_sends_nothing(self) -> None:
        bench = Bench()

        async def scenario() -> None:
            task = asyncio.create_task(bench.rag.query("How?"))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        in_virtual_time(scenario)
        assert bench.embedders[0].component.calls == []


class TestSingleStages:
    def test_each_stage_is_usable_on_its_own(self) -> None:
        bench = Bench()

        async def scenario() -> Generation:
            embedding = await bench.rag.get_embedding("How?")
            documents = await bench.rag.get_relevant_documents(embedding, top_k=2, question="How?")
            return await bench.rag.generate_response("How?", documents)

        assert in_virtual_time(scenario).text == "It waits, then it tries [2]."
        assert bench.generators[0].component.calls == [("How?", passages(2))]

    def test_a_single_stage_falls_back_too(self) -> None:
        bench = Bench(embedders=[Scripted((DOWN,))])
        embedding = in_virtual_time(lambda: bench.rag.get_embedding("How?"))
        assert embedding.space is None

    @pytest.mark.parametrize("text", ["", " ", "x" * 8001])
    def test_a_single_stage_validates_its_arguments(self, text: str) -> None:
        rag = Bench().rag
        with pytest.raises(ConfigurationError):
            in_virtual_time(lambda: rag.get_embedding(text))
        with pytest.raises(ConfigurationError):
            in_virtual_time(lambda: rag.generate_response(text, []))
        with pytest.raises(ConfigurationError):
            in_virtual_time(lambda: rag.get_relevant_documents(Embedding(np.zeros(4, np.float32), None), top_k=0))


class TestSharedState:
    def test_an_answer_reports_the_worst_freshness_of_its_circuits(self) -> None:
        bench = Bench()
        bench.circuits["retriever.t1"].shared_state = Freshness.STALE
        assert ask(bench).shared_state == "stale"
        bench.circuits["generator.t1"].shared_state = Freshness.LOCAL
        assert ask(bench).shared_state == "local"

    def test_circuits_that_were_not_used_do_not_matter(self) -> None:
        bench = Bench()
        bench.circuits["embedder.t2"].shared_state = Freshness.LOCAL
        assert ask(bench).shared_state == "fresh"


class TestEvents:
    def test_a_normal_answer_is_announced_once_without_its_text(self) -> None:
        bench = Bench()
        answer = ask(bench)
        (event,) = bench.events
        assert isinstance(event, QuestionAnswered)
        assert (event.answer, event.replica, event.served_by) == (answer.id, "rag-1", answer.served_by)
        assert "question" not in {field.name for field in fields(event)}

    def test_each_stage_that_fell_back_is_announced_with_its_attempts(self) -> None:
        bench = Bench(retrievers=[Scripted((DOWN,)), Scripted()])
        ask(bench)
        fell_back, answered = bench.events
        assert isinstance(fell_back, TierFellBack)
        assert (fell_back.stage, fell_back.first, fell_back.served_by) == ("retriever", "t1", "t2")
        assert [attempt.circuit for attempt in fell_back.attempts] == ["retriever.t1", "retriever.t2"]
        assert isinstance(answered, QuestionAnswered)
        assert answered.degraded_stages == ("retriever",)

    def test_a_failing_sink_affects_neither_the_question_nor_the_other_sinks(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        received: list[object] = []

        def broken(event: object) -> None:
            raise RuntimeError("disk full")

        answer = ask(Bench(sinks=[broken, received.append]))
        assert answer.text
        assert len(received) == 1
        assert "failed on QuestionAnswered" in caplog.text


class TestQuality:
    FIGURES = QualityTable(
        "ndcg@10",
        {("t1", "t1"): 0.38, ("t1", "t2"): 0.3, ("t2", "t1"): 0.34, ("t2", "t2"): 0.35, ("zero", "t2"): 0.36},
    )

    def test_the_best_plan_serves_and_the_answer_has_its_expected_quality(self) -> None:
        answer = ask(Bench(quality=self.FIGURES))
        assert answer.quality is not None
        assert (answer.quality.expected, answer.quality.best, answer.quality.metric) == (0.38, 0.38, "ndcg@10")
        assert not answer.degraded

    def test_without_the_best_embedder_keyword_search_goes_before_a_weaker_embedder(self) -> None:
        bench = Bench(quality=self.FIGURES)
        bench.circuits["embedder.t1"].state = CircuitState.OPEN
        answer = ask(bench)
        assert answer.served_by == {"embedder": "zero", "retriever": "t2", "generator": "t1"}
        assert answer.degraded_stages == ("embedder", "retriever")
        assert answer.quality is not None
        assert (answer.quality.expected, answer.quality.best) == (0.36, 0.38)
        assert bench.embedders[1].component.calls == []
        assert ("embedder.t2", "skipped") in outcomes(answer)

    def test_without_the_best_retriever_too_the_weaker_embedder_is_called(self) -> None:
        bench = Bench(quality=self.FIGURES)
        bench.circuits["embedder.t1"].state = CircuitState.OPEN
        bench.circuits["retriever.t2"].state = CircuitState.OPEN
        assert ask(bench).served_by["embedder"] == "t2"

    def test_a_half_open_best_plan_still_gets_its_probe(self) -> None:
        bench = Bench(quality=self.FIGURES)
        bench.circuits["embedder.t1"].state = CircuitState.HALF_OPEN
        bench.circuits["embedder.t1"].grants_soon = True
        assert ask(bench).served_by["embedder"] == "t1"

    def test_an_unmeasured_plan_has_no_expected_quality(self) -> None:
        answer = ask(Bench(quality=QualityTable("ndcg@10", {("t1", "t1"): 0.38}), embedders=[Scripted((DOWN,))]))
        assert answer.quality is None


class TestHealth:
    def test_health_lists_every_component_with_a_circuit_in_order(self) -> None:
        bench = Bench(embedders=[Scripted((DOWN, None)), Scripted()])
        ask(bench)
        ask(bench)
        bench.circuits["retriever.t2"].state = CircuitState.OPEN
        health = bench.rag.get_system_health()
        assert list(health) == [f"{stage}.t{n}" for stage in ("embedder", "retriever", "generator") for n in (1, 2)]
        first = health["embedder.t1"]
        assert (first.calls, first.failures, first.get_failure_rate()) == (2, 1, 0.5)
        assert first.last_error == "ServiceError: down"
        assert health["embedder.t2"].calls == 1
        assert health["retriever.t2"].state == "open"

    def test_refusals_are_counted_separately_from_calls(self) -> None:
        bench = Bench()
        bench.circuits["embedder.t1"].state = CircuitState.OPEN
        ask(bench)
        status = bench.rag.get_system_health()["embedder.t1"]
        assert (status.calls, status.rejected) == (0, 1)


class TestSynchronousPrograms:
    def test_a_program_without_an_event_loop_asks_with_query_sync(self) -> None:
        bench = Bench(clock=None)
        try:
            assert bench.rag.query_sync("How?").text == bench.rag.query_sync("How?", top_k=1).text
        finally:
            bench.rag.close()

    async def test_query_sync_inside_an_event_loop_says_what_to_do_instead(self) -> None:
        rag = Bench().rag
        with pytest.raises(RuntimeError, match="await query"):
            rag.query_sync("How?")

    def test_query_sync_refuses_invalid_input(self) -> None:
        bench = Bench(clock=None)
        try:
            with pytest.raises(ConfigurationError):
                bench.rag.query_sync("")
        finally:
            bench.rag.close()

    def test_closing_an_unused_system_is_allowed(self) -> None:
        Bench().rag.close()


async def test_closing_the_system_waits_for_a_running_probe() -> None:
    embedder = Scripted((HANGS,))
    bench = Bench(embedders=[embedder], clock=None)
    bench.circuits["embedder.t1"].probing = True
    async with bench.rag:
        await bench.rag.query("How?", timeout_s=0.02)
        assert bench.circuits["embedder.t1"].reported == []
        assert embedder.released is not None
        embedder.released.set()
    assert bench.circuits["embedder.t1"].reported == [Outcome.OK]


def test_an_answers_duration_is_measured_with_the_given_clock() -> None:
    def slow() -> Embedding:
        LoopClock.busy(0.25)
        return Embedding(np.full(4, 0.5, np.float32), SPACE)

    answer = ask(Bench(embedders=[Scripted((slow,))]))
    assert answer.ms == pytest.approx(250.0)
