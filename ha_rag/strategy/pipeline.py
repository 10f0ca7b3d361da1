"""Pipeline: the chains of embedders, retrievers and generators with their circuits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ha_rag.breaker.probes import DetachedProbes
from ha_rag.circuit.state import CircuitState
from ha_rag.deadline import Deadline
from ha_rag.interfaces import Embedder, Generator, Retriever
from ha_rag.messages import Attempt, ComponentType, Embedding, Generation, Passage, Quality
from ha_rag.strategy.chain import Chain, Served, skipped
from ha_rag.strategy.exchange import SingleReply
from ha_rag.strategy.guard import Breaker, BreakerSource
from ha_rag.strategy.last_resort import NAMES, no_passages, plain_sentence, zero_like
from ha_rag.strategy.observing import NO_OBSERVER, PipelineObserver
from ha_rag.strategy.quality import Plan, QualityTable
from ha_rag.strategy.replies import usable_embedding, usable_generation, usable_passages
from ha_rag.strategy.streaming import FirstPiece, OpenStream
from ha_rag.strategy.tier import GuardedTier, Tier

C = TypeVar("C")

AnyTier = GuardedTier[Embedder] | GuardedTier[Retriever] | GuardedTier[Generator]
ZERO = NAMES[ComponentType.EMBEDDER]
NONE = NAMES[ComponentType.RETRIEVER]


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """A strategy's chains, guarded. `table`: measured quality, or None. `preferred`: stage -> the tier used normally.

    Each stage answers within `deadline` and never fails. Safe across tasks of one event loop.
    """

    embedders: Chain[Embedder]
    retrievers: Chain[Retriever]
    generators: Chain[Generator]
    probes: DetachedProbes
    table: QualityTable | None
    best: Plan | None
    by_quality: bool
    preferred: dict[str, str]
    breakers: dict[str, Breaker]

    @classmethod
    def of(
        cls,
        embedders: Sequence[Tier[Embedder]],
        retrievers: Sequence[Tier[Retriever]],
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
            _chain(ComponentType.GENERATOR, generators, plain_sentence(), circuits, probes, observer),
        )
        best = table.best_plan(chains[0].names, chains[1].names) if table else None
        preferred = {str(chain.kind): chain.names[0] for chain in chains}
        if by_quality and best is not None:
            preferred |= {ComponentType.EMBEDDER: best[0], ComponentType.RETRIEVER: best[1]}
        breakers = {tier.circuit: tier.breaker for chain in chains for tier in chain.tiers}
        return cls(*chains, probes, table, best, by_quality, preferred, breakers)

    @property
    def tiers(self) -> tuple[AnyTier, ...]:
        """Every tier that has a circuit: embedders, retrievers, generators."""
        return (*self.embedders.tiers, *self.retrievers.tiers, *self.generators.tiers)

    async def embed(self, text: str, deadline: Deadline, later_s: float = 0.0) -> Served[Embedding]:
        """The text's embedding, in the space of the tier that made it. `later_s`: seconds that later stages need."""

        async def ask(embedder: Embedder) -> Embedding:
            return usable_embedding(await embedder.embed(text))

        exchange = SingleReply(ask, self.probes)
        if not self.by_quality:
            return await self.embedders.run(exchange, deadline, later_s)
        tiers, skipped_attempts = self._embedders_by_quality()
        served = await self.embedders.run(exchange, deadline, later_s, tiers)
        served.attempts[:0] = skipped_attempts
        return served

    async def retrieve(
        self,
        question: str,
        embedding: Embedding,
        embedder: str | None,
        top_k: int,
        deadline: Deadline,
        later_s: float = 0.0,
    ) -> Served[list[Passage]]:
        """At most `top_k` passages. Every retriever gets the embedding as it is: each knows which spaces it indexes.

        `embedder`: the name of the tier that made the embedding, if known; the ranking of retrievers depends on it.
        """

        async def ask(retriever: Retriever) -> list[Passage]:
            return usable_passages(await retriever.retrieve(question, embedding, top_k), top_k)

        tiers = self._retrievers_by_quality(embedder) if self.by_quality and embedder else None
        return await self.retrievers.run(SingleReply(ask, self.probes), deadline, later_s, tiers)

    async def generate(self, question: str, passages: Sequence[Passage], deadline: Deadline) -> Served[Generation]:
        """An answer from the passages."""

        async def ask(generator: Generator) -> Generation:
            return usable_generation(await generator.generate(question, passages))

        return await self.generators.run(SingleReply(ask, self.probes), deadline)

    async def open_stream(self, question: str, passages: Sequence[Passage], deadline: Deadline) -> Served[OpenStream]:
        """A streamed answer whose first piece has arrived, so the tier that generates it is fixed."""
        return await self.generators.run(FirstPiece(question, passages, self.probes), deadline)

    def degraded(self, served_by: dict[str, str]) -> tuple[str, ...]:
        """The stages not served by their preferred tier."""
        return tuple(stage for stage, tier in served_by.items() if tier != self.preferred[stage])

    def expected_quality(self, served_by: dict[str, str]) -> Quality | None:
        """The measured quality of the plan that served and of the best plan; None without figures."""
        if self.table is None:
            return None
        return self.table.expected_quality(
            (served_by[ComponentType.EMBEDDER], served_by[ComponentType.RETRIEVER]), self.best
        )

    def shared_state(self, attempts: Iterable[Attempt]) -> str:
        """The worst freshness of the circuits of these attempts."""
        states = {self.breakers[a.circuit].shared_state for a in attempts if a.circuit in self.breakers}
        return next((state for state in ("local", "stale") if state in states), "fresh" if states else "local")

    def _embedders_by_quality(self) -> tuple[list[GuardedTier[Embedder]], list[Attempt]]:
        """The embedders to call, best plan first, and skipped attempts for those that keyword search alone beats."""
        if self.table is None:
            return list(self.embedders.tiers), []
        up = [*_up(self.retrievers.tiers), NONE]
        ranked = self.table.rank_embedders(self.embedders.names, up)
        by_name = {tier.name: tier for tier in self.embedders.tiers}
        zero_at = ranked.index(ZERO)
        if self.table.best_plan([ZERO], up) is None:
            zero_at = len(ranked)
        worse = [by_name[name] for name in ranked[zero_at:] if name != ZERO]
        skipped_attempts = [skipped(tier, "keyword search alone has the better measured quality") for tier in worse]
        return [by_name[name] for name in ranked[:zero_at] if name != ZERO], skipped_attempts

    def _retrievers_by_quality(self, embedder: str) -> list[GuardedTier[Retriever]]:
        by_name = {tier.name: tier for tier in self.retrievers.tiers}
        if self.table is None:
            return list(by_name.values())
        return [by_name[name] for name in self.table.rank_retrievers(embedder, list(by_name))]


def _chain(
    kind: ComponentType,
    tiers: Sequence[Tier[C]],
    last: C,
    circuits: BreakerSource,
    probes: DetachedProbes,
    observer: PipelineObserver,
) -> Chain[C]:
    return Chain(kind, tuple(tier.guarded(kind, circuits) for tier in tiers), last, NAMES[kind], probes, observer)


def _up(tiers: Iterable[GuardedTier[C]]) -> list[str]:
    """The tiers that are up. A half-open circuit counts as up, because it needs a probe."""
    return [tier.name for tier in tiers if tier.breaker.state is not CircuitState.OPEN]
