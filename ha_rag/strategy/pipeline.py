"""Pipeline: the chains of embedders, retrievers, rerankers and generators with their circuits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

from ha_rag.breaker.probes import DetachedProbes
from ha_rag.components.generators.searching import without_search
from ha_rag.deadline import Deadline
from ha_rag.interfaces import Embedder, Generator, Reranker, Retriever
from ha_rag.messages import Attempt, ComponentType, Embedding, Generation, Passage, Quality
from ha_rag.strategy.answer_cache import AnswerRecall, StreamRecall
from ha_rag.strategy.chain import Chain, Served, skipped
from ha_rag.strategy.choosing import Choices, up
from ha_rag.strategy.embedding_cache import EmbeddingRecall
from ha_rag.strategy.exchange import SingleReply
from ha_rag.strategy.experiment import with_first
from ha_rag.strategy.guard import Breaker, BreakerSource
from ha_rag.strategy.last_resort import NAMES, no_passages, plain_sentence, zero_like
from ha_rag.strategy.last_words import last_words, noticed
from ha_rag.strategy.observing import NO_OBSERVER, PipelineObserver
from ha_rag.strategy.quality import Plan, QualityTable, plan_of
from ha_rag.strategy.replies import usable_embedding, usable_generation, usable_passages, usable_scores
from ha_rag.strategy.reranking import best_first, candidates_of, kept_order, wanted_from_retrieval
from ha_rag.strategy.streaming import FirstPiece, OpenStream
from ha_rag.strategy.tier import GuardedTier, Tier

C = TypeVar("C")

AnyTier = GuardedTier[Embedder] | GuardedTier[Retriever] | GuardedTier[Reranker] | GuardedTier[Generator]


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """A strategy's chains, guarded. `choices`: which tiers are called first, by the list or by measured quality.

    Each stage answers within `deadline` and never fails. Safe across tasks of one event loop.
    """

    embedders: Chain[Embedder]
    retrievers: Chain[Retriever]
    rerankers: Chain[Reranker]
    generators: Chain[Generator]
    probes: DetachedProbes
    choices: Choices
    breakers: dict[str, Breaker]

    @classmethod
    def of(
        cls,
        embedders: Sequence[Tier[Embedder]],
        retrievers: Sequence[Tier[Retriever]],
        rerankers: Sequence[Tier[Reranker]],
        generators: Sequence[Tier[Generator]],
        circuits: BreakerSource,
        table: QualityTable | None,
        by_quality: bool,
        observer: PipelineObserver = NO_OBSERVER,
    ) -> Pipeline:
        """Creates the chains, with a circuit for every tier and a last resort for every chain."""
        probes = DetachedProbes()
        last_embedder = zero_like([tier.component for tier in embedders])
        chains = (
            _chain(ComponentType.EMBEDDER, embedders, last_embedder, circuits, probes, observer),
            _chain(ComponentType.RETRIEVER, retrievers, no_passages(), circuits, probes, observer),
            replace(_chain(ComponentType.RERANKER, rerankers, kept_order(), circuits, probes, observer), optional=True),
            _chain(ComponentType.GENERATOR, generators, plain_sentence(), circuits, probes, observer),
        )
        choices = Choices({chain.kind: chain.names for chain in chains}, table, by_quality=by_quality)
        breakers = {tier.circuit: tier.breaker for chain in chains for tier in chain.tiers}
        return cls(*chains, probes, choices, breakers)

    @property
    def tiers(self) -> tuple[AnyTier, ...]:
        """Every tier that has a circuit: embedders, retrievers, rerankers, generators."""
        return (*self.embedders.tiers, *self.retrievers.tiers, *self.rerankers.tiers, *self.generators.tiers)

    async def embed(
        self,
        text: str,
        deadline: Deadline,
        later_s: float = 0.0,
        recall: EmbeddingRecall | None = None,
        first: str | None = None,
    ) -> Served[Embedding]:
        """The text's embedding, in the space of the tier that made it. `later_s`: seconds that later stages need.

        `recall`: the cache of embeddings, which is asked before each service, and keeps what one makes. `first`: the
        name of the tier to call before the others, as in every stage; None: as is chosen otherwise.
        """

        async def ask(embedder: Embedder) -> Embedding:
            return usable_embedding(await embedder.embed(text))

        exchange = SingleReply(ask, self.probes)
        chosen, left_out = self._embedders(deadline)
        tiers = with_first(self.embedders, chosen, first)
        served = await self.embedders.run(exchange, deadline, later_s, tiers, recall)
        if served.by == self.embedders.last_name:  # else they would not have been called in any order
            served.attempts[-1:-1] = left_out
        if recall is not None:
            recall.keep(served, self.embedders.tiers)
        return served

    async def retrieve(
        self,
        question: str,
        embedding: Embedding,
        embedder: str | None,
        top_k: int,
        deadline: Deadline,
        later_s: float = 0.0,
        first: str | None = None,
    ) -> Served[list[Passage]]:
        """At most `top_k` passages. Every retriever gets the embedding as it is: each knows which spaces it indexes.

        `embedder`: the name of the tier that made the embedding, if known; the ranking of retrievers depends on it.
        """

        async def ask(retriever: Retriever) -> list[Passage]:
            return usable_passages(await retriever.retrieve(question, embedding, top_k), top_k)

        chosen = None
        if self.choices.figures is not None:
            rerankers, within_s = up(self.rerankers.tiers), self._search_s(deadline)
            chosen = self.choices.retrievers(self.retrievers.tiers, embedder, rerankers, within_s)
        tiers = with_first(self.retrievers, chosen, first)
        return await self.retrievers.run(SingleReply(ask, self.probes), deadline, later_s, tiers)

    def candidates(self, top_k: int) -> int:
        """How many passages to retrieve for an answer from `top_k`: more if they are to be reranked."""
        return wanted_from_retrieval((tier.component for tier in self.rerankers.tiers), top_k)

    def reranks(self, passages: Sequence[Passage]) -> bool:
        """Whether there is a reranker, and more than one passage to rank."""
        return bool(self.rerankers.tiers) and len(passages) > 1

    async def rerank(
        self,
        question: str,
        passages: Sequence[Passage],
        top_k: int,
        deadline: Deadline,
        later_s: float = 0.0,
        found_by: tuple[str, str] | None = None,
        first: str | None = None,
    ) -> Served[list[Passage]]:
        """The best `top_k` of the passages, by a reranker; the first `top_k` as they are if none could rank them.

        `found_by`: the embedder and the retriever that found them, if known; which rerankers help depends on them.
        """

        async def ask(reranker: Reranker) -> list[Passage]:
            ranked = passages[: max(top_k, candidates_of(reranker))]
            return best_first(ranked, usable_scores(await reranker.rerank(question, ranked), len(ranked)))[:top_k]

        async def ask_last(_: Sequence[Attempt]) -> list[Passage]:
            return list(passages[:top_k])

        chosen = self.choices.rerankers(self.rerankers.tiers, *(found_by or (None, None)))
        tiers = with_first(self.rerankers, chosen, first)
        return await self.rerankers.run(SingleReply(ask, self.probes, ask_last), deadline, later_s, tiers)

    async def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        deadline: Deadline,
        notice: str = "",
        recall: AnswerRecall | None = None,
        plan: Plan | None = None,
        first: str | None = None,
    ) -> Served[Generation]:
        """An answer from the passages. `notice`: what the text says first, if nothing could be searched, or "".

        `recall`: the cache of answers, which is asked after the last service. `plan`: what found the passages, if
        known; the ranking of generators depends on it.
        """

        async def ask(generator: Generator) -> Generation:
            return noticed(notice, usable_generation(await generator.generate(question, passages)))

        async def ask_last(attempts: Sequence[Attempt]) -> Generation:
            return last_words(passages, attempts, notice)

        with without_search() if notice else nullcontext():
            exchange, tiers = SingleReply(ask, self.probes, ask_last), self._generators(plan, deadline, first)
            return await self.generators.run(exchange, deadline, tiers=tiers, recall=recall)

    async def open_stream(
        self,
        question: str,
        passages: Sequence[Passage],
        deadline: Deadline,
        notice: str = "",
        recall: AnswerRecall | None = None,
        plan: Plan | None = None,
        first: str | None = None,
    ) -> Served[OpenStream]:
        """A streamed answer whose first piece has arrived, so the tier that generates it is fixed."""
        with without_search() if notice else nullcontext():
            exchange = FirstPiece(question, passages, self.probes, notice)
            tiers = self._generators(plan, deadline, first)
            streamed = None if recall is None else StreamRecall(recall)
            return await self.generators.run(exchange, deadline, tiers=tiers, recall=streamed)

    def shared_state(self, attempts: Iterable[Attempt]) -> str:
        """The worst freshness of the circuits of these attempts."""
        states = {self.breakers[a.circuit].shared_state for a in attempts if a.circuit in self.breakers}
        return next((state for state in ("local", "stale") if state in states), "fresh" if states else "local")

    def expected_quality(self) -> Quality | None:
        """What to expect of a question that is asked now, if every tier that is up serves when it is called."""
        choices, retrievers, rerankers = self.choices, self.retrievers.tiers, self.rerankers.tiers
        called, _ = choices.embedders(self.embedders.tiers, up(retrievers), up(rerankers), math.inf)
        embedder = _first(self.embedders, called)
        retriever = _first(self.retrievers, choices.retrievers(retrievers, embedder, up(rerankers), math.inf))
        reranker = _first(self.rerankers, choices.rerankers(rerankers, embedder, retriever))
        plan = plan_of(embedder, retriever, reranker)
        generator = _first(self.generators, choices.generators(self.generators.tiers, plan, math.inf))
        return choices.expected_quality(dict(zip(map(str, ComponentType), (*plan, generator), strict=True)))

    def _embedders(self, deadline: Deadline) -> tuple[list[GuardedTier[Embedder]] | None, list[Attempt]]:
        """The embedders to call, in list order if None, and the attempts that tell why others were left out."""
        if self.choices.figures is None:
            return None, []
        retrievers, rerankers = up(self.retrievers.tiers), up(self.rerankers.tiers)
        within_s = self._search_s(deadline)
        tiers, left_out = self.choices.embedders(self.embedders.tiers, retrievers, rerankers, within_s)
        return tiers, [skipped(tier, why) for tier, why in left_out]

    def _search_s(self, deadline: Deadline) -> float:
        """Seconds for embedding, retrieval and reranking, so that the best generator still fits."""
        left_s = deadline.left_s()
        return left_s - max(self.generators.needs_s, self.choices.reserved_s(self.generators.tiers, left_s))

    def _generators(self, plan: Plan | None, deadline: Deadline, first: str | None) -> Sequence[GuardedTier[Generator]]:
        chosen = self.choices.generators(self.generators.tiers, plan, deadline.left_s())
        return with_first(self.generators, chosen, first)


def _first(chain: Chain[C], called: Sequence[GuardedTier[C]] | None) -> str:
    """The name of the first tier that is up; the last resort's if none is. `called`: None for list order."""
    return next(iter(up(chain.tiers if called is None else called)), chain.last_name)


def _chain(
    kind: ComponentType,
    tiers: Sequence[Tier[C]],
    last: C,
    circuits: BreakerSource,
    probes: DetachedProbes,
    observer: PipelineObserver,
) -> Chain[C]:
    return Chain(kind, tuple(tier.guarded(kind, circuits) for tier in tiers), last, NAMES[kind], probes, observer)
