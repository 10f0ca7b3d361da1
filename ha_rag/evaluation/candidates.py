"""Candidates: the components that are measured, by tier name, and what stands behind them when all are out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ha_rag.interfaces import Embedder, Generator, Reranker, Retriever
from ha_rag.strategy.last_resort import plain_sentence, zero_like
from ha_rag.strategy.reranking import candidates_of
from ha_rag.strategy.strategy import FallbackStrategy

ZERO, NONE, PLAIN = "zero", "none", "plain"
RANKED = 20
"""Passages that are ranked; of a document with several passages the best counts."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Every component by its tier's name, in the list's order. `embedders` end with "zero": search by words alone.
    `generators` end with "plain": the sentence that lists the passages where every generator is out.
    """

    embedders: Mapping[str, Embedder]
    retrievers: Mapping[str, Retriever]
    rerankers: Mapping[str, Reranker]
    generators: Mapping[str, Generator]

    @classmethod
    def of(cls, strategy: FallbackStrategy) -> Candidates:
        """Those of a strategy."""
        zero = zero_like([tier.component for tier in strategy.embedders])
        return cls(
            {**{tier.name: tier.component for tier in strategy.embedders}, ZERO: zero},
            {tier.name: tier.component for tier in strategy.retrievers},
            {tier.name: tier.component for tier in strategy.rerankers},
            {**{tier.name: tier.component for tier in strategy.generators}, PLAIN: plain_sentence()},
        )

    @property
    def depth(self) -> int:
        """How many passages are retrieved for a ranking."""
        return max([RANKED, *(candidates_of(reranker) for reranker in self.rerankers.values())])
