"""Caches: an embedding is asked for first, and the last good answer once every service that writes answers is out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import numpy as np
import orjson
import pytest

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import ServiceError
from ha_rag.messages import Answer, AnswerQuality, Embedding, Generation
from ha_rag.strategy import QualityTable
from ha_rag.strategy.answer_cache import AnswerCache
from ha_rag.strategy.cache_access import CacheAccess
from ha_rag.strategy.embedding_cache import CachedEmbeddings
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece
from tests.strategy.memory_cache import MemoryCache
from tests.strategy.scripted import SPACE, Scripted, ScriptedStream
from tests.strategy.virtual_time import LoopClock, in_virtual_time
from tests.system.rag import Bench

QUESTION = "How does it recover?"
OUT = ServiceError("out")


class InProcess(Scripted):
    in_process = True


class Cached(Bench):
    """A RAG with both caches, over one store each."""

    def __init__(self, **options: Any) -> None:
        self.vectors, self.texts = MemoryCache(), MemoryCache()
        self.corpus = "1"
        self.told: list[str] = []
        clock = LoopClock()
        self.of_answers = CacheAccess(self.texts, max_bytes=10_000, clock=clock, refused=self.told.append)
        self.of_embeddings = CacheAccess(self.vectors, max_bytes=10_000, clock=clock, refused=self.told.append)
        super().__init__(
            embedding_cache=CachedEmbeddings(self.of_embeddings, clock),
            answer_cache=AnswerCache(
                self.of_answers, corpus=lambda: self.corpus, identity="gpt-{}".format, clock=clock
            ),
            **options,
        )

    async def ask(self, question: str = QUESTION, **more: Any) -> Answer:
        answer = await self.rag.query(question, **more)
        await asyncio.sleep(0.001)  # what is kept is kept in the background
        return answer

    def generators_out(self) -> None:
        for tier in self.generators:
            if not isinstance(tier.component, InProcess):
                tier.component.script = (OUT,)

    def forget_kept(self) -> None:
        """As on another replica, which has kept nothing lately."""
        cache = self.rag._answer_cache
        assert cache is not None
        cache._kept_s.clear()


def runs(check: Callable[[], Any]) -> None:
    in_virtual_time(check)


def test_with_all_services_out_a_known_question_gets_its_last_good_answer_and_its_age() -> None:
    async def run() -> None:
        bench = Cached()
        good = await bench.ask()
        bench.generators_out()
        answer = await bench.ask()
        assert answer.text.startswith("The services that write answers are out of order at the moment.")
        assert answer.text.endswith(good.text)
        assert answer.citations == good.citations
        assert answer.age_s == 5.0
        assert answer.served_by["generator"] == "cached"
        assert answer.degraded_stages == ("generator",)
        assert answer.answered
        assert [a.circuit for a in answer.attempts][-3:] == ["generator.t1", "generator.t2", "generator.cached"]

    runs(run)


def test_an_unknown_question_goes_on_to_the_tiers_inside_the_process() -> None:
    async def run() -> None:
        bench = Cached(generators=[Scripted(), InProcess()])
        bench.generators_out()
        answer = await bench.ask()
        assert answer.served_by["generator"] == "t2"
        assert answer.age_s is None

    runs(run)


def test_a_known_question_gets_its_good_answer_rather_than_a_tier_inside_the_process() -> None:
    async def run() -> None:
        bench = Cached(generators=[Scripted(), InProcess()])
        await bench.ask()
        bench.generators_out()
        assert (await bench.ask()).served_by["generator"] == "cached"
        assert bench.generators[1].component.calls == []

    runs(run)


def by_answers(**figures: float) -> QualityTable:
    """Figures of generators, and of the one plan that finds their passages."""
    plan = ("t1", "t1", "none")
    return QualityTable("ndcg@10", {plan: 0.4}, {(*plan, name): figure for name, figure in figures.items()})


def test_where_quality_reverses_the_services_the_cache_waits_for_the_last_one_called() -> None:
    async def run() -> None:
        bench = Cached(quality=by_answers(t1=0.5, t2=0.9))
        assert (await bench.ask()).served_by["generator"] == "t2"
        bench.generators[1].component.script = (OUT,)
        assert (await bench.ask()).served_by["generator"] == "t1"
        bench.generators_out()
        assert (await bench.ask()).served_by["generator"] == "cached"

    runs(run)


def test_with_every_service_s_circuit_open_the_cache_is_asked_before_a_tier_inside_the_process() -> None:
    async def run() -> None:
        quality = by_answers(t1=0.9, t2=0.6, t3=0.5)
        bench = Cached(generators=[Scripted(), InProcess(), Scripted()], quality=quality)
        await bench.ask()
        bench.circuits["generator.t1"].state = CircuitState.OPEN
        assert (await bench.ask()).served_by["generator"] == "t2"
        bench.circuits["generator.t3"].state = CircuitState.OPEN
        assert (await bench.ask()).served_by["generator"] == "cached"
        assert (await bench.ask("Another question?")).served_by["generator"] == "t2"

    runs(run)


def test_where_quality_prefers_a_tier_inside_the_process_nothing_is_kept() -> None:
    async def run() -> None:
        bench = Cached(generators=[Scripted(), InProcess()], quality=by_answers(t1=0.5, t2=0.9))
        assert (await bench.ask()).served_by["generator"] == "t2"
        assert bench.texts.values == {}

    runs(run)


def test_an_answer_of_one_preferred_service_is_not_given_for_another_s() -> None:
    async def run() -> None:
        bench = Cached(quality=by_answers(t1=0.5, t2=0.9))
        await bench.ask()
        bench.rag.use_quality(by_answers(t1=0.9, t2=0.5))
        bench.generators_out()
        assert (await bench.ask()).served_by["generator"] == "plain"

    runs(run)


def test_an_earlier_answer_has_the_quality_of_the_tiers_that_made_it() -> None:
    async def run() -> None:
        bench = Cached(quality=by_answers(t1=0.5, t2=0.9))
        good = await bench.ask()
        bench.generators_out()
        bench.embedders[0].component.script = (OUT,)
        earlier = await bench.ask()
        assert earlier.served_by["generator"] == "cached"
        assert earlier.quality is not None
        assert earlier.quality == good.quality
        assert earlier.quality.answers == AnswerQuality(0.9, 0.9, "gold")

    runs(run)


def test_the_cache_of_answers_is_not_asked_while_a_service_answers() -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        await bench.ask()
        bench.generators[0].component.script = (OUT,)
        assert (await bench.ask()).served_by["generator"] == "t2"
        assert bench.texts.asked == 0

    runs(run)


@pytest.mark.parametrize(
    "asked",
    [{"question": "How does it recover"}, {"top_k": 2}, {"wishes": "In German."}],
    ids=["another question", "other passages", "other wishes"],
)
def test_whoever_asks_for_something_else_does_not_get_this_answer(asked: dict[str, Any]) -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        bench.generators_out()
        assert (await bench.ask(**asked)).served_by["generator"] == "plain"

    runs(run)


def test_an_answer_from_documents_that_have_changed_is_not_given() -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        bench.corpus = "2"
        bench.generators_out()
        assert (await bench.ask()).served_by["generator"] == "plain"

    runs(run)


def test_an_answer_during_which_the_documents_changed_is_not_kept() -> None:
    async def run() -> None:
        bench = Cached()

        def change() -> Generation:
            bench.corpus = "2"
            return Generation("It waits [1].", (1,))

        bench.generators[0].component.script = (change,)
        await bench.ask()
        assert bench.texts.values == {}

    runs(run)


NOT_GOOD = {
    "by a second tier": {"generators": [Scripted((OUT,)), Scripted()]},
    "of a second embedder": {"embedders": [Scripted((OUT,)), Scripted()]},
    "without passages": {"retrievers": [Scripted(([],))]},
    "a refusal": {"generators": [Scripted((Generation("The documents do not say."),))]},
    "ended early": {"generators": [Scripted((Generation("It waits [1], then", (1,), "length"),))]},
    "by a tier inside the process": {"generators": [InProcess(), Scripted()]},
}


@pytest.mark.parametrize("parts", NOT_GOOD.values(), ids=NOT_GOOD)
def test_only_good_answers_of_services_are_kept(parts: dict[str, list[Scripted]]) -> None:
    async def run() -> None:
        bench = Cached(**parts)
        await bench.ask()
        assert bench.texts.values == {}

    runs(run)


def test_an_earlier_answer_does_not_feed_the_cache_again() -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        kept = dict(bench.texts.values)
        bench.generators_out()
        bench.forget_kept()
        await bench.ask()
        assert bench.texts.values == kept

    runs(run)


def test_a_stream_gets_the_earlier_answer_too() -> None:
    async def run() -> None:
        bench = Cached(generators=[ScriptedStream(("It waits", " [1]."))])
        for _ in range(2):
            async with aclosing(bench.rag.stream(QUESTION)) as events:
                seen = [event async for event in events]
            await asyncio.sleep(0.001)
            bench.generators[0].component.script = (OUT,)
        done = seen[-1]
        assert isinstance(done, AnswerDone)
        assert done.answer.age_s == 5.0
        assert [c.n for c in done.answer.citations] == [1]
        assert "".join(e.text for e in seen if isinstance(e, AnswerPiece)) == done.answer.text

    runs(run)


def test_a_stream_that_broke_is_not_kept() -> None:
    async def run() -> None:
        bench = Cached(generators=[ScriptedStream(("It waits [1]", OUT))])
        async with aclosing(bench.rag.stream(QUESTION)) as events:
            seen = [event async for event in events]
        assert isinstance(seen[-1], AnswerBroken)
        await asyncio.sleep(0.001)
        assert bench.texts.values == {}

    runs(run)


CITATION = {"n": 1, "document": "d", "passage": "d#1", "text": "text", "score": 1.0, "also_in": [], "quote": [0, 4]}
HOSTILE_ANSWERS = {
    "not JSON": "because",
    "deeply nested": "[" * 100_000,
    "not an object": "[]",
    "no text": orjson.dumps({"citations": [CITATION]}).decode(),
    "blank": orjson.dumps({"text": "  ", "citations": [CITATION]}).decode(),
    "no citations": orjson.dumps({"text": "It waits.", "citations": []}).decode(),
    "too many citations": orjson.dumps({"text": "It waits.", "citations": [CITATION] * 51}).decode(),
    **{
        f"{name} = {value!r}": orjson.dumps({"text": "It waits.", "citations": [{**CITATION, name: value}]}).decode()
        for name, value in [
            ("n", 0), ("n", True), ("n", 51), ("document", None), ("score", "high"), ("also_in", "d"),
            ("also_in", [1]), ("quote", [3, 2]), ("quote", [0, 5]), ("quote", "ab"), ("text", 7),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS)
def test_a_cached_answer_that_no_replica_can_have_written_is_a_miss_and_told(value: str) -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        bench.texts.values = dict.fromkeys(bench.texts.values, value)
        bench.generators_out()
        assert (await bench.ask()).served_by["generator"] == "plain"
        assert len(bench.told) == 1

    runs(run)


def test_an_embedding_that_was_made_before_is_not_made_again_and_nothing_is_degraded() -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        answer = await bench.ask()
        assert len(bench.embedders[0].component.calls) == 1
        assert answer.attempts[0].circuit == "embedder.cached"
        assert answer.served_by["embedder"] == "t1"
        assert not answer.degraded
        first, second = (call[1].vector for call in bench.retrievers[0].component.calls)
        assert np.array_equal(first, second)

    runs(run)


def test_with_its_service_out_a_known_question_still_has_its_embedding() -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        bench.embedders[0].component.script = (OUT,)
        bench.circuits["embedder.t1"].state = CircuitState.OPEN
        assert not (await bench.ask()).degraded
        assert (await bench.ask("Another one?")).served_by["embedder"] == "t2"

    runs(run)


def test_while_its_circuit_is_half_open_a_service_is_tried_before_the_cache() -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        circuit = bench.circuits["embedder.t1"]
        circuit.state, circuit.probing = CircuitState.HALF_OPEN, True
        await bench.ask()
        assert len(bench.embedders[0].component.calls) == 2
        bench.embedders[0].component.script = (OUT,)
        answer = await bench.ask()
        assert len(bench.embedders[0].component.calls) == 3
        assert [a.circuit for a in answer.attempts][:2] == ["embedder.t1", "embedder.cached"]
        assert not answer.degraded

    runs(run)


def test_embeddings_made_inside_the_process_are_neither_kept_nor_asked_for() -> None:
    async def run() -> None:
        bench = Cached(embedders=[InProcess()])
        await bench.ask()
        assert bench.vectors.asked == 0
        assert bench.vectors.values == {}

    runs(run)


def test_a_zero_vector_is_not_kept() -> None:
    async def run() -> None:
        bench = Cached(embedders=[Scripted((Embedding(np.zeros(4, np.float32), SPACE),))])
        await bench.ask()
        assert bench.vectors.values == {}

    runs(run)


HOSTILE_VECTORS = {
    "not JSON": "because",
    "no vector": "{}",
    "not base64": '{"vector": "?", "weight": 0.5}',
    "a number short": '{"vector": "AACAPwAAgD8AAIA/", "weight": 0.5}',
    "half a number": '{"vector": "AACAPwAAgD8AAIA/AAA=", "weight": 0.5}',
    "not finite": '{"vector": "AADAfwAAgD8AAIA/AACAPw==", "weight": 0.5}',
    "all zeros": '{"vector": "AAAAAAAAAAAAAAAAAAAAAA==", "weight": 0.5}',
    "no weight": '{"vector": "AACAPwAAgD8AAIA/AACAPw=="}',
    "a weight of 2": '{"vector": "AACAPwAAgD8AAIA/AACAPw==", "weight": 2}',
}


@pytest.mark.parametrize("value", HOSTILE_VECTORS.values(), ids=HOSTILE_VECTORS)
def test_a_cached_embedding_that_no_replica_can_have_written_is_a_miss_and_told(value: str) -> None:
    async def run() -> None:
        bench = Cached()
        await bench.ask()
        bench.vectors.values = dict.fromkeys(bench.vectors.values, value)
        assert not (await bench.ask()).degraded
        assert len(bench.embedders[0].component.calls) == 2
        assert len(bench.told) == 1

    runs(run)


def test_without_the_cache_every_question_is_answered_as_before() -> None:
    async def run() -> None:
        bench = Cached()
        bench.vectors.is_gone = bench.texts.is_gone = True
        for _ in range(10):
            assert not (await bench.ask()).degraded
        bench.generators_out()
        assert (await bench.ask()).served_by["generator"] == "plain"
        assert bench.told == []

    runs(run)
