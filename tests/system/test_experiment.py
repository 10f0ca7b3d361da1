"""A question is answered by its arm's tiers, and falls back to the others as ever."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import ServiceError
from ha_rag.events import QuestionAnswered, TierFellBack
from ha_rag.messages import AssignedArm, Generation
from ha_rag.strategy import QualityTable
from ha_rag.strategy.answer_cache import AnswerCache
from ha_rag.strategy.cache_access import CacheAccess
from ha_rag.strategy.experiment import Arm, Experiment
from ha_rag.strategy.streaming import AnswerDone, AnswerStarted
from tests.strategy.memory_cache import MemoryCache
from tests.strategy.scripted import Scripted, ScriptedStream
from tests.strategy.virtual_time import LoopClock, in_virtual_time
from tests.system.rag import Bench


def quickly(scenario: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that takes virtual time."""

    @functools.wraps(scenario)
    def test() -> None:
        in_virtual_time(scenario)

    return test


ORDERS = {
    "embedder": ["t1", "t2", "zero"],
    "retriever": ["t1", "t2", "none"],
    "reranker": ["t1", "none"],
    "generator": ["t1", "t2", "plain"],
}


def bench(firsts: Mapping[str, str], **options: Any) -> Bench:
    """A RAG whose second arm calls these tiers first."""
    experiment = Experiment("trial", [Arm("usual"), Arm("other", 1, firsts)], ORDERS)
    return Bench(rerankers=[Scripted()], experiment=experiment, **options)


def asker(arm: str) -> str:
    """Somebody who is given this arm."""
    split = Experiment("trial", [Arm("usual"), Arm("other", 1, {"generator": "t2"})], ORDERS)
    return next(name for name in (f"person {n}" for n in range(100)) if split.assign(name)[0].arm == arm)


@quickly
async def test_each_arm_calls_its_own_tiers_first_and_neither_is_degraded():
    firsts = {"embedder": "t2", "retriever": "t2", "reranker": "none", "generator": "t2"}
    rag = bench(firsts).rag
    usual, other = [await rag.query("How?", asker=asker(arm)) for arm in ("usual", "other")]
    assert usual.served_by == {"embedder": "t1", "retriever": "t1", "reranker": "t1", "generator": "t1"}
    assert other.served_by == {"embedder": "t2", "retriever": "t2", "reranker": "none", "generator": "t2"}
    assert not usual.degraded
    assert not other.degraded
    assert other.experiment is not None
    assert (other.experiment.experiment, other.experiment.arm, other.experiment.sticky) == ("trial", "other", True)
    assert other.experiment.as_assigned


@quickly
async def test_an_arm_may_search_by_words_alone():
    made = bench({"embedder": "zero"})
    answer = await made.rag.query("How?", asker=asker("other"))
    assert answer.served_by["embedder"] == "zero"
    assert not answer.degraded
    assert not made.embedders[0].component.calls


@quickly
async def test_where_the_circuit_of_an_arm_is_open_the_usual_tiers_answer_and_that_is_told():
    made = bench({"generator": "t2"})
    made.circuits["generator.t2"].state = CircuitState.OPEN
    made.circuits["embedder.t1"].state = CircuitState.OPEN
    usual, other = [await made.rag.query("How?", asker=asker(arm)) for arm in ("usual", "other")]
    assert other.served_by["generator"] == "t1"
    assert other.degraded_stages == ("embedder", "generator")
    assert usual.degraded_stages == ("embedder",)
    assert other.experiment is not None
    assert usual.experiment is not None
    assert not other.experiment.as_assigned, "assigned to it all the same"
    assert other.experiment.arm == "other"
    assert usual.experiment.as_assigned, "the embedders are the same in both arms"
    fallbacks = [event for event in made.events if isinstance(event, TierFellBack) and event.stage == "generator"]
    assert [(event.first, event.served_by) for event in fallbacks] == [("t2", "t1")]
    told = [event.experiment for event in made.events if isinstance(event, QuestionAnswered)]
    assert [assigned.arm for assigned in told if assigned] == ["usual", "other"]


@quickly
async def test_without_an_experiment_nothing_is_told():
    answer = await Bench().rag.query("How?", asker="somebody")
    assert answer.experiment is None


@quickly
async def test_a_stream_knows_its_arm_before_its_text():
    given: list[tuple[dict[str, str], tuple[str, ...], AssignedArm | None]] = []

    def new_id(served_by: Mapping[str, str], degraded: Collection[str], assigned: AssignedArm | None) -> str:
        given.append((dict(served_by), tuple(degraded), assigned))
        return "an id"

    streams = [ScriptedStream(("one",)), ScriptedStream(("two",))]
    made = bench({"generator": "t2"}, generators=streams, new_id=new_id)
    async with aclosing(made.rag.stream("How?", asker=asker("other"))) as events:
        seen = [event async for event in events]
    assert isinstance(seen[0], AnswerStarted)
    assert seen[0].served_by["generator"] == "t2"
    assert isinstance(seen[-1], AnswerDone)
    assert seen[-1].answer.text == "two"
    ((_, degraded, assigned),) = given
    assert degraded == ()
    assert assigned is not None
    assert assigned.arm == "other"


@quickly
async def test_each_arm_is_given_its_own_earlier_answers_only():
    store = MemoryCache()
    access = CacheAccess(store, max_bytes=10_000, clock=LoopClock())
    cache = AnswerCache(access, corpus=lambda: "1", identity=lambda name: name, clock=LoopClock())
    generators = [Scripted((Generation("One [1].", (1,)),)), Scripted((Generation("Two [1].", (1,)),))]
    made = bench({"generator": "t2"}, generators=generators, answer_cache=cache)
    for arm in ("usual", "other"):
        await made.rag.query("How?", asker=asker(arm))
    await asyncio.sleep(0.001)  # what is kept is kept in the background
    for generator in generators:
        generator.script = (ServiceError("out"),)
    texts = [(await made.rag.query("How?", asker=asker(arm))).text for arm in ("usual", "other")]
    assert ["One" in text for text in texts] == [True, False]
    assert ["Two" in text for text in texts] == [False, True]


@quickly
async def test_beside_measured_quality_an_arm_decides_for_its_own_stages_only():
    figures = {("t1", "t1"): 0.3, ("t2", "t1"): 0.4, ("t1", "t2"): 0.1, ("t2", "t2"): 0.2}
    experiment = Experiment("trial", [Arm("best"), Arm("other", 1, {"embedder": "t1"})], ORDERS, by_quality=True)
    made = Bench(quality=QualityTable("ndcg@10", figures), experiment=experiment)
    served = {}
    for n in range(20):
        answer = await made.rag.query("How?", asker=f"person {n}")
        assert answer.experiment is not None
        assert not answer.degraded
        served[answer.experiment.arm] = answer.served_by["embedder"], answer.served_by["retriever"]
    assert served == {"best": ("t2", "t1"), "other": ("t1", "t1")}
