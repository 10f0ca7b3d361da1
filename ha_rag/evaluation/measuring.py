"""Measures one question with every plan and every generator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ha_rag.components.generators.refusal import is_refusal
from ha_rag.errors import ComponentError, HaRagError
from ha_rag.evaluation.candidates import NONE, ZERO, Candidates
from ha_rag.evaluation.datasets import JudgedQuestion
from ha_rag.evaluation.measures import CUTOFF, has_gold, word_count
from ha_rag.messages import Embedding, Passage
from ha_rag.strategy.question import DEFAULT_TOP_K
from ha_rag.strategy.replies import usable_embedding, usable_generation, usable_passages, usable_scores
from ha_rag.strategy.reranking import best_first, candidates_of

T = TypeVar("T")

LONGEST_S = 60.0
"""How long a call may take here, whatever its tier's timeout: what is slow is to be seen, not cut off."""
PAUSES_S = (0.5, 2.0)
"""Before a call that failed is tried again."""

Record = dict[str, Any]
"""What was measured with one question, ready for JSON: see `QuestionMeasurement.record`."""


class EvaluationStoppedError(HaRagError):
    """A component failed again and again, so that its plans cannot be measured now."""


class QuestionMeasurement:
    """One question, asked of every plan. Answers from the same passages are generated once.

    `top_k`: how many passages answers are made from. `answers`: whether texts are measured.
    """

    def __init__(self, candidates: Candidates, question: JudgedQuestion, *, answers: bool) -> None:
        self._candidates = candidates
        self._question = question
        self._answers = answers and bool(question.gold or question.impossible)
        self._ms: dict[str, list[float]] = {}
        self._texts: dict[tuple[str, tuple[str, ...]], Record] = {}
        self._scores: dict[tuple[str, tuple[str, ...]], tuple[list[float], float]] = {}

    async def record(self) -> Record:
        """`plans`: for each plan the documents found, how long that took in ms and, by generator, the figures of its
        answer. `ms`: by circuit, how long each call took.
        """
        plans = []
        for name, embedder in self._candidates.embedders.items():
            if name == ZERO:  # it takes no time that is worth a figure
                embedding, ms = await embedder.embed(self._question.text), 0.0
            else:
                embedding, ms = await self._embedded(name)
            for retriever in self._candidates.retrievers:
                plans += await self._searched(name, embedding, retriever, ms)
        return {"plans": plans, "ms": self._ms}

    async def _embedded(self, name: str) -> tuple[Embedding, float]:
        async def ask() -> Embedding:
            return usable_embedding(await self._candidates.embedders[name].embed(self._question.text))

        return await self._timed(f"embedder.{name}", ask)

    async def _searched(self, embedder: str, embedding: Embedding, name: str, before_ms: float) -> list[Record]:
        text, depth, retriever = self._question.text, self._candidates.depth, self._candidates.retrievers[name]

        async def ask() -> list[Passage]:
            return usable_passages(await retriever.retrieve(text, embedding, depth), depth)

        found, search_ms = await self._timed(f"retriever.{name}", ask)
        orders = {NONE: (found, 0.0)}
        if found:
            for reranker in self._candidates.rerankers:
                orders[reranker] = await self._reranked(reranker, found)
        plans = []
        for reranker, (passages, rerank_ms) in orders.items():
            plan: Record = {"embedder": embedder, "retriever": name, "reranker": reranker}
            plan["ms"] = round(before_ms + search_ms + rerank_ms, 3)
            plan["documents"] = list(dict.fromkeys(passage.document for passage in passages))[:CUTOFF]
            if self._answers:
                plan["answers"] = await self._answered(await self._given(reranker, passages, embedding, name))
            plans.append(plan)
        if not found:
            plans += [{**plans[0], "reranker": reranker} for reranker in self._candidates.rerankers]
        return plans

    async def _given(
        self, reranker: str, passages: Sequence[Passage], embedding: Embedding, retriever: str
    ) -> Sequence[Passage]:
        """The passages that an answer is made from: where nothing is reranked, no more are retrieved."""
        if reranker != NONE or self._candidates.rerankers:
            return passages[:DEFAULT_TOP_K]
        asked = self._candidates.retrievers[retriever]
        return usable_passages(await asked.retrieve(self._question.text, embedding, DEFAULT_TOP_K), DEFAULT_TOP_K)

    async def _reranked(self, name: str, found: Sequence[Passage]) -> tuple[list[Passage], float]:
        """The passages in the reranker's order, and how long it took in ms."""
        reranker = self._candidates.rerankers[name]
        given, rest = found[: candidates_of(reranker)], found[candidates_of(reranker) :]
        key = (name, tuple(passage.id for passage in given))

        async def ask() -> list[float]:
            return usable_scores(await reranker.rerank(self._question.text, given), len(given))

        if key not in self._scores:
            self._scores[key] = await self._timed(f"reranker.{name}", ask)
        scores, ms = self._scores[key]
        return [*best_first(given, scores), *rest], ms

    async def _answered(self, passages: Sequence[Passage]) -> dict[str, Record]:
        return {name: await self._answer(name, passages) for name in self._candidates.generators}

    async def _answer(self, name: str, passages: Sequence[Passage]) -> Record:
        key = (name, tuple(f"{passage.id} {len(passage.text)}" for passage in passages))
        if key in self._texts:
            return self._texts[key]
        generator = self._candidates.generators[name]

        async def ask() -> str:
            return usable_generation(await generator.generate(self._question.text, passages)).text

        text, ms = await self._timed(f"generator.{name}", ask)
        self._texts[key] = {
            "gold": has_gold(text, self._question.gold),
            "words": word_count(text),
            "refused": is_refusal(text),
            "ms": ms,
        }
        return self._texts[key]

    async def _timed(self, circuit: str, ask: Callable[[], Awaitable[T]]) -> tuple[T, float]:
        """Calls a component, up to three times. Its reply, and how long the call that worked took in ms."""
        for pause_s in (*PAUSES_S, None):
            began_s = time.perf_counter()
            try:
                async with asyncio.timeout(LONGEST_S):
                    reply = await ask()
            except (ComponentError, TimeoutError) as error:
                if pause_s is None:
                    why = str(error) or f"no answer within {LONGEST_S:g} s"
                    raise EvaluationStoppedError(f"{circuit} failed three times in a row: {why}") from None
                await asyncio.sleep(pause_s)
                continue
            ms = round(1000 * (time.perf_counter() - began_s), 3)
            self._ms.setdefault(circuit, []).append(ms)
            return reply, ms
        raise AssertionError("unreachable: the last try returns or raises")
