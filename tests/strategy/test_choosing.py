"""Choices: by measured quality, among the plans that are up and fit in the time; figures may be replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.messages import AnswerQuality
from ha_rag.strategy import QualityTable
from tests.strategy.scripted import Scripted
from tests.system.rag import Bench
from tests.system.test_query import ask, outcomes

PLANS: dict[tuple[str, str] | tuple[str, str, str], float] = {
    ("t1", "t1", "none"): 0.4,
    ("t1", "t1", "t1"): 0.6,
    ("t1", "t2", "none"): 0.3,
    ("t1", "t2", "t1"): 0.3,
    ("t2", "t1", "none"): 0.38,
    ("t2", "t1", "t1"): 0.5,
    ("zero", "t1", "none"): 0.39,
    ("zero", "t1", "t1"): 0.45,
}
ANSWERS = {("t1", "t1", "t1", "t1"): 0.5, ("t1", "t1", "t1", "t2"): 0.9, ("t1", "t1", "none", "t1"): 0.8}
TABLE = QualityTable("ndcg@10", PLANS, answers=ANSWERS, measured_on="handbook", source="profile")


def bench(table: QualityTable = TABLE) -> Bench:
    return Bench(rerankers=[Scripted()], quality=table)


def test_the_best_plan_and_the_best_generator_serve_and_are_not_degraded() -> None:
    answer = ask(bench())
    assert answer.served_by == {"embedder": "t1", "retriever": "t1", "reranker": "t1", "generator": "t2"}
    assert not answer.degraded
    assert answer.quality is not None
    assert (answer.quality.measured_on, answer.quality.source) == ("handbook", "profile")
    assert answer.quality.answers is not None
    assert answer.quality.answers.expected == 0.9


def test_the_last_resort_s_list_of_passages_is_never_what_is_preferred() -> None:
    plan = ("t1", "t1", "t1")
    one = bench(replace(TABLE, answers={(*plan, "t1"): 0.5, (*plan, "plain"): 0.9}))
    answer = ask(one)
    assert (answer.served_by["generator"], answer.degraded) == ("t1", False)


def test_with_the_best_generator_out_the_next_best_serves_not_the_next_of_the_list() -> None:
    plan = ("t1", "t1", "t1")
    figures = {(*plan, "t1"): 0.5, (*plan, "t2"): 0.7, (*plan, "t3"): 0.9}
    generators = [Scripted() for _ in range(3)]
    one = Bench(rerankers=[Scripted()], generators=generators, quality=replace(TABLE, answers=figures))
    served = [ask(one)]
    for best in ("generator.t3", "generator.t2"):
        one.circuits[best].state = CircuitState.OPEN
        served.append(ask(one))
    assert [answer.served_by["generator"] for answer in served] == ["t3", "t2", "t1"]
    assert [answer.degraded_stages for answer in served] == [(), ("generator",), ("generator",)]
    assert [answer.quality and answer.quality.answers for answer in served] == [
        AnswerQuality(figure, 0.9, "gold") for figure in (0.9, 0.7, 0.5)
    ]


def test_with_the_reranker_out_words_beat_the_second_embedder() -> None:
    one = bench()
    one.circuits["embedder.t1"].state = CircuitState.OPEN
    assert ask(one).served_by["embedder"] == "t2"
    one.circuits["reranker.t1"].state = CircuitState.OPEN
    answer = ask(one)
    assert answer.served_by["embedder"] == "zero"
    assert ("embedder.t2", "skipped") in outcomes(answer)


def test_a_reranker_that_does_not_help_is_not_called() -> None:
    one = bench()
    one.circuits["retriever.t1"].state = CircuitState.OPEN
    answer = ask(one)
    assert (answer.served_by["retriever"], answer.served_by["reranker"]) == ("t2", "none")
    assert one.rerankers[0].component.calls == []


def test_a_plan_that_does_not_fit_in_the_time_is_left_for_one_that_does() -> None:
    slow = replace(TABLE, seconds={"embedder.t1": 20.0})
    assert ask(bench(slow)).served_by["embedder"] == "t1"
    answer = ask(bench(slow), timeout_s=10.0)
    assert answer.served_by["embedder"] == "t2"


def test_time_is_kept_for_the_best_generator() -> None:
    slow = replace(TABLE, seconds={"embedder.t1": 4.0, "generator.t2": 7.0})
    answer = ask(bench(slow), timeout_s=10.0)
    assert (answer.served_by["embedder"], answer.served_by["generator"]) == ("t2", "t1")
    assert ask(bench(slow), timeout_s=12.0).served_by["embedder"] == "t1"


def test_a_generator_that_does_not_fit_in_the_time_is_called_last() -> None:
    slow = replace(TABLE, seconds={"generator.t2": 20.0})
    assert ask(bench(slow), timeout_s=10.0).served_by["generator"] == "t1"


def test_new_figures_count_for_the_next_question() -> None:
    one = bench()
    one.rag.use_quality(QualityTable("ndcg@10", {("t2", "t2"): 0.9}))
    answer = ask(one)
    assert (answer.served_by["embedder"], answer.served_by["retriever"]) == ("t2", "t2")
    assert not answer.degraded
    one.rag.use_quality(None)
    answer = ask(one)
    assert (answer.served_by["embedder"], answer.quality) == ("t1", None)


def test_shipped_figures_say_what_to_expect_and_choose_nothing() -> None:
    shipped = QualityTable("ndcg@10", {("t1", "t1"): 0.3, ("t2", "t2"): 0.9}, source="shipped")
    answer = ask(bench(shipped))
    assert (answer.served_by["embedder"], answer.degraded) == ("t1", False)


@pytest.mark.parametrize(
    ("out", "expected", "of_texts"),
    [
        ([], 0.6, 0.9),
        (["generator.t2"], 0.6, 0.5),
        (["reranker.t1"], 0.4, 0.8),
        (["embedder.t1"], 0.5, None),
        (["embedder.t1", "reranker.t1"], 0.39, None),
        (["embedder.t1", "embedder.t2", "reranker.t1"], 0.39, None),
    ],
)
def test_what_to_expect_now_is_what_an_answer_then_says(
    out: list[str], expected: float, of_texts: float | None
) -> None:
    one = bench()
    for circuit in out:
        one.circuits[circuit].state = CircuitState.OPEN
    foreseen = one.rag.expected_quality()
    assert foreseen is not None
    assert (foreseen.expected, foreseen.best) == (expected, 0.6)
    assert (foreseen.answers and foreseen.answers.expected) == of_texts
    assert ask(one).quality == foreseen


def test_without_figures_nothing_is_expected() -> None:
    assert Bench().rag.expected_quality() is None
