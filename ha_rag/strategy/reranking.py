"""Reranking: the optional stage between retrieval and generation. Where it fails, the order of retrieval stays.

The retrievers are asked for more passages than the answer needs, and a reranker chooses the best of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ha_rag.interfaces import Reranker
from ha_rag.messages import Passage

DEFAULT_CANDIDATES = 30


class KeptOrder:
    """The last resort: no passage is better than another, so their order stays."""

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[float]:
        return [0.0] * len(passages)


def kept_order() -> Reranker:
    """A reranker that changes nothing."""
    return KeptOrder()


def candidates_of(reranker: object) -> int:
    """How many passages it ranks: its attribute `candidates`, which a strategy has checked, or 30."""
    candidates: int = getattr(reranker, "candidates", DEFAULT_CANDIDATES)
    return candidates


def wanted_from_retrieval(rerankers: Iterable[Reranker], top_k: int) -> int:
    """How many passages to retrieve, so that every reranker has its candidates: `top_k` without any."""
    return max([top_k, *map(candidates_of, rerankers)])


def best_first(passages: Sequence[Passage], scores: Sequence[float]) -> list[Passage]:
    """The passages with these scores, best first. Equal ones keep their order."""
    scored = [replace(passage, score=score) for passage, score in zip(passages, scores, strict=True)]
    return sorted(scored, key=lambda passage: -passage.score)
