"""The rerank stage: it chooses from more passages than the answer needs, and whatever it does, no passage is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import InvalidRequestError, MalformedReplyError, ServiceError
from ha_rag.events import TierFellBack
from ha_rag.messages import Answer, ComponentType
from ha_rag.outcomes import Outcome
from ha_rag.strategy.streaming import AnswerDone
from tests.strategy.scripted import HANGS, Scripted, passages
from tests.strategy.virtual_time import in_virtual_time
from tests.system.rag import Bench

DOWN = ServiceError("down", status=500)


def ask(bench: Bench, **options: Any) -> Answer:
    return in_virtual_time(lambda: bench.rag.query("How?", **options))


def given(bench: Bench) -> list[str]:
    """The passages that the generator was given."""
    return [passage.id for passage in bench.generators[0].component.calls[-1][1]]


def reranking(answer: Answer) -> list[tuple[str, str, str]]:
    return [(a.circuit, str(a.outcome), a.reason) for a in answer.attempts if a.circuit.startswith("reranker.")]


def first(count: int) -> list[str]:
    return [passage.id for passage in passages(count)]


def test_without_a_reranker_there_is_no_such_stage() -> None:
    bench = Bench()
    answer = ask(bench, top_k=3)
    assert "reranker" not in answer.served_by
    assert reranking(answer) == []
    assert bench.retrievers[0].component.calls[0][2] == 3
    assert bench.rag._pipeline.choices.preferred == {"embedder": "t1", "retriever": "t1", "generator": "t1"}


def test_the_best_of_thirty_candidates_are_given_to_the_generator_with_their_scores() -> None:
    bench = Bench(rerankers=[Scripted()])  # the last one found is the best
    answer = ask(bench, top_k=3)
    assert bench.retrievers[0].component.calls[0][2] == 30
    assert bench.rerankers[0].component.calls == [("How?", passages(30))]
    assert given(bench) == ["doc30#0", "doc29#0", "doc28#0"]
    assert [passage.score for passage in bench.generators[0].component.calls[0][1]] == [29.0, 28.0, 27.0]
    assert list(answer.served_by.items()) == [
        ("embedder", "t1"), ("retriever", "t1"), ("reranker", "t1"), ("generator", "t1"),
    ]  # fmt: skip
    assert reranking(answer) == [("reranker.t1", "ok", "")]
    assert not answer.degraded


def test_a_reranker_says_how_many_candidates_it_wants_and_gets_no_fewer_than_the_answer_needs() -> None:
    narrow = Scripted()
    narrow.candidates = 5  # type: ignore[attr-defined]  # an optional attribute of rerankers
    bench = Bench(rerankers=[narrow])
    ask(bench, top_k=2)
    ask(bench, top_k=8)
    assert [call[2] for call in bench.retrievers[0].component.calls] == [5, 8]
    assert [len(call[1]) for call in narrow.calls] == [5, 8]


def test_equal_scores_keep_the_order_in_which_passages_were_found() -> None:
    bench = Bench(rerankers=[Scripted((lambda: [0.5] * 30,))])
    ask(bench, top_k=3)
    assert given(bench) == first(3)


REPLIES: dict[str, Callable[[], object]] = {
    "fewer scores": lambda: [1.0] * 29,
    "more scores": lambda: [1.0] * 31,
    "none": list,
    "NaN": lambda: [math.nan] * 30,
    "infinity": lambda: [1.0] * 29 + [math.inf],
    "strings": lambda: ["1.0"] * 30,
    "truth values": lambda: [True] * 30,
    "nothing": dict,
    "a string": lambda: "x" * 30,
    "digits without end": lambda: [10**400] * 30,
}


@pytest.mark.parametrize("reply", REPLIES)
def test_a_reply_that_cannot_be_used_is_a_failed_attempt_and_the_order_of_retrieval_stays(reply: str) -> None:
    bench = Bench(rerankers=[Scripted((REPLIES[reply],))])
    answer = ask(bench, top_k=3)
    (circuit, outcome, reason), last = reranking(answer)
    assert (circuit, outcome) == ("reranker.t1", "failed")
    assert "score" in reason
    assert last == ("reranker.none", "ok", "")
    assert given(bench) == first(3)
    assert answer.served_by["reranker"] == "none"
    assert answer.degraded_stages == ("reranker",)
    assert bench.circuits["reranker.t1"].reported == [Outcome.FAILED]


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        (DOWN, "failed"),
        (MalformedReplyError("no"), "failed"),
        (InvalidRequestError("too long", status=413), "invalid"),
        (RuntimeError("a bug"), "failed"),
        (HANGS, "timeout"),
    ],
)
def test_however_a_reranker_fails_the_answer_is_given_from_what_was_found(step: object, outcome: str) -> None:
    bench = Bench(rerankers=[Scripted((step,))])
    answer = ask(bench, top_k=3)
    assert [each[:2] for each in reranking(answer)] == [("reranker.t1", outcome), ("reranker.none", "ok")]
    assert given(bench) == first(3)
    (fell_back,) = [event for event in bench.events if isinstance(event, TierFellBack)]
    assert (fell_back.stage, fell_back.first, fell_back.served_by) == ("reranker", "t1", "none")


def test_the_next_reranker_takes_over() -> None:
    bench = Bench(rerankers=[Scripted((DOWN,)), Scripted()])
    answer = ask(bench, top_k=2)
    assert answer.served_by["reranker"] == "t2"
    assert answer.degraded_stages == ("reranker",)
    assert given(bench) == ["doc30#0", "doc29#0"]


def test_an_open_circuit_is_not_called() -> None:
    bench = Bench(rerankers=[Scripted()])
    bench.circuits["reranker.t1"].state = CircuitState.OPEN
    answer = ask(bench, top_k=3)
    assert [each[:2] for each in reranking(answer)] == [("reranker.t1", "rejected"), ("reranker.none", "ok")]
    assert bench.rerankers[0].component.calls == []
    assert given(bench) == first(3)


@pytest.mark.parametrize("found", [0, 1])
def test_where_there_is_nothing_to_rank_the_stage_does_not_run(found: int) -> None:
    bench = Bench(retrievers=[Scripted((lambda: passages(found),))], rerankers=[Scripted()])
    answer = ask(bench)
    assert "reranker" not in answer.served_by
    assert not answer.degraded
    assert bench.rerankers[0].component.calls == []
    assert given(bench) == first(found)


def test_a_deadline_that_leaves_no_room_skips_it_and_the_generators_keep_their_time() -> None:
    # Two generators need 0.1 s each, the reranker 0.1 s: with 0.25 s there is no room for all.
    bench = Bench(rerankers=[Scripted((HANGS,))])
    answer = ask(bench, top_k=3, timeout_s=0.25)
    assert reranking(answer) == [("reranker.t1", "skipped", "no time left"), ("reranker.none", "ok", "")]
    assert answer.served_by["generator"] == "t1"
    assert answer.degraded_stages == ("reranker",)
    assert given(bench) == first(3)


def test_a_reranker_that_hangs_takes_no_more_than_the_generators_can_spare() -> None:
    bench = Bench(rerankers=[Scripted((HANGS,))])
    answer = ask(bench, top_k=3, timeout_s=0.5)
    (hung, *_) = [attempt for attempt in answer.attempts if attempt.circuit == "reranker.t1"]
    assert hung.outcome is Outcome.CANCELLED
    assert hung.ms == pytest.approx(300, abs=2)
    assert answer.served_by["generator"] == "t1"
    assert bench.circuits["reranker.t1"].reported == [Outcome.CANCELLED]  # which counts for nothing


def test_it_takes_no_time_from_the_stages_before_it() -> None:
    def limits(bench: Bench) -> list[float]:
        answer = ask(bench, timeout_s=1.0)
        return [attempt.ms for attempt in answer.attempts if attempt.circuit.startswith(("embedder.t", "retriever.t"))]

    hanging = Scripted((HANGS,))
    assert limits(Bench(embedders=[hanging], rerankers=[Scripted()])) == limits(Bench(embedders=[hanging]))


def test_a_stream_is_written_from_the_reranked_passages() -> None:
    bench = Bench(rerankers=[Scripted()])

    async def streamed() -> Answer:
        (done,) = [event async for event in bench.rag.stream("How?", top_k=2) if isinstance(event, AnswerDone)]
        return done.answer

    answer = in_virtual_time(streamed)
    assert answer.served_by["reranker"] == "t1"
    assert given(bench) == ["doc30#0", "doc29#0"]


def test_passages_asked_for_alone_are_reranked_for_a_question_and_not_without_one() -> None:
    bench = Bench(rerankers=[Scripted()])

    async def both() -> tuple[list[str], list[str]]:
        embedding = await bench.rag.get_embedding("How?")
        asked = await bench.rag.get_relevant_documents(embedding, 2, question="How?")
        unasked = await bench.rag.get_relevant_documents(embedding, 2)
        return [passage.id for passage in asked], [passage.id for passage in unasked]

    assert in_virtual_time(both) == (["doc30#0", "doc29#0"], first(2))


def test_its_circuit_is_in_the_health_of_the_pipeline_between_retrievers_and_generators() -> None:
    bench = Bench(rerankers=[Scripted()])
    assert list(bench.rag.get_system_health()) == [
        "embedder.t1", "embedder.t2", "retriever.t1", "retriever.t2", "reranker.t1", "generator.t1", "generator.t2",
    ]  # fmt: skip
    assert bench.rag.get_system_health()["reranker.t1"].component_type is ComponentType.RERANKER
